"""What the estimator keeps of an exact solution: coefficients, rank, inference."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import LinAlgWarning

from .inference import RegressionSummary
from .members import Members
from .solvers import ExactSolution

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression


def exactly_fitted(
    estimator: FederatedLinearRegression, members: Members, solution: ExactSolution
) -> dict[str, Any]:
    """Return the fitted attributes that follow from an exact solution.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    members : Members
        For the columns' names, and whether there are weights.
    solution : ExactSolution

    Returns
    -------
    dict
    """
    n_features = members.n_features
    names = members.feature_names
    if names is None:
        names = np.array([f"x{i}" for i in range(n_features)], dtype=object)
    fitted: dict[str, Any] = {
        "coef_": solution.point[:n_features],
        "intercept_": float(solution.point[n_features:].sum()),
        "rank_": solution.rank,
    }
    if len(solution.dependent) and not estimator.alpha:
        _warn_dependent(names[solution.dependent].tolist(), solution.rank, n_features)
    problem = _why_no_inference(estimator, members, solution)
    if problem or solution.inverse_products is None:
        return fitted | {"_summary_": problem}
    dof = solution.n_rows - len(solution.point)
    covariance = solution.residual_ss / dof * solution.inverse_products
    summary = RegressionSummary(
        names=(*names.tolist(), *["intercept"] * bool(estimator.fit_intercept)),
        estimate=solution.point,
        covariance=covariance,
        residual_ss=solution.residual_ss,
        total_ss=solution.total_ss,
        dof=dof,
        n_rows=solution.n_rows,
        n_clients=len(members.labels),
        fit_intercept=bool(estimator.fit_intercept),
    )
    return fitted | {
        "covariance_": covariance,
        "residual_variance_": summary.residual_variance,
        "dof_": dof,
        "_summary_": summary,
    }


def _why_no_inference(
    estimator: FederatedLinearRegression, members: Members, solution: ExactSolution
) -> str | None:
    """Say what stands in the way of classical inference, if anything does."""
    if estimator.alpha:
        return f"alpha={estimator.alpha}: penalised coefficients are biased; pass alpha=0"
    if members.weighted:
        return "sample weights: what they mean for the errors is not known; fit without"
    if solution.inverse_products is None:
        return (
            f"columns that depend on each other or do not vary (rank_={solution.rank}): their "
            "coefficients are not determined; leave some out"
        )
    if solution.n_rows <= len(solution.point):
        return (
            f"{solution.n_rows} rows for {len(solution.point)} parameters: nothing is left to "
            "estimate errors from; use more rows or fewer features"
        )
    return None


def _warn_dependent(names: list[str], rank: int, n_features: int) -> None:
    warnings.warn(
        f"The columns {', '.join(map(repr, names))} depend on each other or do not vary: the rank "
        f"is {rank} of {n_features}. Predictions on such rows are determined, and of the "
        "coefficients those of least norm in standardised columns were taken.",
        LinAlgWarning,
        stacklevel=6,
    )
