"""Fixed point, packed: float vectors as a few big integers that add slot by slot.

A Paillier plaintext has thousands of bits and a number needs sixty-four. Each value is
scaled by a public power of two, rounded to an integer, and put in a *slot* of its own;
the slots of one plaintext are the digits of one big integer. Adding two such integers
adds every slot, as long as no slot overflows: guard bits leave room for as many terms
as there are clients. Slots are signed, and the packed integer simply is
``sum(value[i] * 2**(slot_bits * i))``, negative where it comes out so.

One scale serves a whole vector and is public, so an encoded vector tells nothing about
the size of its values (a float's own exponent, sent in the clear, would).

At least one slot of a vector is left empty. What is no sum of encodings - a sum in which
masks did not cancel is uniform modulo n - has something else than zero there, but for a
chance of one in ``2**slot_bits``, and is refused rather than decoded.

Packing of additively homomorphic plaintexts: Ge and Zdonik, "Answering aggregation
queries in a secure system model", VLDB 2007, section 4; guard bits as in Zhang et al.,
"BatchCrypt", USENIX ATC 2020, section 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..typing import IntegerArray
from .encoded_vector import EncodedVector
from .limbs import (
    LIMB_BITS,
    Limbs,
    floats_from_limbs,
    integers_from_limbs,
    limbs_from_floats,
    limbs_from_integers,
)
from .packing import pack, unpack


@dataclass(frozen=True)
class FixedPoint:
    """How floats are laid out in big integers: public, and the same for every client.

    Parameters
    ----------
    slot_bits : int
        Width of a slot in bits, its sign included.
    fraction_bits : int
        A value is carried as the nearest multiple of ``2**-fraction_bits``.
    plaintext_bits : int
        Bits that one big integer may take, its sign not included.
    max_terms : int
        How many encodings may be added together: the number of clients.

    Raises
    ------
    ValueError
        If the guard bits for `max_terms` leave a slot no bit before the point, or if
        not even one slot fits a plaintext.
    """

    slot_bits: int
    fraction_bits: int
    plaintext_bits: int
    max_terms: int

    def __post_init__(self) -> None:
        if self.value_bits <= self.fraction_bits:
            raise ValueError(
                f"{self.max_terms} terms need {self.guard_bits} guard bits, and slots of "
                f"{self.slot_bits} bits with {self.fraction_bits} after the point have "
                f"{self.slot_bits - self.fraction_bits - 2} to give; use wider slots or "
                "fewer clients."
            )
        if self.n_slots < 1:
            raise ValueError(
                f"A slot of {self.slot_bits} bits does not fit a plaintext of "
                f"{self.plaintext_bits} bits; use a longer key."
            )

    @property
    def guard_bits(self) -> int:
        """Bits that the sum of `max_terms` values may grow by."""
        return (self.max_terms - 1).bit_length()

    @property
    def value_bits(self) -> int:
        """Bits that one client's scaled value may take, its sign not included."""
        return self.slot_bits - 1 - self.guard_bits

    @property
    def limit_exponent(self) -> int:
        """A value must stay below two to this power in magnitude."""
        return self.value_bits - self.fraction_bits

    @property
    def resolution(self) -> float:
        """The largest rounding error of one encoded value."""
        return math.ldexp(0.5, -self.fraction_bits)

    @property
    def n_slots(self) -> int:
        """Slots to a plaintext."""
        return self.plaintext_bits // self.slot_bits

    def n_plaintexts(self, size: int) -> int:
        """Return how many big integers a vector takes, one slot at least left empty.

        Parameters
        ----------
        size : int
            Number of values.

        Returns
        -------
        int
            ``ceil((size + 1) / n_slots)``.
        """
        return size // self.n_slots + 1

    def encode(self, values: ArrayLike) -> EncodedVector:
        """Round `values` to fixed point and pack them.

        Parameters
        ----------
        values : array-like of shape (size,)
            Finite floats.

        Returns
        -------
        EncodedVector
            Of one term. Each value is off by at most `resolution`.

        Raises
        ------
        OverflowError
            If a value is not finite or reaches ``2**limit_exponent`` in magnitude. The
            text gives a power of two that bounds the value, not the value.
        """
        vector = np.asarray(values, dtype=np.float64)
        largest = float(np.abs(vector).max(initial=0.0))
        if not largest < math.ldexp(1.0, self.limit_exponent):
            raise self._overflow(_exponent(largest))
        scaled = np.rint(np.ldexp(vector, self.fraction_bits))
        if np.abs(scaled).max(initial=0.0) >= math.ldexp(1.0, self.value_bits):
            raise self._overflow(_exponent(largest))
        return self._packed(limbs_from_floats(scaled, self._n_limbs))

    def encode_integers(self, integers: IntegerArray) -> EncodedVector:
        """Pack what is in fixed point already, without rounding.

        Parameters
        ----------
        integers : ndarray of int of shape (size,)
            Values in units of ``2**-fraction_bits``.

        Returns
        -------
        EncodedVector
            Of one term.

        Raises
        ------
        OverflowError
            If an integer reaches ``2**value_bits`` in magnitude. The text gives a power of
            two that bounds the value, not the value.
        """
        n_bits = max((integer.bit_length() for integer in integers), default=0)
        if n_bits > self.value_bits:
            raise self._overflow(n_bits - self.fraction_bits)
        return self._packed(limbs_from_integers(integers, self._n_limbs))

    def decode(self, encoded: EncodedVector) -> NDArray[np.float64]:
        """Unpack a sum of encodings.

        Parameters
        ----------
        encoded : EncodedVector
            Of this layout and at most `max_terms` terms.

        Returns
        -------
        ndarray of shape (size,)
            The exact sum of the rounded values, each rounded once more to float64.

        Raises
        ------
        ValueError
            If a slot holds more than its terms can have put there: the integers are not
            a sum of encodings.
        """
        scaled = floats_from_limbs(self._unpacked(encoded))
        # No sum of terms comes so close to the bound as to be rounded up to it.
        if np.abs(scaled).max(initial=0.0) >= encoded.n_terms * math.ldexp(1.0, self.value_bits):
            raise self._undecodable()
        return np.ldexp(scaled, -self.fraction_bits)

    def decode_integers(self, encoded: EncodedVector) -> IntegerArray:
        """Unpack a sum of encodings as it is, in units of ``2**-fraction_bits``.

        Parameters
        ----------
        encoded : EncodedVector
            Of this layout and at most `max_terms` terms.

        Returns
        -------
        ndarray of int of shape (size,)
            The exact sum.

        Raises
        ------
        ValueError
            As `decode` does.
        """
        integers = integers_from_limbs(self._unpacked(encoded))
        if any(abs(integer) >= encoded.n_terms << self.value_bits for integer in integers):
            raise self._undecodable()
        return integers

    @property
    def _n_limbs(self) -> int:
        return -(-self.slot_bits // LIMB_BITS)

    def _packed(self, limbs: Limbs) -> EncodedVector:
        size = len(limbs)
        integers = pack(limbs, self.slot_bits, self.n_slots, self.n_plaintexts(size))
        return EncodedVector(self, size, integers)

    def _unpacked(self, encoded: EncodedVector) -> Limbs:
        try:
            limbs = unpack(encoded.integers, self.slot_bits, self.n_slots)
        except OverflowError as error:
            raise self._undecodable() from error
        if limbs[encoded.size :].any():
            raise self._undecodable()
        return limbs[: encoded.size]

    def _overflow(self, exponent: int | None) -> OverflowError:
        size = "no finite size" if exponent is None else f"up to 2**{exponent}"
        return OverflowError(
            f"a value of {size} where this ring carries less than 2**{self.limit_exponent}"
        )

    def _undecodable(self) -> ValueError:
        return ValueError(
            "The decrypted total is not a sum of encoded vectors: a slot holds more than its "
            "clients can have put there. It was altered on its way, or encrypted under "
            "another key."
        )


def _exponent(value: float) -> int | None:
    """Return the least power of two above a value, None if there is none."""
    return math.frexp(value)[1] if math.isfinite(value) else None
