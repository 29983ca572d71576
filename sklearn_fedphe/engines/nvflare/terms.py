"""What the parties of one fit agree on before it begins, as the analyst proposes it."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...federation import Plan
from ...own_steps import OwnSteps
from ...privacy import GaussianPrivacy
from ...protocol import DisclosureRules, RefusedMessageError, Roster
from ...protocol.roster import SESSION_BYTES

if TYPE_CHECKING:
    from .pinned_roster import PinnedRoster


@dataclass(frozen=True)
class Terms:
    """One fit, as all its parties are told of it. Public to them.

    Parameters
    ----------
    session : bytes of length 16
        Random, of this fit alone.
    roster_digest : bytes of length 32
        Of the `PinnedRoster` that all parties have.
    rules : DisclosureRules
        What clients and key holder refuse, and the privacy that is promised.
    own_steps : OwnSteps or None
        What each client does alone before.
    """

    session: bytes
    roster_digest: bytes
    rules: DisclosureRules
    own_steps: OwnSteps | None

    @classmethod
    def propose(cls, plan: Plan, roster: PinnedRoster) -> Terms:
        """Write down a plan. Run by the analyst."""
        terms = cls(os.urandom(SESSION_BYTES), roster.digest, plan.rules, plan.own_steps)
        # As the others will read it: the digest of a roster tells 0 from 0.0.
        return cls.from_bytes(terms.to_bytes(), "the analyst")

    def to_bytes(self) -> bytes:
        """Serialise, the version of this package with it."""
        rules = {field.name: getattr(self.rules, field.name) for field in _fields(self.rules)}
        privacy, own_steps = rules.pop("privacy"), self.own_steps
        written = {
            "version": __version__,
            "session": self.session.hex(),
            "roster": self.roster_digest.hex(),
            "rules": rules,
            "privacy": privacy and dataclasses.asdict(privacy),
            "own_steps": own_steps and dataclasses.asdict(own_steps),
        }
        return json.dumps(written, default=_plain).encode()

    @classmethod
    def from_bytes(cls, data: bytes, party: str) -> Terms:
        """Parse what an analyst proposes. Run by every party.

        Parameters
        ----------
        data : bytes
        party : str
            Who reads it, for errors.

        Raises
        ------
        RefusedMessageError
            If it is of another version, or nothing that an analyst of this version would
            write.
        """
        try:
            read = json.loads(data)
            version = read.pop("version")
        except (ValueError, AttributeError, KeyError, TypeError):
            version = None
        if version != __version__:
            raise RefusedMessageError(
                f"{party} runs version {__version__} of sklearn_fedphe and the fit comes from "
                f"version {version}; all parties must run the same."
            )
        try:
            return cls._parse(**read)
        except (TypeError, ValueError) as error:
            raise RefusedMessageError(f"{party} refuses terms of a fit: {error}") from None

    @classmethod
    def _parse(cls, session: Any, roster: Any, rules: Any, privacy: Any, own_steps: Any) -> Terms:
        digests = bytes.fromhex(session), bytes.fromhex(roster)
        if [len(digest) for digest in digests] != [SESSION_BYTES, 32]:
            raise ValueError("its session or roster has another length.")
        promised = None
        if privacy is not None:
            bounds = {name: tuple(privacy[name]) for name in ("bounds_X", "bounds_y")}
            promised = GaussianPrivacy(**(privacy | bounds))
        agreed = DisclosureRules(privacy=promised, **_checked(rules, _RULES))
        steps = None if own_steps is None else OwnSteps(**_checked(own_steps, _OWN_STEPS))
        return cls(*digests, agreed, steps)

    def roster_of(self, pinned: PinnedRoster) -> Roster:
        """Return who takes part, by the roster that a party has pinned.

        Parameters
        ----------
        pinned : PinnedRoster
            The party's own.

        Returns
        -------
        Roster
            The same for all parties that pinned the same.
        """
        identities: dict[Hashable, bytes] = {
            name: card.identity for name, card in pinned.hospitals.items()
        }
        fingerprint = pinned.public_key().fingerprint
        return Roster(self.session, fingerprint, len(pinned.features), identities, self.rules)


_RULES: Mapping[str, tuple[type, ...]] = {
    "n_parameters": (int,),
    "min_rows": (int,),
    "min_rows_per_parameter": (float, int),
    "fit_intercept": (bool,),
}
_OWN_STEPS: Mapping[str, tuple[type, ...]] = {
    "learning_rate": (float, int, str),
    "max_iter": (int,),
    "fit_intercept": (bool,),
    "precondition": (bool,),
}


def _fields(rules: DisclosureRules) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(rules)


def _plain(number: Any) -> Any:
    """Return one of NumPy's numbers as one of Python's."""
    return number.item()


def _checked(given: Any, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) != set(kinds):
        raise ValueError(f"{given!r}, where {', '.join(kinds)} are to be agreed on.")
    checked = {}
    for name, value in given.items():
        if type(value) not in kinds[name] or (isinstance(value, str) and value != "auto"):
            raise ValueError(f"{name}={value!r} is of the wrong kind.")
        if not isinstance(value, str) and not (value >= 0 and math.isfinite(value)):
            raise ValueError(f"{name}={value!r} is not finite, or negative.")
        checked[name] = float(value) if float in kinds[name] and value != "auto" else value
    return checked
