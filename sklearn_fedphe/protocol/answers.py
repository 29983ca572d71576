"""What a client answers to each query, in the clear: run by that client alone."""

from __future__ import annotations

import numpy as np

from ..least_squares import LeastSquares
from ..predicted_rows import PredictedRows
from ..typing import FloatArray, IntegerArray
from .queries import (
    GRID_BITS,
    ErrorsQuery,
    FloatQuery,
    GramQuery,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)


def answer(query: FloatQuery, rows: LeastSquares) -> FloatArray:
    """Compute what a query asks for from one client's rows. Run by that client alone."""
    # Values past the range of float64 become infinite here and are refused on encoding.
    with np.errstate(over="ignore", invalid="ignore"):
        match query:
            case SumsQuery():
                return rows.sums()
            case StartQuery():
                return np.append(*rows.start)
            case SquaresQuery(center, target_center):
                return rows.squares(center, target_center)
            case ErrorsQuery(target_center):
                return _with_predictions(rows).errors(target_center)
            case _:
                return rows.gradient(query.point, query.frame)


def exact_answer(query: GramQuery, rows: LeastSquares) -> IntegerArray:
    """Compute all products from one client's rows, exactly. Run by that client alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        return rows.gram(GRID_BITS, query.weight_bits)


def _with_predictions(rows: LeastSquares) -> PredictedRows:
    if not isinstance(rows, PredictedRows):
        raise TypeError(
            "Rows without predictions have no errors to tell; form the ring of PredictedRows."
        )
    return rows
