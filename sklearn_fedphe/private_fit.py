"""A fit with differential privacy: one round of noisy products, and what it has spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .members import Members
from .privacy import GaussianPrivacy, PrivacySpent
from .progress import Progress
from .protocol import PrivateLeastSquares, SecureSums
from .solvers import NoisyNormalEquationsSolver

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression


def check_private(
    estimator: FederatedLinearRegression, privacy: GaussianPrivacy, members: Members
) -> None:
    """Refuse what would break the promise, before anything is computed from a row.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    privacy : GaussianPrivacy
        One of them.
    members : Members

    Raises
    ------
    ValueError
        For sample weights, fewer clients than are relied on, bounds of other features, or
        more noise than can be drawn.
    """
    if members.weighted:
        raise ValueError(
            f"client {members.weighted[0]!r} has sample weights, with which a row could add to "
            "the totals more than its bounds allow; fit without weights, or with privacy=None."
        )
    if privacy.honest_clients > len(members.labels):
        raise ValueError(
            f"honest_clients={privacy.honest_clients} where {len(members.labels)} clients are "
            "here; rely on no more than there are."
        )
    privacy.box(members.n_features, fit_intercept=bool(estimator.fit_intercept))
    privacy.noise_share(members.n_features)


def privately_fitted(
    estimator: FederatedLinearRegression,
    privacy: GaussianPrivacy,
    sums: SecureSums,
    progress: Progress,
) -> dict[str, Any]:
    """Fit one model over private clients.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    privacy : GaussianPrivacy
        One of them.
    sums : SecureSums
        Of clients that agreed on it.
    progress : Progress
        Hears of the round.

    Returns
    -------
    dict
        The fitted attributes: they follow from noisy totals alone.
    """
    fit_intercept = bool(estimator.fit_intercept)
    objective = PrivateLeastSquares(sums, privacy, float(estimator.alpha), fit_intercept)
    solution = NoisyNormalEquationsSolver(progress).minimize(objective)
    return {
        "coef_": solution.point[: sums.n_features],
        "intercept_": float(solution.point[sums.n_features :].sum()),
        "privacy_spent_": PrivacySpent(float(privacy.epsilon), float(privacy.delta)),
        "_summary_": (
            "noise for differential privacy: what it does to errors and tests is not in "
            "classical inference; pass privacy=None"
        ),
        "n_iter_": solution.n_iter,
        "n_rounds_": sums.n_rounds,
    }
