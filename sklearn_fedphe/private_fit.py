"""A fit with differential privacy: one round of noisy products, and what it has spent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .privacy import GaussianPrivacy, PrivacySpent
from .progress import Progress
from .protocol import PrivateLeastSquares, RingSum
from .solvers import NoisyNormalEquationsSolver

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression
    from .shards import Shards


def check_private(
    estimator: FederatedLinearRegression, privacy: GaussianPrivacy, shards: Shards
) -> None:
    """Refuse what would break the promise, before anything is computed from a row.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    privacy : GaussianPrivacy
        One of them.
    shards : dict from label to Shard

    Raises
    ------
    ValueError
        For sample weights, fewer clients than are relied on, bounds of other features, or
        more noise than can be drawn.
    """
    weighted = [label for label, shard in shards.items() if shard.sample_weight is not None]
    if weighted:
        raise ValueError(
            f"client {weighted[0]!r} has sample weights, with which a row could add to the "
            "totals more than its bounds allow; fit without weights, or with privacy=None."
        )
    if privacy.honest_clients > len(shards):
        raise ValueError(
            f"honest_clients={privacy.honest_clients} where {len(shards)} clients are here; rely "
            "on no more than there are."
        )
    first = next(iter(shards.values()))
    n_features = first.X.shape[1]
    privacy.box(n_features, fit_intercept=bool(estimator.fit_intercept))
    privacy.noise_share(n_features)


def privately_fitted(
    estimator: FederatedLinearRegression,
    privacy: GaussianPrivacy,
    ring: RingSum,
    progress: Progress,
) -> dict[str, Any]:
    """Fit one model over a ring of private clients.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Its parameters, checked.
    privacy : GaussianPrivacy
        One of them.
    ring : RingSum
        Of clients that agreed on it.
    progress : Progress
        Hears of the round.

    Returns
    -------
    dict
        The fitted attributes: they follow from noisy totals alone.
    """
    fit_intercept = bool(estimator.fit_intercept)
    objective = PrivateLeastSquares(ring, privacy, float(estimator.alpha), fit_intercept)
    solution = NoisyNormalEquationsSolver(progress).minimize(objective)
    return {
        "coef_": solution.point[: ring.n_features],
        "intercept_": float(solution.point[ring.n_features :].sum()),
        "privacy_spent_": PrivacySpent(float(privacy.epsilon), float(privacy.delta)),
        "_summary_": (
            "noise for differential privacy: what it does to errors and tests is not in "
            "classical inference; pass privacy=None"
        ),
        "n_iter_": solution.n_iter,
        "n_rounds_": ring.n_rounds,
    }
