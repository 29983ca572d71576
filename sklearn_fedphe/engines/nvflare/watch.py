"""Who is there: the server's watch over all parties of a job, and a party's over the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable


class Watch:
    """When each of some parties was last heard.

    One that misses an answer is not blamed: only silence of a stated length counts.

    Parameters
    ----------
    names : iterable of str
        Of the parties.
    timeout : float
        Seconds of silence that count.
    grace : float
        Seconds more that each has to be heard for the first time.
    """

    def __init__(self, names: Iterable[str], timeout: float, grace: float = 0.0) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._heard = dict.fromkeys(names, time.monotonic() + grace)

    def heard(self, name: str) -> None:
        """Note that one is there. What is heard in the grace does not shorten it for others."""
        with self._lock:
            self._heard[name] = time.monotonic()

    def silent(self) -> list[str]:
        """Return who has been silent for too long."""
        with self._lock:
            now = time.monotonic()
            return [name for name, at in self._heard.items() if now - at > self._timeout]
