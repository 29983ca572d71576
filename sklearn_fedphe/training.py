"""One fit: from a federation to what the estimator keeps of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .callbacks import FitTask
from .exact_fit import exactly_fitted
from .federation import Federation, Plan, Session
from .members import Members
from .own_steps import OwnSteps
from .private_fit import check_private, privately_fitted
from .progress import ModelAt, Progress
from .protocol import DisclosureRules, FederatedLeastSquares
from .solvers import (
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


def train(
    estimator: FederatedLinearRegression, federation: Federation, task: FitTask
) -> dict[str, Any]:
    """Begin a session of the federation and fit one model over its secure sums.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    federation : Federation
    task : FitTask
        Hears of every round.

    Returns
    -------
    dict
        The fitted attributes that come from the federation: no key, and no client's rows.
    """
    members = federation.members
    with federation.session(_plan(estimator, members)) as session:
        if estimator.privacy is not None:
            progress = Progress(estimator, task, session.sums, None)
            return privately_fitted(estimator, estimator.privacy, session.sums, progress)
        objective = FederatedLeastSquares(
            session.sums,
            members.n_features,
            fit_intercept=bool(estimator.fit_intercept),
            precondition=estimator.precondition,
            alpha=float(estimator.alpha),
            weighted=bool(members.weighted),
        )
        if estimator.solver != "normal_equations":
            objective.prepare()  # or the first round would be charged with it
        model_at = _model_at(estimator, members, objective)
        progress = Progress(estimator, task, session.sums, model_at)
        solution = _solver(estimator, progress).minimize(objective)
        if isinstance(solution, ExactSolution):
            fitted = exactly_fitted(estimator, members, solution)
        else:
            fitted = _iteratively_fitted(estimator, objective, solution, progress)
        if estimator.init == "local":
            fitted |= _from_own_starts(fitted, session, objective)
        return fitted | {"n_iter_": solution.n_iter, "n_rounds_": session.sums.n_rounds}


def _plan(estimator: FederatedLinearRegression, members: Members) -> Plan:
    fit_intercept, privacy = bool(estimator.fit_intercept), estimator.privacy
    own_steps = None
    if estimator.init == "local":
        own_steps = OwnSteps(
            estimator.learning_rate, estimator.max_iter, fit_intercept, estimator.precondition
        )
    if privacy is not None:
        check_private(estimator, privacy, members)
        rules = DisclosureRules(privacy=privacy, fit_intercept=fit_intercept)
    else:
        n_parameters = members.n_features + fit_intercept
        rules = DisclosureRules(n_parameters, estimator.min_rows, estimator.min_rows_per_parameter)
    return Plan(rules, estimator.key_length, own_steps, estimator.n_jobs)


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
    estimator: FederatedLinearRegression, members: Members, objective: FederatedLeastSquares
) -> ModelAt | None:
    if estimator.init == "local":  # the mean of the clients' models is asked for last
        return None

    def model(point: FloatArray, n_iter: int) -> dict[str, Any]:
        coef, intercept = objective.to_raw(point)
        return {
            "coef_": coef,
            "intercept_": intercept,
            "n_iter_": n_iter,
            "n_features_in_": members.n_features,
            "feature_names_in_": members.feature_names,  # None hides those of an earlier fit
        }

    return model


def _from_own_starts(
    fitted: dict[str, Any], session: Session, objective: FederatedLeastSquares
) -> dict[str, Any]:
    """Add the common displacement to the models that the clients came from."""
    coef, intercept = fitted["coef_"], fitted["intercept_"]
    mean_coef, mean_intercept = objective.mean_start()
    moved = {"coef_": mean_coef + coef, "intercept_": mean_intercept + intercept}
    if session.starts is None:  # elsewhere, and each client keeps its own
        return moved
    return moved | {
        "client_coef_": np.array([own_coef + coef for own_coef, _ in session.starts]),
        "client_intercept_": np.array([own + intercept for _, own in session.starts]),
    }


def _solver(
    estimator: FederatedLinearRegression, watch: Watch
) -> GradientDescent | ConjugateGradient | NormalEquationsSolver:
    if estimator.solver == "normal_equations":
        return NormalEquationsSolver(watch)
    if estimator.solver == "conjugate_gradient":
        return ConjugateGradient(estimator.max_iter, estimator.tol, watch)
    return GradientDescent(estimator.learning_rate, estimator.max_iter, estimator.tol, watch)


def _warn_not_converged(estimator: FederatedLinearRegression) -> None:
    remedy = "" if estimator.precondition else ", or pass precondition=True"
    warnings.warn(
        f"{estimator.solver} did not reach tol={estimator.tol} in max_iter={estimator.max_iter} "
        f"iterations. Increase max_iter{remedy}.",
        ConvergenceWarning,
        stacklevel=6,
    )
