"""How well a model predicts the rows of all clients, by two secure sums."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.utils.validation import check_is_fitted

from .linear_model import FederatedLinearRegression
from .parameters import check_parameters
from .predicted_rows import PredictedRows
from .protocol import MIN_CLIENTS, DisclosureRules, RingSum, form_ring, without_locals
from .protocol.queries import ErrorsQuery, SumsQuery
from .shards import Shard, Shards, check_table, labelled, naming

_ROUNDING = 16 * float(np.finfo(np.float64).eps)
"""A target that varies by less than this part of its mean is constant, but for the rounding
of the mean."""


@dataclass(frozen=True)
class RegressionScores:
    """Scores of a regressor, as scikit-learn's metrics of the same names.

    Parameters
    ----------
    r2 : float
        R^2, at best 1. Of a constant target: 1 if it is predicted exactly, else 0.
    mean_squared_error, mean_absolute_error : float
        In the target's unit squared, and in its unit.
    n_rows : int
        Rows scored, those of weight 0 aside.
    """

    r2: float
    mean_squared_error: float
    mean_absolute_error: float
    n_rows: int


def evaluate(
    estimator: Any, shards: Any, *, key_length: int = 3072, min_rows: int = 3
) -> RegressionScores:
    """Score a fitted regressor over the rows of all clients together.

    Each client predicts its own rows with the model, which it knows. Of its errors only
    sums leave it, encrypted; only totals over all clients are decrypted. As with `fit`,
    this process plays all parties.

    Parameters
    ----------
    estimator : regressor
        Fitted, with ``predict`` of one target: `FederatedLinearRegression`, a pipeline that
        ends in one, or any other.
    shards : list, tuple, iterator or dict of (X, y) or (X, y, sample_weight)
        One for each client, at least three. Rows that the model was not fitted to, if the
        scores are to say how it does on new ones.
    key_length : int, default=3072
        Bits of the Paillier modulus, at least 2048.
    min_rows : int, default=3
        A client with fewer rows, of weights other than 0, refuses to take part.

    Returns
    -------
    RegressionScores
        Over all rows, known to everyone.

    Raises
    ------
    NotFittedError, ValueError, TypeError
        For an estimator that is not fitted, or data or parameters out of order.
    OverflowError
        If a client's sum does not fit the slot it would travel in.

    See Also
    --------
    own_scores : What each client finds alone.

    Notes
    -----
    *Reveals*, to all parties: the labels of the clients and, over all of them, the number
    of rows, the sums of the weights and of the target, the sums of the absolute and of the
    squared errors, and that of the squares of the target about its mean. Scores over rows
    of which only few differ can be subtracted, and tell of those few.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> from sklearn_fedphe.evaluation import evaluate
    >>> X, y = load_diabetes(return_X_y=True)
    >>> shards = [(X[i::3], y[i::3]) for i in range(3)]
    >>> scores = evaluate(FederatedLinearRegression().fit(shards), shards)
    >>> print(f"{scores.r2:.4f} {scores.mean_absolute_error:.2f} {scores.n_rows}")
    0.5177 43.28 442
    """
    limits = FederatedLinearRegression(key_length=key_length, min_rows=min_rows)
    check_parameters(limits)
    with without_locals():
        return _sum_up(_ring_of_predictions(estimator, shards, key_length, min_rows))


def own_scores(estimator: Any, shards: Any) -> dict[Hashable, RegressionScores]:
    """Score a fitted regressor over the rows of each client apart.

    Run by each client on its own rows. Nothing is sent: each entry is known to that client
    alone, for it to compare with what `evaluate` tells everyone. Who calls this with the
    shards of several clients holds the rows of all of them.

    Parameters
    ----------
    estimator : regressor
        Fitted, with ``predict`` of one target.
    shards : list, tuple, iterator or dict of (X, y) or (X, y, sample_weight)
        One for each client; here any number of them will do.

    Returns
    -------
    dict from label to RegressionScores
        R^2 of a single row is NaN, with scikit-learn's warning.

    Raises
    ------
    NotFittedError, ValueError, TypeError
        For an estimator that is not fitted, or data out of order.
    """
    return {label: _scores(shard) for label, shard in _predicted(estimator, shards).items()}


def _predicted(estimator: Any, shards: Any) -> Shards:
    """Check shards and put what the model predicts in the place of X. Run by each client."""
    check_is_fitted(estimator)
    predicted: Shards = {}
    for label, (X, *rest) in labelled(shards).items():
        with naming(label):
            prediction = np.asarray(estimator.predict(X))
            if prediction.ndim != 1:
                raise ValueError(
                    f"its predictions have shape {prediction.shape}, and one value a row can be "
                    "scored; fit the estimator to a target of one dimension."
                )
            shard = check_table(FederatedLinearRegression(), prediction[:, np.newaxis], *rest)
            if shard.sample_weight is not None and not shard.sample_weight.any():
                raise ValueError(
                    "all sample weights are zero, so that there is nothing to score; leave it out."
                )
            predicted[label] = shard
    return predicted


def _ring_of_predictions(estimator: Any, shards: Any, key_length: int, min_rows: int) -> RingSum:
    predicted = {
        label: PredictedRows(shard.X[:, 0], shard.y, shard.sample_weight)
        for label, shard in _predicted(estimator, shards).items()
    }
    if len(predicted) < MIN_CLIENTS:
        raise ValueError(
            f"{len(predicted)} clients are here ({list(predicted)}), and at least {MIN_CLIENTS} "
            "are needed: of 2, each would subtract its own part from the total and read the "
            "other's. Score with more clients, or let each use own_scores for itself."
        )
    return form_ring(predicted, key_length, rules=DisclosureRules(min_rows=min_rows))


def _sum_up(ring: RingSum) -> RegressionScores:
    """Score by two secure sums: the second is about the mean that the first one gives."""
    n_rows, weight, target = ring.sum(SumsQuery())
    if weight <= 0:
        raise ValueError(
            "All sample weights together round to zero; multiply them by a common factor."
        )
    mean = float(target / weight)
    absolute, squared, variance = (ring.sum(ErrorsQuery(mean)) / weight).tolist()
    varies = variance > (_ROUNDING * mean) ** 2
    r2 = 1.0 - squared / variance if varies else float(squared == 0.0)
    return RegressionScores(r2, squared, absolute, int(n_rows))


def _scores(shard: Shard) -> RegressionScores:
    prediction, weights = shard.X[:, 0], shard.sample_weight
    r2, squared, absolute = (
        float(metric(shard.y, prediction, sample_weight=weights))
        for metric in (r2_score, mean_squared_error, mean_absolute_error)
    )
    n_rows = PredictedRows(prediction, shard.y, weights).n_rows
    return RegressionScores(r2, squared, absolute, n_rows)
