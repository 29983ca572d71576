"""One fit: from checked shards to what the estimator keeps of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .least_squares import LeastSquares
from .protocol import FederatedLeastSquares, OwnSum, RingSum, form_ring
from .solvers import SOLVERS, GradientDescent

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression
    from .shards import Shards


def train(estimator: FederatedLinearRegression, shards: Shards) -> dict[str, Any]:
    """Form a ring of clients with these shards and fit one model over it.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    shards : dict from label to Shard

    Returns
    -------
    dict
        The fitted attributes that come from the federation: no key, and no client's rows.
    """
    rows = {
        label: LeastSquares(shard.X, shard.y, shard.sample_weight)
        for label, shard in shards.items()
    }
    if estimator.init == "local":
        rows = {label: _train_alone(estimator, label, own) for label, own in rows.items()}
    ring = form_ring(rows, estimator.key_length, estimator.n_jobs)
    objective = _objective(estimator, ring, ring.n_features)
    solution = _solver(estimator, _print if estimator.verbose else None).minimize(objective)
    if not solution.converged and estimator.tol is not None:
        _warn_not_converged(estimator)
    coef, intercept = objective.to_raw(solution.point)
    fitted: dict[str, Any] = {"coef_": coef, "intercept_": intercept}
    if estimator.init == "local":
        starts = [own.start for own in rows.values()]
        mean_coef, mean_intercept = objective.mean_start()
        fitted = {
            "coef_": mean_coef + coef,
            "intercept_": mean_intercept + intercept,
            "client_coef_": np.array([start + coef for start, _ in starts]),
            "client_intercept_": np.array([start + intercept for _, start in starts]),
        }
    return fitted | {"n_iter_": solution.n_iter, "n_rounds_": ring.n_rounds}


def _solver(
    estimator: FederatedLinearRegression, report: Callable[[int, float], None] | None = None
) -> GradientDescent:
    solver = SOLVERS[estimator.solver]
    return solver(estimator.learning_rate, estimator.max_iter, estimator.tol, report)


def _objective(
    estimator: FederatedLinearRegression, sums: RingSum | OwnSum, n_features: int
) -> FederatedLeastSquares:
    return FederatedLeastSquares(
        sums,
        n_features,
        fit_intercept=estimator.fit_intercept,
        precondition=estimator.precondition,
        alpha=estimator.alpha,
    )


def _train_alone(
    estimator: FederatedLinearRegression, label: Hashable, rows: LeastSquares
) -> LeastSquares:
    """Take a client's own steps on its own rows. Run by the client, who tells nobody."""
    objective = _objective(estimator, OwnSum(rows), rows.n_features)
    try:
        solution = _solver(estimator).minimize(objective)
        return rows.shifted(*objective.to_raw(solution.point))
    except ValueError:
        pass
    # The solver's own text gives gradient norms, which here are the client's alone.
    raise ValueError(
        f"client {label!r}, training alone: learning_rate={estimator.learning_rate} diverges. Use "
        "a smaller one."
    )


def _warn_not_converged(estimator: FederatedLinearRegression) -> None:
    remedy = "" if estimator.precondition else ", or pass precondition=True"
    warnings.warn(
        f"{estimator.solver} did not reach tol={estimator.tol} in max_iter={estimator.max_iter} "
        f"iterations. Increase max_iter{remedy}.",
        ConvergenceWarning,
        stacklevel=4,
    )


def _print(iteration: int, norm: float) -> None:
    print(f"[FederatedLinearRegression] iteration {iteration}: gradient norm {norm:.3e}")
