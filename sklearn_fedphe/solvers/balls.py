"""Symmetric systems in ball arithmetic: every number comes with a bound on its error.

FLINT's ``arb`` (Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval
arithmetic", IEEE Transactions on Computers 66, 2017) by way of python-flint.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat, ctx, fmpz

from ..typing import FloatArray, IntegerArray

PRECISIONS = (512, 4096)
"""Bits. The first nearly always do; whatever they leave with less than `ENOUGH_BITS`, as a
penalty of 1e-300 on dependent columns or a fit that is all but perfect, the second decide."""

ENOUGH_BITS = 60
"""More than float64 holds."""

_LOCK = threading.RLock()
"""FLINT's precision is one for all threads."""


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Compute with so many bits within the block."""
    with _LOCK:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


def matrix(integers: IntegerArray) -> arb_mat:
    """Return a matrix of Python's integers, or a vector of them as a column."""
    n_rows, n_columns = (*integers.shape, 1)[:2]
    return arb_mat(n_rows, n_columns, [fmpz(int(value)) for value in integers.flat])


def diagonal(values: list[arb]) -> arb_mat:
    """Return a diagonal matrix."""
    return arb_mat(
        [[v if i == j else 0 for j in range(len(values))] for i, v in enumerate(values)]
    )


class NotEnoughBitsError(ArithmeticError):
    """A ball is too wide for a float; more bits would make it narrower."""


def to_float(value: arb) -> float:
    """Return the nearest float.

    Raises
    ------
    NotEnoughBitsError
        If the ball is too wide to tell it. With the last of `PRECISIONS`, a ball about 0
        is 0.
    """
    if value.contains(0) and (value.is_exact() or ctx.prec == PRECISIONS[-1]):
        return 0.0
    if value.rel_accuracy_bits() < ENOUGH_BITS:
        raise NotEnoughBitsError(f"{ctx.prec} bits leave {value.rel_accuracy_bits()} of a result")
    return float(value)


def to_floats(values: arb_mat) -> FloatArray:
    """Return the nearest floats, of the matrix's shape."""
    rows = [[to_float(value) for value in row] for row in values.tolist()]
    return np.array(rows).reshape(values.nrows(), values.ncols())


@dataclass(frozen=True)
class Equilibrated:
    """A symmetric matrix of unit diagonal, its rank and how to solve with it.

    Parameters
    ----------
    inverse : arb_mat or None
        None where the rank is not full.
    null_space : ndarray of shape (size, size - rank)
        Orthonormal; what only rounding tells from nothing.
    matrix : arb_mat
    """

    matrix: arb_mat
    inverse: arb_mat | None
    null_space: FloatArray

    def solve(self, right: arb_mat) -> arb_mat:
        """Solve, with least norm: orthogonal to the null space."""
        if self.inverse is not None:
            return self.inverse * right
        size, nullity = self.null_space.shape
        null = self.null_space.tolist()
        rows = [[*own, *part] for own, part in zip(self.matrix.tolist(), null, strict=True)]
        rows += [[*own, *[0] * nullity] for own in self.null_space.T.tolist()]
        bordered = arb_mat(rows).solve(arb_mat(right.tolist() + [[0]] * nullity))
        return arb_mat(bordered.tolist()[:size])


def judge_rank(matrix: arb_mat, rounding: float) -> Equilibrated:
    """Judge the rank of ``Z.T @ Z`` by the singular values of Z.

    Parameters
    ----------
    matrix : arb_mat
        ``Z.T @ Z``, of unit diagonal.
    rounding : float
        A singular value below this part of the largest one is rounding.

    Returns
    -------
    Equilibrated
    """
    size = matrix.nrows()
    threshold = rounding**2 * float(np.linalg.eigvalsh(_midpoints(matrix)).max(initial=0.0))
    inverse = inverse_of(matrix)
    # The small eigenvalues are the large ones of the inverse, which float64 gives well.
    if inverse is not None and np.linalg.eigvalsh(_midpoints(inverse)).max() < 1.0 / threshold:
        return Equilibrated(matrix, inverse, np.empty((size, 0)))
    # Moved off zero by far less than the threshold, a singular matrix has an inverse too.
    shift = threshold * 2.0**-20
    shifted = (matrix + diagonal([arb(shift)] * size)).inv()
    values, vectors = np.linalg.eigh(_midpoints(shifted))
    return Equilibrated(matrix, None, vectors[:, values >= 1.0 / (threshold + shift)])


def inverse_of(matrix: arb_mat) -> arb_mat | None:
    """Return the inverse, None where the bits do not tell the matrix from a singular one."""
    try:
        return matrix.inv()
    except ZeroDivisionError:
        return None


def _midpoints(values: arb_mat) -> FloatArray:
    return np.array([[float(value.mid()) for value in row] for row in values.tolist()])
