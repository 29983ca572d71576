"""How often a hospital has ended fits for its own rows: each time tells something of them."""

from __future__ import annotations

from pathlib import Path

from .audit import append_line

MOST = 3
"""Times, until the hospital's owner has looked at it."""


class TooManyRefusalsError(ValueError):
    """A hospital takes part in no fit until its owner has looked at it."""


class RefusalCount:
    """The fits that a hospital ended for what is in its rows, kept from one process to the next.

    That a value does not fit its slot, that steps diverge, that there are fewer rows than a fit
    asks for: whoever chooses the fit learns one bit of this hospital's own rows by it, and by
    fits enough as many digits as there are.

    Parameters
    ----------
    path : Path
        Of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, session: bytes) -> None:
        """Count one. Run by the hospital, before anybody is told."""
        append_line(self._path, session.hex())

    def check(self, party: str) -> None:
        """Refuse, if there were too many. Run by the hospital.

        Parameters
        ----------
        party : str
            Who it is, for the error.

        Raises
        ------
        TooManyRefusalsError
        """
        noted = self._path.read_text().split() if self._path.exists() else []
        if len(noted) >= MOST:
            raise TooManyRefusalsError(
                f"{party} has ended {len(noted)} fits for what is in its rows, each of which "
                f"tells something of them, and {MOST} are the most; its owner looks at its audit "
                "log, and runs site again."
            )

    def clear(self) -> None:
        """Begin anew. Run by the hospital's owner."""
        self._path.unlink(missing_ok=True)
