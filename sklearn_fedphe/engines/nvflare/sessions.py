"""In which fits a party took part, kept from one process to the next."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .audit import append_line
from .keys import OWNER_ONLY


class SessionError(ValueError):
    """A party has taken part in a session before, or cannot tell."""


class SessionLedger:
    """The sessions that a party has taken part in.

    Masks follow from the identity and the session. Over two vectors they would be the same, and
    the difference of what was sent would show the vectors' own. So a session is noted before
    anything is computed in it, and taken part in once. The key holder notes it too, lest the
    terms of an earlier fit, handed on again, take the place of those of a new one.

    Parameters
    ----------
    path : Path
        Of the file, which `create` made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def create(self) -> None:
        """Begin an empty list, if there is none. Run by the site's owner, for a new key."""
        os.close(os.open(self._path, os.O_RDONLY | os.O_CREAT, OWNER_ONLY))

    def begin(self, party: str, session: bytes) -> None:
        """Note a session. Run by every party.

        Parameters
        ----------
        party : str
            Who it is, for the error.
        session : bytes

        Raises
        ------
        SessionError
            If it has been noted before, or the list is not there.
        """
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            raise SessionError(
                f"{party} has no list of the sessions that it took part in, and cannot tell "
                "whether its masks would be the same; run doctor there."
            ) from None
        with os.fdopen(descriptor) as file:
            # Each job is a process: of two that look at once, neither would see the other's.
            fcntl.flock(file, fcntl.LOCK_EX)
            # In the text, not among its lines: one that was cut off runs into the next.
            if session.hex() in file.read():
                raise SessionError(
                    f"{party} has taken part in session {session.hex()} before, and masks would "
                    "be the same; begin a new fit."
                )
            append_line(self._path, session.hex())
