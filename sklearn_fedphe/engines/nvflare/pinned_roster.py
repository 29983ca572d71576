"""Who takes part, with which keys, in which columns: one public file that all parties pin."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...crypto.key_checks import received_public_key
from ...crypto.key_generation import MIN_KEY_LENGTH
from ...crypto.paillier import PublicKey
from ...protocol import MIN_CLIENTS
from .cards import Card
from .reading import RosterError, as_names, as_object, read_json

_VERSION = 1


@dataclass(frozen=True)
class PinnedRoster:
    """What all parties of a federation agreed on, for many fits. Public.

    Parameters
    ----------
    features : tuple of str
        Names of the columns, in order. Which name the target has is each hospital's affair.
    hospitals : mapping from str to Card
        By name, in the order of the ring.
    key_holder : Card
    analysts : mapping from str to Card
        By name: who may call `fit`.

    Raises
    ------
    RosterError
        If it cannot be one: two parties with a name, certificate or identity in common, fewer
        than three hospitals, a short or broken key, no features.
    """

    features: tuple[str, ...]
    hospitals: Mapping[str, Card]
    key_holder: Card
    analysts: Mapping[str, Card]

    def __post_init__(self) -> None:
        as_names("features", list(self.features))
        if len(self.hospitals) < MIN_CLIENTS:
            raise RosterError(
                f"A roster of {len(self.hospitals)} hospitals, where at least {MIN_CLIENTS} are "
                "needed: of 2, each would subtract its own part from the total and read the "
                "other's."
            )
        if not self.analysts:
            raise RosterError("A roster without an analyst; add the card of who calls fit.")
        _check_apart("name", [card.name for card in self._cards])
        _check_apart("certificate's key", [card.certificate_key for card in self._cards])
        _check_apart("identity", [card.identity for card in self.hospitals.values()])
        wanted = {"hospital": self.hospitals.values(), "analyst": self.analysts.values()}
        for role, cards in (wanted | {"key holder": [self.key_holder]}).items():
            for card in cards:
                card.check_role(role)
        self.public_key()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all parties: hospitals, key holder, analysts."""
        return tuple(card.name for card in self._cards)

    @property
    def _cards(self) -> tuple[Card, ...]:
        return (*self.hospitals.values(), self.key_holder, *self.analysts.values())

    @property
    def key_length(self) -> int:
        """Bits of the key holder's key."""
        return self.key_holder.modulus.bit_length()

    def certificate(self, name: str) -> bytes:
        """Return a party's certificate, as PEM.

        Raises
        ------
        KeyError
            If nobody of that name is on the roster.
        """
        return {card.name: card.certificate for card in self._cards}[name].encode()

    def public_key(self) -> PublicKey:
        """Return the key holder's public key, checked.

        Raises
        ------
        RosterError
            If it is short, or fails the checks of `crypto.key_checks`.
        """
        modulus, bits = self.key_holder.modulus, self.key_length
        if bits < MIN_KEY_LENGTH:
            raise RosterError(
                f"The key holder's key has {bits} bits, where at least {MIN_KEY_LENGTH} are "
                "needed; make a longer one."
            )
        data = modulus.to_bytes((bits + 7) // 8, "big")
        try:
            return received_public_key(data, bits, hashlib.sha256(data).digest())
        except ValueError as error:
            raise RosterError(str(error)) from None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the file's content, in one way of writing it: 32 bytes."""
        return hashlib.sha256(b"sklearn_fedphe/v1/pinned-roster" + self._written()).digest()

    def _written(self) -> bytes:
        content = {
            "version": _VERSION,
            "features": list(self.features),
            "hospitals": [card.to_dict() for card in self.hospitals.values()],
            "key_holder": self.key_holder.to_dict(),
            "analysts": [card.to_dict() for card in self.analysts.values()],
        }
        return json.dumps(content, indent=1, sort_keys=True).encode()

    def save(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(self._written())

    @classmethod
    def of_cards(
        cls,
        features: Iterable[str],
        hospitals: Iterable[Card],
        key_holder: Card,
        analysts: Iterable[Card],
    ) -> PinnedRoster:
        """Make a roster of cards; hospitals in the order of the ring."""
        return cls(tuple(features), _by_name(hospitals), key_holder, _by_name(analysts))

    @classmethod
    def load(cls, path: Path) -> PinnedRoster:
        """Read it from a file.

        Raises
        ------
        RosterError
            If the file is nothing that `save` would write.
        """
        content = as_object(
            f"The roster {path}",
            read_json(path),
            ("version", "features", "hospitals", "key_holder", "analysts"),
        )
        if type(content["version"]) is not int or content["version"] != _VERSION:
            raise RosterError(
                f"The roster {path} is of version {content['version']!r}, and this reads version "
                f"{_VERSION}; all parties must run the same version."
            )
        return cls.of_cards(
            as_names("features", content["features"]),
            _cards_from("hospitals", content["hospitals"]),
            Card.from_dict(content["key_holder"]),
            _cards_from("analysts", content["analysts"]),
        )


def _cards_from(name: str, given: Any) -> list[Card]:
    if not isinstance(given, list):
        raise RosterError(f"The roster's {name} are {type(given).__name__}, not a list of cards.")
    return [Card.from_dict(card) for card in given]


def _by_name(cards: Iterable[Card]) -> dict[str, Card]:
    by_name: dict[str, Card] = {}
    for card in cards:
        if card.name in by_name:
            raise RosterError(f"Two parties of the roster have one name, {card.name!r}.")
        by_name[card.name] = card
    return by_name


def _check_apart(what: str, values: list[Any]) -> None:
    for position, value in enumerate(values):
        if value in values[:position]:
            shown = f", {value!r}" if what == "name" else ""
            raise RosterError(
                f"Two parties of the roster have one {what}{shown}: there would be fewer than it "
                "seems. Each needs a kit and keys of its own."
            )
