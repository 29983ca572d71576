"""What a client answers to each query, in the clear: run by that client alone."""

from __future__ import annotations

import numpy as np

from ..bounded_rows import bounded_gram
from ..crypto.discrete_gaussian import discrete_gaussian
from ..least_squares import LeastSquares
from ..predicted_rows import PredictedRows
from ..privacy import GaussianPrivacy
from ..typing import FloatArray, IntegerArray
from .envelope import RefusedMessageError
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
                return with_predictions(rows).errors(target_center)
            case _:
                return rows.gradient(query.point, query.frame)


def exact_answer(query: GramQuery, rows: LeastSquares) -> IntegerArray:
    """Compute all products from one client's rows, exactly. Run by that client alone."""
    with np.errstate(over="ignore", invalid="ignore"):
        return rows.gram(GRID_BITS, query.weight_bits)


def private_answer(
    rows: LeastSquares, privacy: GaussianPrivacy, *, fit_intercept: bool
) -> IntegerArray:
    """Compute all products of clipped rows, and add this client's noise. Run by it alone.

    Reveals nothing more to whoever holds the total than `GaussianPrivacy` says, if
    `honest_clients` of all keep their noise to themselves.
    """
    p = rows.n_features
    products = bounded_gram(rows, privacy.box(p, fit_intercept=fit_intercept))
    noise = discrete_gaussian(privacy.noise_share(p), len(products))
    noisy: IntegerArray = products + noise
    return noisy


def with_predictions(rows: LeastSquares) -> PredictedRows:
    """Return a client's rows, if there are predictions of them.

    Raises
    ------
    RefusedMessageError
        Else: their errors cannot be told.
    """
    if not isinstance(rows, PredictedRows):
        raise RefusedMessageError(
            "An ErrorsQuery, where there are no predictions whose errors could be told; form the "
            "ring of PredictedRows."
        )
    return rows
