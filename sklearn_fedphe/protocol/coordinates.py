"""Means and variances by one or two secure sums, and the coordinates they make."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..least_squares import Frame
from ..typing import FloatArray
from .queries import Slots, SquaresQuery, SumsQuery
from .sums import Sums

_CONSTANT = 16 * float(np.finfo(np.float64).eps)
"""A column whose deviation is less than this part of its mean is constant but for the
rounding of the mean itself."""


@dataclass(frozen=True)
class Coordinates:
    """What a solver's unknowns are in the frame that gradients travel in.

    Parameters
    ----------
    frame : Frame
        What clients take gradients in.
    slots : Slots
        What these gradients travel in.
    stretch : ndarray of shape (n_unknowns,)
        What one unit of each unknown is in the frame.
    loss_unit : float
        What one unit of loss in the frame is in the solver's.
    curvature : float
        Trace of the Hessian, in the solver's units.
    """

    frame: Frame
    slots: Slots
    stretch: FloatArray
    loss_unit: float
    curvature: float


def standardised(sums: Sums, n_features: int, *, fit_intercept: bool, alpha: float) -> Coordinates:
    """Center and scale, so that the Hessian's diagonal is 1. Without intercept, only scale.

    The penalty is part of the Hessian, so that a feature of tiny scale under a large
    `alpha` is no worse off than others.

    Reveals the number of rows and the sum of weights; mean and variance of each feature and
    of the target, or without an intercept their mean squares; over all clients, to everyone.
    """
    center = _averages(sums, SumsQuery())[2] if fit_intercept else np.zeros(n_features + 1)
    _, weight, mean_squares = _averages(sums, SquaresQuery(center[:-1], float(center[-1])))
    varies = mean_squares > (_CONSTANT * center) ** 2
    deviation = np.where(varies, np.sqrt(mean_squares), np.inf)
    scale = np.hypot(deviation[:-1], np.sqrt(alpha / weight))
    target_scale = float(deviation[-1]) if varies[-1] else 1.0
    return Coordinates(
        Frame(center[:-1], scale, float(center[-1]), target_scale, weight),
        Slots.STANDARD,
        stretch=np.ones(n_features + fit_intercept),
        loss_unit=1.0,
        curvature=float(np.isfinite(scale).sum() + fit_intercept),
    )


def users_units(sums: Sums, n_features: int, *, fit_intercept: bool, alpha: float) -> Coordinates:
    """Leave the unknowns in the user's units: coefficients, then the intercept.

    Gradients still travel in a frame that scales, by powers of two: so slots fit every
    unit, and no rounding is added.

    Reveals the number of rows, the sum of weights and the mean squares of each feature and
    of the target, over all clients, to everyone.
    """
    _, weight, mean_squares = _averages(sums, SquaresQuery(np.zeros(n_features), 0.0))
    nonzero = np.where(mean_squares, mean_squares, 1.0)
    *scale, target_scale = np.exp2(np.round(np.log2(np.sqrt(nonzero))))
    return Coordinates(
        Frame(np.zeros(n_features), np.array(scale), 0.0, float(target_scale), weight),
        Slots.LONG,
        stretch=np.array([*scale, *[1.0] * fit_intercept]) / target_scale,
        loss_unit=float(target_scale**2),
        curvature=float(mean_squares[:-1].sum() + n_features * alpha / weight + fit_intercept),
    )


@dataclass(frozen=True)
class Moments:
    """Means and variances of the features over the rows of all clients.

    Parameters
    ----------
    n_rows : int
        Number of rows, those of weight 0 aside.
    weight : float
        Sum of the weights.
    mean : ndarray of shape (n_features,)
    variance : ndarray of shape (n_features,) or None
        Mean square about the mean.
    """

    n_rows: int
    weight: float
    mean: FloatArray
    variance: FloatArray | None


def moments(sums: Sums, *, with_variance: bool) -> Moments:
    """Find the moments of the features, by one secure sum, or two with variances.

    Reveals the number of rows, the sum of weights, and mean and variance of each feature and
    of the target; over all clients, to everyone.
    """
    n_rows, weight, means = _averages(sums, SumsQuery())
    center, variance = means[:-1], None
    if with_variance:
        variance = _averages(sums, SquaresQuery(center, float(means[-1])))[2][:-1]
    return Moments(n_rows, weight, center, variance)


def _averages(sums: Sums, query: SumsQuery | SquaresQuery) -> tuple[int, float, FloatArray]:
    """Return the number of rows, their weight, and the totals over it: one secure sum."""
    n_rows, weight, *totals = sums.sum(query).tolist()
    if weight <= 0:
        raise ValueError(
            "All sample weights together round to zero; multiply them by a common factor."
        )
    return int(n_rows), weight, np.array(totals) / weight
