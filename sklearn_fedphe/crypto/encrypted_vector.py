"""What travels: a packed vector under encryption, which can be added and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gmpy2 import mpz

from .fixed_point import FixedPoint

if TYPE_CHECKING:
    from .paillier import PublicKey


@dataclass(frozen=True)
class EncryptedVector:
    """A packed vector under encryption. It can be added to its own kind.

    Parameters
    ----------
    public_key : PublicKey
        What it is encrypted under.
    layout : FixedPoint
        How its values are laid out.
    size : int
        Number of values.
    ciphertexts : tuple of mpz
        One for each packed integer, in (0, n**2).
    n_terms : int
        How many clients' vectors it is the sum of. Bookkeeping, not a proof.
    """

    public_key: PublicKey
    layout: FixedPoint
    size: int
    ciphertexts: tuple[mpz, ...] = field(repr=False)
    n_terms: int

    def __add__(self, other: object) -> EncryptedVector:
        """Add under encryption, by multiplying ciphertexts modulo n**2.

        The sum carries the hiding factors of both: added to a fresh encryption, it
        cannot be linked to what came in.
        """
        if not isinstance(other, EncryptedVector):
            return NotImplemented
        if self.public_key != other.public_key:
            raise ValueError(
                f"Vectors under different keys do not add: {self.public_key!r} and "
                f"{other.public_key!r}."
            )
        if (self.layout, self.size) != (other.layout, other.size):
            raise ValueError(
                f"Vectors of different layouts do not add: {self.size} values in {self.layout} "
                f"and {other.size} in {other.layout}."
            )
        if self.n_terms + other.n_terms > self.layout.max_terms:
            raise ValueError(
                f"{self.n_terms} + {other.n_terms} terms, where the guard bits were sized for "
                f"{self.layout.max_terms}; every client adds exactly once."
            )
        n_squared = self.public_key.n_squared
        ciphertexts = tuple(
            left * right % n_squared
            for left, right in zip(self.ciphertexts, other.ciphertexts, strict=True)
        )
        n_terms = self.n_terms + other.n_terms
        return EncryptedVector(self.public_key, self.layout, self.size, ciphertexts, n_terms)
