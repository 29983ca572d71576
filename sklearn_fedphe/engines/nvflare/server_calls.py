"""A call to the server that ends in time, and whose errors are ours. Run by the analyst."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class FederationError(RuntimeError):
    """A fit over machines did not come to its end; says which site, and why."""


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return what a call returns.

    It is made in a thread: NVIDIA FLARE waits in ways that lose a Ctrl-C, and for longer than a
    caller may want to.

    Parameters
    ----------
    call : callable
    seconds : float
        Until the server counts as gone.

    Raises
    ------
    FederationError
        If it does not return in time, or raises anything else.
    """
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(call())
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return found.result(seconds)
    except FederationError:
        raise
    except TimeoutError:
        raise FederationError(f"The server gave no answer in {seconds:g} s.") from None
    except Exception as error:
        raise FederationError(
            f"The server could not be asked: {type(error).__name__}: {error}"
        ) from error
