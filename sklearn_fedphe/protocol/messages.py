"""What travels between parties, and its bytes.

A *query* (`queries`) goes from the key holder to every client and a *total* comes from
it: both are public. Between clients, and from the last one to the key holder, only
*running sums* travel, and they are encrypted. The length of every message follows from
its kind, the number of features and the key length alone. `envelope` says how strictly
they are read.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import gmpy2
import numpy as np
from gmpy2 import mpz

from ..crypto.encrypted_vector import EncryptedVector
from ..crypto.fixed_point import FixedPoint
from ..crypto.paillier import PublicKey, ciphertext_bytes
from ..typing import FloatArray, IntegerArray
from .envelope import RUNNING_SUM, TOTAL, RefusedMessageError, Round


class _Role(Enum):
    KEY_HOLDER = "key holder"

    def __str__(self) -> str:
        return str(self.value)


KEY_HOLDER = _Role.KEY_HOLDER
"""Stands for the key holder as sender or receiver; no label of a client equals it."""


@dataclass(frozen=True)
class Message:
    """One message, as an observer of the ring is shown it.

    Parameters
    ----------
    round : int
        Number of the secure sum, from 1.
    sender, receiver : label of a client or KEY_HOLDER
    kind : {"query", "running sum", "total"}
    payload : bytes
        What crosses between the two.
    """

    round: int
    sender: Hashable
    receiver: Hashable
    kind: Literal["query", "running sum", "total"]
    payload: bytes


def running_sum_to_bytes(vector: EncryptedVector, of_round: Round) -> bytes:
    """Serialise an encrypted vector: a header, then ciphertexts of one length."""
    width = vector.public_key.ciphertext_bytes
    body = b"".join(int(c).to_bytes(width, "big") for c in vector.ciphertexts)
    return RUNNING_SUM.seal(body, of_round.number, of_round.digest, vector.size, vector.n_terms)


def running_sum_from_bytes(
    data: bytes, public_key: PublicKey, layout: FixedPoint, size: int, of_round: Round
) -> EncryptedVector:
    """Parse an encrypted vector.

    Parameters
    ----------
    data : bytes
    public_key : PublicKey
        The one that all parties agreed on.
    layout : FixedPoint
    size : int
        What the query asked for.
    of_round : Round
        The one that is open.

    Raises
    ------
    RefusedMessageError
        If `data` is not exactly an encrypted vector of this round, key, layout and size.
    """
    (number, digest, n_values, n_terms), body = RUNNING_SUM.open(data)
    RUNNING_SUM.check_round(number, digest, of_round)
    width = public_key.ciphertext_bytes
    RUNNING_SUM.check_length(body, width * layout.n_plaintexts(size))
    if n_values != size or not 1 <= n_terms <= layout.max_terms:
        raise RefusedMessageError(
            f"A running sum of {n_values} values and {n_terms} clients, where {size} values and "
            f"1 to {layout.max_terms} clients can be; it was altered."
        )
    ciphertexts = tuple(
        mpz(int.from_bytes(body[i : i + width], "big")) for i in range(0, len(body), width)
    )
    n, n_squared = public_key.n, public_key.n_squared
    if not all(0 < c < n_squared and gmpy2.gcd(c, n) == 1 for c in ciphertexts):
        raise RefusedMessageError(
            "A running sum holds a number that is no ciphertext; it was altered."
        )
    return EncryptedVector(public_key, layout, size, ciphertexts, n_terms)


def n_ciphertexts(running_sum: bytes, key_length: int) -> int:
    """Return the number of ciphertexts in a running sum under a key of so many bits."""
    return (len(running_sum) - RUNNING_SUM.size) // ciphertext_bytes(key_length)


def total_to_bytes(total: FloatArray, of_round: Round) -> bytes:
    """Serialise a decrypted total."""
    return TOTAL.seal(total.astype("<f8").tobytes(), of_round.number, of_round.digest)


def total_from_bytes(data: bytes, size: int, of_round: Round) -> FloatArray:
    """Parse a decrypted total of `size` floats.

    Raises
    ------
    RefusedMessageError
        If `data` is not exactly that, of this round.
    """
    total = np.frombuffer(_total_body(data, 8 * size, of_round), "<f8").astype(np.float64)
    if not np.isfinite(total).all():
        raise RefusedMessageError("A total holds a number that is not finite; it was altered.")
    return total


def exact_total_to_bytes(total: IntegerArray, slot_bits: int, of_round: Round) -> bytes:
    """Serialise a decrypted total of integers, all of one length."""
    length = -(-slot_bits // 8)
    body = b"".join(integer.to_bytes(length, "little", signed=True) for integer in total)
    return TOTAL.seal(body, of_round.number, of_round.digest)


def exact_total_from_bytes(
    data: bytes, slot_bits: int, size: int, of_round: Round
) -> IntegerArray:
    """Parse a decrypted total of `size` integers.

    Raises
    ------
    RefusedMessageError
        If `data` is not exactly that, of this round.
    """
    length = -(-slot_bits // 8)
    body = _total_body(data, length * size, of_round)
    parts = (body[i : i + length] for i in range(0, len(body), length))
    integers = [int.from_bytes(part, "little", signed=True) for part in parts]
    if any(abs(integer) >> (slot_bits - 1) for integer in integers):
        raise RefusedMessageError(
            f"A total holds a number that no slot of {slot_bits} bits does; it was altered."
        )
    return np.array(integers, dtype=object)


def _total_body(data: bytes, length: int, of_round: Round) -> bytes:
    (number, digest), body = TOTAL.open(data)
    TOTAL.check_round(number, digest, of_round)
    TOTAL.check_length(body, length)
    return body
