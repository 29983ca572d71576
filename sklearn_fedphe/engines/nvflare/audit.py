"""What a site did, for whom and when: lines of JSON, no values."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .keys import OWNER_ONLY


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that only its owner reads, and have it on the disk on return.

    Raises
    ------
    OSError
        If the line is not there whole: a full disk takes what fits, and says nothing.
    """
    data = line.encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
    try:
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, "A line was cut off; make room on the disk", str(path))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class AuditLog:
    """A file that a site appends to, a line an event.

    Parameters
    ----------
    path : Path
        Of the file; its folder exists.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(
        self,
        event: str,
        *,
        study: bytes,
        analyst: str,
        message: bytes | None = None,
        **more: Any,
    ) -> None:
        """Note an event.

        Parameters
        ----------
        event : str
            What the site did: joined, answered, opened, refused, ended, failed.
        study : bytes
            Session of the fit.
        analyst : str
            Whose fit.
        message : bytes, default=None
            What it is about: its digest is noted.
        **more : str or int
            Round, kind of query, bytes sent, or why.
        """
        noted: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "event": event,
            "study": study.hex(),
            "analyst": analyst,
            **more,
        }
        if message is not None:
            noted["digest"] = hashlib.sha256(message).hexdigest()
        append_line(self._path, json.dumps(noted))
