"""What a site decides for itself: role, roster, key, rows, policy. In its kit, never in a job."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cards import certificate_name
from .pinned_roster import PinnedRoster
from .policy import SitePolicy
from .reading import RosterError, as_object, as_text, read_json

SETTINGS = "federation.json"
"""In a kit's ``local`` folder."""

AUDIT_LOG, SESSIONS, REFUSALS = "audit.jsonl", "sessions", "refusals"
"""In a site's state folder."""

MIN_TIMEOUT = 8.0
"""Seconds: a server that is busy can be silent for as long."""

_MEMBERS = ("roster", "key", "state", "data", "target", "timeout", "policy")


@dataclass(frozen=True)
class Site:
    """A hospital's or the key holder's settings.

    Parameters
    ----------
    name : str
        As the kit's certificate has it.
    roster_file : Path
    roster : PinnedRoster
    key_file : Path
        A hospital's identity, or the Paillier key.
    state : Path
        Folder of the audit log and the list of sessions.
    policy : SitePolicy
    data_file : Path or None
        A hospital's rows.
    target : str or None
        Name of the target's column there.
    timeout : float
        Seconds without a sign of the server, or of whoever is asked, after which it leaves a job.

    Raises
    ------
    RosterError
        If these do not belong together.
    """

    name: str
    roster_file: Path
    roster: PinnedRoster
    key_file: Path
    state: Path
    policy: SitePolicy
    data_file: Path | None = None
    target: str | None = None
    timeout: float = 15.0

    def __post_init__(self) -> None:
        if self.name not in (*self.roster.hospitals, self.roster.key_holder.name):
            raise RosterError(
                f"{self.name!r} is no hospital on the roster, nor its key holder "
                f"({self.roster.key_holder.name!r}); is this the right kit, and roster?"
            )
        unknown = [name for name in self.policy.analysts if name not in self.roster.analysts]
        if unknown:
            raise RosterError(f"The policy's analysts {unknown} are not on the roster.")
        if type(self.timeout) not in (int, float) or not (
            MIN_TIMEOUT <= self.timeout <= sys.float_info.max
        ):
            raise RosterError(
                f"A timeout of {self.timeout!r} s; use at least {MIN_TIMEOUT:g}: a server that is "
                "busy can be silent for as long."
            )
        has_rows = (self.data_file is not None, self.target is not None)
        if has_rows != 2 * (self.role == "hospital",):
            raise RosterError(
                f"{self.name!r} is the roster's {self.role}: a hospital has a data file and a "
                "target, and the key holder has none."
            )

    @property
    def role(self) -> str:
        """What it is on the roster: "hospital" or "key holder"."""
        return "hospital" if self.name in self.roster.hospitals else "key holder"

    def save(self, kit: Path) -> None:
        """Write the settings into a kit."""
        written = {
            "roster": str(self.roster_file),
            "key": str(self.key_file),
            "state": str(self.state),
            "data": None if self.data_file is None else str(self.data_file),
            "target": self.target,
            "timeout": self.timeout,
            "policy": self.policy.to_dict(),
        }
        (kit / "local" / SETTINGS).write_text(json.dumps(written, indent=1))

    @classmethod
    def load(cls, kit: Path) -> Site:
        """Read a kit's settings, and the roster that they name.

        Raises
        ------
        RosterError
            If the site is not prepared, or has been changed since.
        """
        read = read_settings(kit)
        return cls(name=kit_name(kit), roster=PinnedRoster.load(read["roster_file"]), **read)


def read_settings(kit: Path) -> dict[str, Any]:
    """Return what a kit's settings say, without a look at what they name.

    Returns
    -------
    dict
        Arguments of `Site`: all but name and roster.

    Raises
    ------
    RosterError
        If there are none, or they are of another kind.
    """
    read = as_object("The site's settings", read_json(kit / "local" / SETTINGS), _MEMBERS)
    return {
        "roster_file": _path("roster", read["roster"]),
        "key_file": _path("key", read["key"]),
        "state": _path("state", read["state"]),
        "policy": SitePolicy.from_dict(read["policy"]),
        "data_file": None if read["data"] is None else _path("data", read["data"]),
        "target": None if read["target"] is None else as_text("target", read["target"]),
        "timeout": read["timeout"],
    }


def kit_name(kit: Path) -> str:
    """Return whose kit it is, by its certificate.

    Raises
    ------
    RosterError
        If it is no kit.
    """
    certificate = kit / "startup" / "client.crt"
    try:
        return certificate_name(certificate.read_bytes())
    except OSError as error:
        raise RosterError(f"{kit} is no kit: {certificate}: {error.strerror}.") from None


def _path(what: str, given: Any) -> Path:
    path = Path(as_text(f"the settings' {what}", given))
    if not path.is_absolute():
        raise RosterError(f"The settings' {what} is {given!r}; it must be a path from the root.")
    return path
