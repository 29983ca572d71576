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

    Raises
    ------
    ValueError
        If there are fewer than `MIN_CLIENTS` clients, or two have one identity.
    """

    session: bytes
    key_fingerprint: bytes
    n_features: int
    identities: Mapping[Hashable, bytes]

    def __post_init__(self) -> None:
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
        parts = [self.session, self.key_fingerprint, struct.pack(">I", self.n_features)]
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
