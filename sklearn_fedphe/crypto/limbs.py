"""Floats to wide two's-complement integers and back, exactly, all of an array at once.

An integer of any width is a row of 64-bit *limbs*, the lowest first, in two's
complement: Knuth, "The Art of Computer Programming", volume 2, section 4.3.1.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..typing import FloatArray, IntegerArray

Limbs: TypeAlias = NDArray[np.uint64]
"""IntegerArray of shape (size, n_limbs), little-endian in every sense."""

LIMB_BITS = 64
_MANTISSA_BITS = 53


def limbs_from_integers(integers: IntegerArray, n_limbs: int) -> Limbs:
    """Return Python's integers as limbs.

    Parameters
    ----------
    integers : ndarray of int of shape (size,)
        IntegerArray below ``2**(64 * n_limbs - 1)`` in magnitude.
    n_limbs : int
        Limbs to an integer.

    Returns
    -------
    ndarray of uint64 of shape (size, n_limbs)
        The same numbers.
    """
    length = n_limbs * LIMB_BITS // 8
    data = b"".join(integer.to_bytes(length, "little", signed=True) for integer in integers)
    return np.frombuffer(data, "<u8").reshape(len(integers), n_limbs)


def integers_from_limbs(limbs: Limbs) -> IntegerArray:
    """Undo `limbs_from_integers`.

    Parameters
    ----------
    limbs : ndarray of uint64 of shape (size, n_limbs)
        IntegerArray.

    Returns
    -------
    ndarray of int of shape (size,)
        The same numbers.
    """
    integers = [int.from_bytes(row.tobytes(), "little", signed=True) for row in limbs]
    return np.array(integers, dtype=object)


def limbs_from_floats(whole: FloatArray, n_limbs: int) -> Limbs:
    """Return whole floats as integers.

    Parameters
    ----------
    whole : ndarray of shape (size,)
        Whole numbers below ``2**(64 * n_limbs - 1)`` in magnitude.
    n_limbs : int
        Limbs to an integer.

    Returns
    -------
    ndarray of uint64 of shape (size, n_limbs)
        The same numbers, exactly.
    """
    if n_limbs == 1:
        return whole.astype("<i8")[:, np.newaxis].view("<u8")
    fraction, exponent = np.frexp(whole)
    mantissa = np.ldexp(fraction, _MANTISSA_BITS).astype(np.int64)[:, np.newaxis]
    lowest_bits = LIMB_BITS * np.arange(n_limbs)
    up = exponent[:, np.newaxis] - _MANTISSA_BITS - lowest_bits
    # A limb holds what of the mantissa is shifted into it, from below or from above; an
    # arithmetic shift by 63 or more leaves the sign alone.
    raised = np.where(up < LIMB_BITS, mantissa << np.clip(up, 0, LIMB_BITS - 1), 0)
    lowered = mantissa >> np.clip(-up, 0, LIMB_BITS - 1)
    return np.where(up < 0, lowered, raised).astype("<i8", copy=False).view("<u8")


def floats_from_limbs(limbs: Limbs) -> FloatArray:
    """Return integers as the nearest floats, ties to even.

    Parameters
    ----------
    limbs : ndarray of uint64 of shape (size, n_limbs)
        IntegerArray below ``2**1023`` in magnitude.

    Returns
    -------
    ndarray of shape (size,)
        Each rounded once.
    """
    if limbs.shape[1] == 1:
        return limbs[:, 0].view("<i8").astype(np.float64)
    negative = limbs[:, -1] >> np.uint64(LIMB_BITS - 1)
    magnitude = _negated_where(limbs, negative)
    rows, n_limbs = np.arange(len(limbs)), limbs.shape[1]
    top = np.maximum(n_limbs - 1 - np.argmax(magnitude[:, ::-1] != 0, axis=1), 1)
    high, low = magnitude[rows, top], magnitude[rows, top - 1]
    # A window of the 64 leading bits; what lies below it is or-ed into its last bit, so
    # that the window rounds as the whole does ("rounding to odd": Boldo and Melquiond 2008).
    length = _bit_length(high)
    shift = (LIMB_BITS - length).astype(np.uint64)
    window = (high << shift) | (low >> length.astype(np.uint64))
    below = (magnitude != 0) & (np.arange(n_limbs) < (top - 1)[:, np.newaxis])
    window |= (low << shift != 0) | below.any(axis=1)
    rounded: FloatArray = np.ldexp(window.astype(np.float64), LIMB_BITS * (top - 1) + length)
    rounded[negative != 0] *= -1.0
    return rounded


def _negated_where(limbs: Limbs, negative: NDArray[np.uint64]) -> Limbs:
    """Two's complement: invert all bits and add one, with its carry, where told to."""
    result: Limbs = limbs ^ (np.uint64(0) - negative)[:, np.newaxis]
    carry = negative
    for i in range(result.shape[1]):
        result[:, i] += carry
        carry = carry & (result[:, i] == 0)
    return result


def _bit_length(limb: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Length of each limb in bits, 0 for 0."""
    # Without its second leading bit, a limb is not rounded up to the next power of two.
    exponent: NDArray[np.int32] = np.frexp((limb & ~(limb >> np.uint64(1))).astype(np.float64))[1]
    return exponent
