"""What travels between parties, and its bytes.

A *query* (`queries`) goes from the key holder to every client and a *total* comes from
it: both are public. Between clients, and from the last one to the key holder, only
*running sums* travel, and they are encrypted. The length of every message follows from
its kind, the number of features and the key length alone.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np
from gmpy2 import mpz

from ..crypto.encrypted_vector import EncryptedVector
from ..crypto.fixed_point import FixedPoint
from ..crypto.paillier import PublicKey, ciphertext_bytes
from ..typing import FloatArray, IntegerArray

_VERSION = 1
_HEADER = struct.Struct("<B16sII")  # version, fingerprint of the key, values, terms


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


def running_sum_to_bytes(vector: EncryptedVector) -> bytes:
    """Serialise an encrypted vector: a header, then ciphertexts of one length."""
    key = vector.public_key
    header = _HEADER.pack(_VERSION, key.fingerprint, vector.size, vector.n_terms)
    return header + b"".join(
        int(ciphertext).to_bytes(key.ciphertext_bytes, "big") for ciphertext in vector.ciphertexts
    )


def running_sum_from_bytes(
    data: bytes, public_key: PublicKey, layout: FixedPoint, size: int
) -> EncryptedVector:
    """Parse an encrypted vector.

    Parameters
    ----------
    data : bytes
    public_key : PublicKey
        The one that the receiver knows; a vector under another is refused.
    layout : FixedPoint
    size : int
        What the query asked for.

    Raises
    ------
    ValueError
        If `data` is not exactly an encrypted vector of this key, layout and size.
    """
    width = public_key.ciphertext_bytes
    if len(data) != _HEADER.size + width * layout.n_plaintexts(size):
        raise ValueError(
            f"A running sum of {len(data)} bytes, where {size} values under a key of "
            f"{public_key.key_length} bits take "
            f"{_HEADER.size + width * layout.n_plaintexts(size)}; it is not of this round."
        )
    version, fingerprint, n_values, n_terms = _HEADER.unpack_from(data)
    if (version, fingerprint, n_values) != (_VERSION, public_key.fingerprint, size):
        raise ValueError(
            f"A running sum of version {version} with {n_values} values under the key "
            f"{fingerprint.hex()}, where version {_VERSION}, {size} values and the key "
            f"{public_key.fingerprint.hex()} were expected; it is not of this round."
        )
    ciphertexts = tuple(
        mpz(int.from_bytes(data[i : i + width], "big"))
        for i in range(_HEADER.size, len(data), width)
    )
    if not all(0 < ciphertext < public_key.n_squared for ciphertext in ciphertexts):
        raise ValueError("A running sum holds a number that is no ciphertext; it was altered.")
    return EncryptedVector(public_key, layout, size, ciphertexts, n_terms)


def n_ciphertexts(running_sum: bytes, key_length: int) -> int:
    """Return the number of ciphertexts in a running sum under a key of so many bits."""
    return (len(running_sum) - _HEADER.size) // ciphertext_bytes(key_length)


def total_to_bytes(total: FloatArray) -> bytes:
    """Serialise a decrypted total."""
    return total.astype("<f8").tobytes()


def total_from_bytes(data: bytes) -> FloatArray:
    """Parse a decrypted total."""
    return np.frombuffer(data, "<f8").astype(np.float64)


def exact_total_to_bytes(total: IntegerArray, slot_bits: int) -> bytes:
    """Serialise a decrypted total of integers, all of one length."""
    length = -(-slot_bits // 8)
    return b"".join(integer.to_bytes(length, "little", signed=True) for integer in total)


def exact_total_from_bytes(data: bytes, slot_bits: int) -> IntegerArray:
    """Parse a decrypted total of integers."""
    length = -(-slot_bits // 8)
    parts = (data[i : i + length] for i in range(0, len(data), length))
    integers = [int.from_bytes(part, "little", signed=True) for part in parts]
    return np.array(integers, dtype=object)
