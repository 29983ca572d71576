"""Public bounds, and one client's products of rows clipped to them: what noise is added to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from .exact_products import exact_gram
from .least_squares import LeastSquares
from .typing import FloatArray, IntegerArray

Bound: TypeAlias = float | tuple[float, ...]

BOUNDED_GRID_BITS = 20
"""Fraction bits of clipped values; products of two have twice as many."""


@dataclass(frozen=True)
class Box:
    """Public bounds of the features and, last, the target.

    Parameters
    ----------
    center, half_width : ndarray of shape (n_features + 1,)
        A value x becomes ``(x - center) / half_width``, clipped to [-1, 1].
    """

    center: FloatArray
    half_width: FloatArray


def checked_bounds(name: str, bounds: Any) -> tuple[Bound, Bound]:
    """Return bounds as plain numbers, or tuples of one a feature.

    Parameters
    ----------
    name : str
        Of the parameter, for errors.
    bounds : tuple of (lower, upper)
        As the user gave them.

    Returns
    -------
    tuple of (lower, upper)

    Raises
    ------
    ValueError
        If they are anything but finite numbers in order.
    """
    try:
        lower, upper = (np.asarray(bound, dtype=np.float64) for bound in bounds)
        with np.errstate(over="ignore", invalid="ignore"):  # said below
            half_width = (upper - lower) / 2
        in_order = bool(np.isfinite(half_width).all() and (half_width > 0).all())
    except (TypeError, ValueError, OverflowError):
        in_order = False
    if not in_order or max(lower.ndim, upper.ndim) > 1:
        raise ValueError(
            f"{name}={bounds!r}: pass (lower, upper), finite and each lower bound below its upper "
            "one, from what is known without looking at the rows."
        )
    return _plain(lower), _plain(upper)


def _plain(bound: FloatArray) -> Bound:
    return tuple(bound.tolist()) if bound.ndim else float(bound)


def bounded_gram(rows: LeastSquares, box: Box) -> IntegerArray:
    """Return the products of the columns ``[X, y, 1]`` in a box. Run by the client alone.

    Values are rounded to multiples of ``2**-20`` before they are multiplied, and all sums
    are exact. So a row adds the same whatever the others are: no rounding of sums makes
    the sensitivity larger than it is on paper (Casacuberta et al., "Widespread
    Underestimation of Sensitivity in Differentially Private Libraries and How to Fix It",
    CCS 2022).

    Parameters
    ----------
    rows : LeastSquares
        Without weights.
    box : Box

    Returns
    -------
    ndarray of int of shape ((n_features + 2) * (n_features + 3) / 2,)
        The upper triangle row by row, in units of ``2**-40``; each row has added at most
        ``2**40`` to each.
    """
    products = exact_gram(_clipped_blocks(rows, box), BOUNDED_GRID_BITS)
    triangle: IntegerArray = products[np.triu_indices(len(products))]
    return triangle


def _clipped_blocks(rows: LeastSquares, box: Box) -> Iterator[tuple[FloatArray, None]]:
    unit = 2.0**BOUNDED_GRID_BITS
    for block, _ in rows.column_blocks():
        # What overflows here lies far outside, and is clipped like the rest.
        with np.errstate(over="ignore", under="ignore"):
            inside = np.clip((block[:, :-1] - box.center) / box.half_width, -1.0, 1.0)
        yield np.column_stack([np.rint(inside * unit) / unit, block[:, -1]]), None
