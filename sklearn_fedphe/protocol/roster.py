"""Who takes part in a fit: agreed by all before it begins, and frozen until it ends.

Frozen, because two totals over different clients can be subtracted: the difference is
what those alone sent who are in one and not in the other.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from ..crypto.masking import IDENTITY_BYTES
from ..crypto.paillier import FINGERPRINT_BYTES
from .disclosure import ANY_ROWS, DisclosureRules

MIN_CLIENTS = 3
"""Of 2, each would subtract its own part from the total and read the other's."""

SESSION_BYTES = 16

_DOMAIN = b"sklearn_fedphe/v1/roster"


@dataclass(frozen=True)
class Roster:
    """The parties of one fit, and what they agree on. Public.

    Parameters
    ----------
    session : bytes of length 16
        Random, of this fit alone.
    key_fingerprint : bytes of length 32
        Of the key holder's public key.
    n_features : int
        Number of columns, the same for all clients.
    identities : mapping from label to bytes of length 32
        Each client's X25519 public key, in the order of the ring.
    rules : DisclosureRules, default=ANY_ROWS
        What clients and key holder refuse, and the privacy that is promised.

    Raises
    ------
    ValueError
        If there are fewer than `MIN_CLIENTS` clients, two have one identity, or a part has
        another length.
    """

    session: bytes
    key_fingerprint: bytes
    n_features: int
    identities: Mapping[Hashable, bytes]
    rules: DisclosureRules = ANY_ROWS

    def __post_init__(self) -> None:
        # Nothing that the digest is of may change under it.
        object.__setattr__(self, "identities", MappingProxyType(dict(self.identities)))
        lengths = [len(self.session), *map(len, (self.key_fingerprint, *self.identities.values()))]
        if lengths != [SESSION_BYTES, FINGERPRINT_BYTES] + self.n_clients * [IDENTITY_BYTES]:
            raise ValueError(
                f"A roster whose session, fingerprint and identities have {lengths} bytes, where "
                f"they have {SESSION_BYTES}, {FINGERPRINT_BYTES} and {IDENTITY_BYTES} each."
            )
        if self.n_clients < MIN_CLIENTS:
            raise ValueError(
                f"A ring of {self.n_clients} clients, where at least {MIN_CLIENTS} are needed: "
                "of 2, each would subtract its own part from the total and read the other's."
            )
        owners: dict[bytes, Hashable] = {}
        for label, identity in self.identities.items():
            if owners.setdefault(identity, label) != label:
                raise ValueError(
                    f"clients {owners[identity]!r} and {label!r} have the same identity; each "
                    "must make its own, or there are fewer clients than it seems."
                )

    @property
    def n_clients(self) -> int:
        """How many clients take part."""
        return len(self.identities)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of all of the above, each part with its length: 32 bytes."""
        parts = [
            self.session,
            self.key_fingerprint,
            struct.pack(">I", self.n_features),
            repr(self.rules).encode(),
        ]
        for label, identity in self.identities.items():
            parts += [f"{type(label).__name__}:{label!r}".encode(), identity]
        framed = b"".join(struct.pack(">I", len(part)) + part for part in parts)
        return hashlib.sha256(_DOMAIN + framed).digest()

    def check_key(self, fingerprint: bytes) -> None:
        """Refuse another public key than was agreed on.

        Parameters
        ----------
        fingerprint : bytes
            Of the key that came.

        Raises
        ------
        ValueError
        """
        if fingerprint != self.key_fingerprint:
            raise ValueError(
                f"The public key {fingerprint.hex()} is not the one on the roster, "
                f"{self.key_fingerprint.hex()}; agree on one key before a fit."
            )

    def check_features(self, label: Hashable, n_features: int) -> None:
        """Refuse rows of other columns than were agreed on.

        Parameters
        ----------
        label : hashable
            The client's.
        n_features : int
            Number of its columns.

        Raises
        ------
        ValueError
        """
        if n_features != self.n_features:
            raise ValueError(
                f"client {label!r} has {n_features} features, where the roster says "
                f"{self.n_features}; all clients need the same columns."
            )

    def check_present(self, labels: Iterable[Hashable]) -> None:
        """Refuse to go on where somebody left, joined or changed places.

        Parameters
        ----------
        labels : iterable of hashable
            Of the clients that are in the ring now, in its order.

        Raises
        ------
        ValueError
            With who left or joined.
        """
        present, agreed = list(labels), list(self.identities)
        if present == agreed:
            return
        left = [label for label in agreed if label not in present]
        joined = [label for label in present if label not in agreed]
        changes = [f"{label!r} left" for label in left] + [f"{label!r} joined" for label in joined]
        raise ValueError(
            f"The clients of this fit are {agreed} and the ring is {present} "
            f"({', '.join(changes) or 'in another order'}): the fit ends here, since the "
            "difference of totals over other clients would tell what single ones sent. Fit anew "
            "with those who are there."
        )
