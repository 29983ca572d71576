"""Products of float64 matrices without rounding, at BLAS's speed.

A value is cut in *slices* of few bits, at places that are the same for all values. Products
of slices are whole numbers, small enough that float64 holds their sums over a block of
rows: BLAS adds them in any order without rounding. What the places stand for is put
together in Python's integers. Ozaki, Ogita, Oishi and Rump, "Error-free transformations of
matrix multiplication by using fast routines of matrix multiplication and its applications",
Numerical Algorithms 59 (2012), section 3; the places are common to all columns here, since
what is wanted is integers on one grid.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from .typing import FloatArray, IntegerArray

_SLICE_BITS = 21
"""A slice is within ``2**20``."""

MAX_ROWS = 2**12
"""The sum of as many products of a slice and the sum of two slices is within ``2**53``."""


class OffGridError(OverflowError):
    """A value is no finite multiple of the grid's unit."""


def exact_gram(
    blocks: Iterable[tuple[FloatArray, FloatArray | None]], grid_bits: int, weight_bits: int = 0
) -> IntegerArray:
    """Return ``rows.T @ diag(weights) @ rows``, exactly, summed over blocks of rows.

    Parameters
    ----------
    blocks : iterable of (ndarray of shape (n_rows, n_columns), ndarray of shape (n_rows,))
        Rows, at most `MAX_ROWS` in a block, multiples of ``2**-grid_bits``; and their
        weights, multiples of ``2**-weight_bits``, or None for weights of 1.
    grid_bits, weight_bits : int
        Fraction bits.

    Returns
    -------
    ndarray of int of shape (n_columns, n_columns)
        In units of ``2**-(2 * grid_bits + weight_bits)``.

    Raises
    ------
    OffGridError
        If a value is not on the grid.
    """
    total: IntegerArray = np.array(0, dtype=object)
    for rows, weights in blocks:
        right = _slices(rows, grid_bits)
        left = right
        if weight_bits:
            factors = np.ones(len(rows)) if weights is None else weights
            _check_weights(factors, weight_bits)
            left = _weighted_slices(rows, factors, grid_bits + weight_bits)
        total = total + _assembled(left, right, rows.shape[1])
    return total


def _slices(values: FloatArray, grid_bits: int) -> list[FloatArray]:
    """Cut values in slices, each whole numbers of ``2**(_SLICE_BITS * place - grid_bits)``."""
    largest = np.abs(values).max(initial=0.0)
    if not np.isfinite(largest):
        raise OffGridError("products of a value of no finite size")
    if not largest:
        return []
    n_places = -(-(int(np.frexp(largest)[1]) + 1 + grid_bits) // _SLICE_BITS)
    found: list[FloatArray] = []
    for place in reversed(range(n_places)):
        unit = 2.0 ** (_SLICE_BITS * place - grid_bits)
        found.append(np.rint(values / unit))
        values = values - found[-1] * unit
    if values.any():
        raise OffGridError(f"products of a value with digits below 2**-{grid_bits}")
    return found[::-1]


def _check_weights(weights: FloatArray, weight_bits: int) -> None:
    scaled = np.ldexp(weights, weight_bits)
    if (scaled != np.rint(scaled)).any():
        raise OffGridError(f"a sample weight with digits below 2**-{weight_bits}")


def _weighted_slices(values: FloatArray, weights: FloatArray, grid_bits: int) -> list[FloatArray]:
    """Cut ``weights * values`` in slices, the rounding of the products included."""
    product, error = _two_product(values, weights[:, np.newaxis])
    high, low = _slices(product, grid_bits), _slices(error, grid_bits)
    for place, own in enumerate(low):
        high[place] += own
    return high


def _two_product(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the rounded product and what was rounded off.

    Dekker, "A floating-point technique for extending the available precision", Numerische
    Mathematik 18 (1971), section 5.
    """
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    error = a_high * b_high - product + a_high * b_low + a_low * b_high + a_low * b_low
    return product, error


def _halves(a: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Split 53 bits in 26 and 27 (Veltkamp, in Dekker's paper)."""
    shifted = a * (2.0**27 + 1)
    high = shifted - (shifted - a)
    return high, a - high


def _assembled(left: list[FloatArray], right: list[FloatArray], size: int) -> IntegerArray:
    """Multiply all slices and add up what they stand for, in units of both grids."""
    total: IntegerArray = np.zeros((size, size), dtype=object)
    for level in range(len(left) + len(right) - 1):
        products = [_product(left, right, i, level - i) for i in range(level + 1)]
        found = [product for product in products if product is not None]
        if found:
            exact = np.array(found).astype(np.int64).sum(axis=0).astype(object)
            total = total + exact * (1 << _SLICE_BITS * level)
    return total


def _product(left: list[FloatArray], right: list[FloatArray], i: int, j: int) -> FloatArray | None:
    """Multiply two slices, and of the same rows both ways at once; None where it is nothing."""
    symmetric = left is right
    if i >= len(left) or j >= len(right) or (symmetric and i < j):
        return None
    if not left[i].any() or not right[j].any():
        return None
    product: FloatArray = left[i].T @ right[j]
    return product + product.T if symmetric and i > j else product
