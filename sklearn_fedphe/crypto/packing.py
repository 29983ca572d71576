"""Many signed integers as the digits of a few big ones, and back.

A packed integer is ``sum(value[i] * 2**(slot_bits * i))``, negative where it comes out so:
slots add as the packed integers do.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from gmpy2 import mpz

from .limbs import LIMB_BITS, Limbs


def pack(limbs: Limbs, slot_bits: int, n_slots: int, n_integers: int) -> tuple[mpz, ...]:
    """Pack signed integers, `n_slots` to a big integer.

    Parameters
    ----------
    limbs : ndarray of uint64 of shape (size, n_limbs)
        Integers of at most `slot_bits` bits, sign included.
    slot_bits, n_slots : int
        Width of a slot, and slots to a big integer.
    n_integers : int
        How many big integers to make, of `size` slots or more together.

    Returns
    -------
    tuple of mpz
        Slots left over are zero.
    """
    slots = np.zeros((n_integers * n_slots, slot_bits), np.uint8)
    slots[: len(limbs)] = np.unpackbits(
        limbs.view(np.uint8), axis=1, count=slot_bits, bitorder="little"
    )
    # Shifted up by half its range, a slot is a digit: flip the sign bit, read the digits
    # as one integer, and shift the integer down again.
    slots[:, -1] ^= 1
    rows = np.packbits(slots.reshape(n_integers, n_slots * slot_bits), axis=1, bitorder="little")
    offset = _half_ranges(slot_bits, n_slots)
    return tuple(mpz(int.from_bytes(row.tobytes(), "little")) - offset for row in rows)


def unpack(integers: tuple[mpz, ...], slot_bits: int, n_slots: int) -> Limbs:
    """Undo `pack`, the slots left over included.

    Parameters
    ----------
    integers : tuple of mpz
        Signed.
    slot_bits, n_slots : int
        As they were packed.

    Returns
    -------
    ndarray of uint64 of shape (len(integers) * n_slots, n_limbs)
        One integer a slot.

    Raises
    ------
    OverflowError
        If an integer is none that so many slots can make.
    """
    n_bits = slot_bits * n_slots
    n_bytes = -(-n_bits // 8)
    offset = _half_ranges(slot_bits, n_slots)
    digits = [integer + offset for integer in integers]
    if any(number < 0 or number.bit_length() > n_bits for number in digits):
        raise OverflowError(f"An integer is more than {n_slots} slots of {slot_bits} bits hold.")
    data = b"".join(int(number).to_bytes(n_bytes, "little") for number in digits)
    rows = np.frombuffer(data, np.uint8).reshape(len(integers), n_bytes)
    slots = np.unpackbits(rows, axis=1, count=n_bits, bitorder="little").reshape(-1, slot_bits)
    slots[:, -1] ^= 1
    bits = np.empty((len(slots), -(-slot_bits // LIMB_BITS) * LIMB_BITS), np.uint8)
    bits[:, :slot_bits] = slots
    bits[:, slot_bits:] = slots[:, -1:]  # the sign, into the bits above
    return np.packbits(bits, axis=1, bitorder="little").view("<u8")


@lru_cache(maxsize=32)
def _half_ranges(slot_bits: int, n_slots: int) -> mpz:
    """Half a slot's range in each slot."""
    ones = ((mpz(1) << (slot_bits * n_slots)) - 1) // ((mpz(1) << slot_bits) - 1)
    return ones << (slot_bits - 1)
