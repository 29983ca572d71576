"""What the parties of one fit agree on before it begins, as the analyst proposes it."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
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
        rules = {
            field.name: getattr(self.rules, field.name) for field in dataclasses.fields(self.rules)
        }
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
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            version = None
        if version != __version__:
            raise RefusedMessageError(
                f"{party} runs version {__version__} of sklearn_fedphe and the fit comes from "
                f"version {version!r:.{_MOST_SHOWN}}; all parties must run the same."
            )
        try:
            if set(read) != _MEMBERS:
                raise ValueError(f"it is not of {', '.join(sorted(_MEMBERS))}.")
            return cls._parse(**read)
        except (TypeError, ValueError, OverflowError) as error:
            raise RefusedMessageError(f"{party} refuses terms of a fit: {error}") from None

    @classmethod
    def _parse(cls, session: Any, roster: Any, rules: Any, privacy: Any, own_steps: Any) -> Terms:
        digests = bytes.fromhex(session), bytes.fromhex(roster)
        if [len(digest) for digest in digests] != [SESSION_BYTES, 32]:
            raise ValueError("its session or roster has another length.")
        promised = None
        if privacy is not None:
            promised = GaussianPrivacy(**_checked(privacy, _PRIVACY))
        agreed = DisclosureRules(privacy=promised, **_checked(rules, _RULES))
        steps = None if own_steps is None else OwnSteps(**_checked(own_steps, _OWN_STEPS))
        if promised is not None and steps is not None:
            raise ValueError("steps alone come before the noise, and would void its promise.")
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

        Raises
        ------
        RefusedMessageError
            If they are not terms of a fit over this roster: limits on rows that count fewer
            parameters than the model has, or noise that relies on clients that are not there.
        """
        privacy, n_features = self.rules.privacy, len(pinned.features)
        if privacy is None and self.rules.n_parameters < n_features:
            raise RefusedMessageError(
                f"The terms of a fit count {self.rules.n_parameters} parameters where the roster "
                f"has {n_features} features, so that fewer rows would do; propose them anew."
            )
        if privacy is not None and privacy.honest_clients > len(pinned.hospitals):
            raise RefusedMessageError(
                f"The terms of a fit rely on the noise of {privacy.honest_clients} honest clients "
                f"where the roster has {len(pinned.hospitals)}, so that there would be too "
                "little; rely on no more than there are."
            )
        identities: dict[Hashable, bytes] = {
            name: card.identity for name, card in pinned.hospitals.items()
        }
        fingerprint = pinned.public_key().fingerprint
        return Roster(self.session, fingerprint, len(pinned.features), identities, self.rules)


_MOST_SHOWN = 60
"""Characters of what came, in errors."""

_MEMBERS = {"session", "roster", "rules", "privacy", "own_steps"}
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
_PRIVACY: Mapping[str, tuple[type, ...]] = {
    "epsilon": (float, int),
    "delta": (float, int),
    "bounds_X": (list,),
    "bounds_y": (list,),
    "honest_clients": (int,),
}


def _plain(number: Any) -> Any:
    """Return one of NumPy's numbers as one of Python's."""
    return number.item()


def _checked(given: Any, kinds: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(given, dict) or set(given) != set(kinds):
        raise ValueError(
            f"{given!r:.{_MOST_SHOWN}}, where {', '.join(kinds)} are to be agreed on."
        )
    checked = {}
    for name, value in given.items():
        if type(value) not in kinds[name] or (isinstance(value, str) and value != "auto"):
            raise ValueError(f"{name}={value!r:.{_MOST_SHOWN}} is of the wrong kind.")
        if list in kinds[name]:
            checked[name] = _bounds(name, value)
            continue
        most = sys.float_info.max if float in kinds[name] else sys.maxsize
        if not isinstance(value, str) and not 0 <= value <= most:
            raise ValueError(f"{name}={value!r:.{_MOST_SHOWN}} is negative, or not finite.")
        checked[name] = float(value) if float in kinds[name] and value != "auto" else value
    return checked


def _bounds(name: str, value: list[Any]) -> Any:
    for bound in value:
        numbers = bound if isinstance(bound, list) else [bound]
        if not numbers or not all(type(number) in (float, int) for number in numbers):
            raise ValueError(f"{name}={value!r:.{_MOST_SHOWN}} has what is no number.")
    return tuple(value)
