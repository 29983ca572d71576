"""Where a message belongs: its kind, session and round, checked before the rest of it.

Whatever crosses a party's boundary is taken for hostile until it is parsed. There is one
way to write a message and no other is read: lengths are exact, kinds and versions known,
ciphertexts in range and prime to n, floats finite. What is amiss is a
`RefusedMessageError`, before anything is computed from it or memory is taken for it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, ClassVar

_VERSION = 1


class RefusedMessageError(ValueError):
    """A message is not what it should be, and a party does not go on."""


class Envelope:
    """The header of one kind of message: version, kind, then its own fields.

    Parameters
    ----------
    name : str
        Of the kind, for errors.
    kind : int
        In the second byte.
    fields : str
        As `struct` has them.
    """

    def __init__(self, name: str, kind: int, fields: str) -> None:
        self._name = name
        self._kind = kind
        self._header = struct.Struct(f">BB{fields}")

    @property
    def size(self) -> int:
        """Length of the header in bytes."""
        return self._header.size

    def seal(self, body: bytes, *fields: Any) -> bytes:
        """Put the header before a body."""
        return self._header.pack(_VERSION, self._kind, *fields) + body

    def open(self, data: bytes) -> tuple[list[Any], bytes]:
        """Return the header's own fields and the body.

        Raises
        ------
        RefusedMessageError
            If `data` is too short, or of another version or kind.
        """
        if len(data) < self.size:
            raise RefusedMessageError(
                f"A {self._name} of {len(data)} bytes, where its header alone takes {self.size}; "
                "it was cut off."
            )
        version, kind, *fields = self._header.unpack_from(data)
        if (version, kind) != (_VERSION, self._kind):
            raise RefusedMessageError(
                f"A message of version {version} and kind {kind}, where a {self._name} is of "
                f"version {_VERSION} and kind {self._kind}; all parties must run the same version."
            )
        return fields, data[self.size :]

    def check_length(self, body: bytes, length: int) -> None:
        """Refuse a body of another length.

        Raises
        ------
        RefusedMessageError
        """
        if len(body) != length:
            raise RefusedMessageError(
                f"A {self._name} of {self.size + len(body)} bytes, where this round's take "
                f"{self.size + length}; it was cut off, or something was added."
            )

    def check_round(self, number: int, digest: bytes, of_round: Round) -> None:
        """Refuse what is not of the open round.

        Raises
        ------
        RefusedMessageError
        """
        if (number, digest) != (of_round.number, of_round.digest):
            raise RefusedMessageError(
                f"A {self._name} of round {number} ({digest.hex()}), where round "
                f"{of_round.number} ({of_round.digest.hex()}) is open; it is of another round, "
                "query or fit."
            )


@dataclass(frozen=True)
class Round:
    """One secure sum, as all messages of it name it.

    Parameters
    ----------
    session : bytes of length 16
    number : int
        From 1.
    digest : bytes of length 32
        Of the query's message, all of which it binds.
    """

    session: bytes
    number: int
    digest: bytes

    @property
    def mask_id(self) -> bytes:
        """What masks of this round, and of no other, are drawn from; 52 bytes."""
        return self.session + self.number.to_bytes(4, "big") + self.digest


@dataclass(frozen=True)
class QueryHeader:
    """What every query says of where it belongs.

    Parameters
    ----------
    session : bytes of length 16
    roster : bytes of length 32
        Its digest.
    number : int
        Of the round.
    chain : bytes of length 32
        Hash over all queries and totals before.
    """

    session: bytes
    roster: bytes
    number: int
    chain: bytes

    _envelope: ClassVar = Envelope("query", 1, "16s32sI32s")

    def seal(self, body: bytes) -> bytes:
        """Return the message of a query that belongs there."""
        return self._envelope.seal(body, self.session, self.roster, self.number, self.chain)

    @classmethod
    def open(cls, data: bytes) -> tuple[QueryHeader, bytes]:
        """Parse a query as far as its header; the rest is `query_bytes.query_from_bytes`'s.

        Raises
        ------
        RefusedMessageError
            If it is no query of this version.
        """
        fields, body = cls._envelope.open(data)
        return cls(*fields), body


RUNNING_SUM = Envelope("running sum", 2, "I32sII")
"""Round, its digest, number of values, number of clients in it; then ciphertexts."""

TOTAL = Envelope("total", 3, "I32s")
"""Round, its digest; then values."""
