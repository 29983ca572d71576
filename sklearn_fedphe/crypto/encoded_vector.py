"""What may be encrypted: a packed vector in the clear."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gmpy2 import mpz

from .uncopied import Uncopied

if TYPE_CHECKING:
    from .fixed_point import FixedPoint


@dataclass(frozen=True)
class EncodedVector(Uncopied):
    """A packed vector in the clear: what may be encrypted, and nothing else may.

    Parameters
    ----------
    layout : FixedPoint
        How the values are laid out.
    size : int
        Number of values.
    integers : tuple of mpz
        The packed integers, signed. Kept out of the repr: before encryption they are a
        client's own.
    n_terms : int, default=1
        How many encodings were added together.
    """

    why = "it is a client's own, in the clear. Encrypt it, and hand on what comes out."

    layout: FixedPoint
    size: int
    integers: tuple[mpz, ...] = field(repr=False)
    n_terms: int = 1
