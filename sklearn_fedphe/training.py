"""One fit: from checked shards to what the estimator keeps of them."""

from __future__ import annotations

import warnings
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .callbacks import FitTask
from .exact_fit import exactly_fitted
from .least_squares import LeastSquares
from .private_fit import check_private, privately_fitted
from .progress import ModelAt, Progress
from .protocol import DisclosureRules, FederatedLeastSquares, OwnSum, RingSum, form_ring
from .solvers import (
    NOBODY,
    ConjugateGradient,
    ExactSolution,
    GradientDescent,
    NormalEquationsSolver,
    Solution,
    Watch,
)
from .typing import FloatArray

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression
    from .shards import Shards


def train(
    estimator: FederatedLinearRegression, shards: Shards, task: FitTask, *, simulated: bool
) -> dict[str, Any]:
    """Form a ring of clients with these shards and fit one model over it.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    shards : dict from label to Shard
    task : FitTask
        Hears of every round.
    simulated : bool
        Whether the shards are blocks of one table, which nobody has reason to refuse.

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
    n_features = next(iter(rows.values())).n_features
    rules = DisclosureRules(
        n_features + estimator.fit_intercept, estimator.min_rows, estimator.min_rows_per_parameter
    )
    if simulated:
        rules = DisclosureRules()
    privacy = estimator.privacy
    if privacy is not None:
        check_private(estimator, privacy, shards)
        rules = DisclosureRules(privacy=privacy, fit_intercept=bool(estimator.fit_intercept))
    ring = form_ring(rows, estimator.key_length, estimator.n_jobs, rules)
    if privacy is not None:
        progress = Progress(estimator, task, ring, None)
        return privately_fitted(estimator, privacy, ring, progress)
    weighted = any(shard.sample_weight is not None for shard in shards.values())
    objective = _objective(estimator, ring, n_features, weighted=weighted)
    if estimator.solver != "normal_equations":
        objective.prepare()  # or the first round would be charged with it
    progress = Progress(estimator, task, ring, _model_at(estimator, shards, objective))
    solution = _solver(estimator, progress).minimize(objective)
    if isinstance(solution, ExactSolution):
        fitted = exactly_fitted(estimator, shards, solution)
    else:
        fitted = _iteratively_fitted(estimator, objective, solution, progress)
    if estimator.init == "local":
        fitted |= _each_its_own(fitted, list(rows.values()), objective)
    return fitted | {"n_iter_": solution.n_iter, "n_rounds_": ring.n_rounds}


def _iteratively_fitted(
    estimator: FederatedLinearRegression,
    objective: FederatedLeastSquares,
    solution: Solution,
    progress: Progress,
) -> dict[str, Any]:
    if not (solution.converged or progress.stopped or estimator.tol is None):
        _warn_not_converged(estimator)
    coef, intercept = objective.to_raw(solution.point)
    norms = np.array(progress.gradient_norms)
    return {"coef_": coef, "intercept_": intercept, "gradient_norms_": norms}


def _model_at(
    estimator: FederatedLinearRegression, shards: Shards, objective: FederatedLeastSquares
) -> ModelAt | None:
    if estimator.init == "local":  # the mean of the clients' models is asked for last
        return None
    first = next(iter(shards.values()))

    def model(point: FloatArray, n_iter: int) -> dict[str, Any]:
        coef, intercept = objective.to_raw(point)
        return {
            "coef_": coef,
            "intercept_": intercept,
            "n_iter_": n_iter,
            "n_features_in_": first.X.shape[1],
            "feature_names_in_": first.feature_names,  # None hides those of an earlier fit
        }

    return model


def _each_its_own(
    fitted: dict[str, Any], rows: list[LeastSquares], objective: FederatedLeastSquares
) -> dict[str, Any]:
    """Add the common displacement to the model that each client came from."""
    coef, intercept = fitted["coef_"], fitted["intercept_"]
    mean_coef, mean_intercept = objective.mean_start()
    return {
        "coef_": mean_coef + coef,
        "intercept_": mean_intercept + intercept,
        "client_coef_": np.array([own.start[0] + coef for own in rows]),
        "client_intercept_": np.array([own.start[1] + intercept for own in rows]),
    }


def _solver(
    estimator: FederatedLinearRegression, watch: Watch = NOBODY
) -> GradientDescent | ConjugateGradient | NormalEquationsSolver:
    if estimator.solver == "normal_equations":
        return NormalEquationsSolver(watch)
    if estimator.solver == "conjugate_gradient":
        return ConjugateGradient(estimator.max_iter, estimator.tol, watch)
    return GradientDescent(estimator.learning_rate, estimator.max_iter, estimator.tol, watch)


def _objective(
    estimator: FederatedLinearRegression,
    sums: RingSum | OwnSum,
    n_features: int,
    *,
    weighted: bool = False,
) -> FederatedLeastSquares:
    return FederatedLeastSquares(
        sums,
        n_features,
        fit_intercept=bool(estimator.fit_intercept),
        precondition=estimator.precondition,
        alpha=float(estimator.alpha),
        weighted=weighted,
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
        stacklevel=6,
    )
