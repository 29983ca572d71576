"""Least squares over the rows of all clients, each value of it a secure sum."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..least_squares import Frame, LeastSquares
from ..typing import FloatArray
from .parties import answer
from .queries import (
    GradientQuery,
    Query,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)

_EPSILON = float(np.finfo(np.float64).eps)
_CONSTANT = 16 * _EPSILON
"""A column whose deviation is less than this part of its mean is constant but for the
rounding of the mean itself."""


class Sums(Protocol):
    """Anything that answers a query with the sum over some clients."""

    @property
    def n_clients(self) -> int:
        """How many clients' answers are added."""

    def sum(self, query: Query) -> FloatArray:
        """Return the total for `query`."""


class OwnSum:
    """The sums of one client over its own rows: what it learns alone, telling nobody.

    Parameters
    ----------
    rows : LeastSquares
        The client's.
    """

    n_clients = 1

    def __init__(self, rows: LeastSquares) -> None:
        self._rows = rows

    def sum(self, query: Query) -> FloatArray:
        """Answer a query from the client's own rows, in the clear. Run by the client.

        Parameters
        ----------
        query : Query
            What is asked.

        Returns
        -------
        ndarray
            The client's own values. They stay with it.
        """
        return answer(query, self._rows)


class FederatedLeastSquares:
    """Half the mean squared error plus the Ridge penalty, over the rows of all clients.

    ``(sum(weight * (X @ coef + intercept - y)**2) + alpha * |coef|**2) / (2 * sum(weight))``
    as a function of a point. Its minimum is where scikit-learn's `Ridge` has it. Nothing
    but totals enters, so that every party can follow every step.

    With `precondition`, a point is one of a standardised `Frame`: features and target
    are centered and scaled, so that the Hessian's diagonal is 1. Without, a point is the
    coefficients and the intercept in the user's units; it still travels in a frame that
    scales, by powers of two, so that slots fit every unit and no rounding is added.

    Parameters
    ----------
    sums : Sums
        A `RingSum`, or an `OwnSum` for a client that trains alone.
    n_features : int
        Number of columns, the same for all clients.
    fit_intercept : bool
        Whether there is an intercept, the last unknown.
    precondition : bool
        Whether a point is one of a standardised frame.
    alpha : float
        The Ridge penalty, on coefficients in the user's units.

    Attributes
    ----------
    n_unknowns : int
        Length of a point.

    Notes
    -----
    *Reveals*, to find the frame: the sum of weights and the mean square of each feature
    and of the target, over all clients; with `precondition` and an intercept, their means,
    and the squares are about these.
    """

    def __init__(
        self, sums: Sums, n_features: int, *, fit_intercept: bool, precondition: bool, alpha: float
    ) -> None:
        self._sums = sums
        self._n_features = n_features
        self._alpha = alpha
        self.n_unknowns = n_features + fit_intercept
        center = self._means() if precondition and fit_intercept else np.zeros(n_features + 1)
        weight, *squares = sums.sum(SquaresQuery(center[:-1], float(center[-1])))
        _check_weight(weight)
        mean_squares = np.array(squares) / weight
        find_frame = self._standard_frame if precondition else self._raw_frame
        self._frame = find_frame(weight, center, mean_squares)
        self._slots = Slots.STANDARD if precondition else Slots.LONG
        # What one unit of an unknown is in the frame, and what the frame's loss is worth.
        self._stretch, self._loss_unit = np.ones(self.n_unknowns), 1.0
        self._curvature = float(np.isfinite(self._frame.scale).sum() + fit_intercept)
        if not precondition:
            scale = np.append(self._frame.scale, 1.0)[: self.n_unknowns]
            self._stretch = scale / self._frame.target_scale
            self._loss_unit = self._frame.target_scale**2
            self._curvature = float(mean_squares[:-1].sum() + n_features * alpha / weight)
            self._curvature += fit_intercept

    @property
    def resolution(self) -> float:
        """Gradient norm that the rounding of all clients' answers can amount to."""
        rounding = 0.5 * 2.0**-self._slots.fraction_bits
        units = self._loss_unit * float(np.linalg.norm(self._stretch))
        return self._sums.n_clients * rounding * units

    def gradient(self, point: FloatArray) -> FloatArray:
        """Return the gradient: one secure sum, and the penalty, which is public.

        Parameters
        ----------
        point : ndarray of shape (n_unknowns,)
            Where.

        Returns
        -------
        ndarray of shape (n_unknowns,)
            The gradient over the rows of all clients.
        """
        p, frame = self._n_features, self._frame
        point = point * self._stretch
        total = self._sums.sum(GradientQuery(point, frame, self._slots))
        total[:p] += self._alpha / frame.weight * point[:p] / frame.scale**2
        gradient: FloatArray = self._loss_unit * self._stretch * total
        return gradient

    def curvature_bound(self) -> float:
        """Return the trace of the Hessian."""
        # All columns zero and no intercept: any step will do.
        return self._curvature or 1.0

    def to_raw(self, point: FloatArray) -> tuple[FloatArray, float]:
        """Return what a point means in the user's units.

        Parameters
        ----------
        point : ndarray of shape (n_unknowns,)
            Where.

        Returns
        -------
        coef : ndarray of shape (n_features,)
            Coefficients.
        intercept : float
            Intercept, 0.0 where there is none.
        """
        return self._frame.to_raw(point * self._stretch)

    def mean_start(self) -> tuple[FloatArray, float]:
        """Return the mean of the models that the clients started from: one secure sum."""
        mean = self._sums.sum(StartQuery()) / self._sums.n_clients
        return mean[:-1], float(mean[-1])

    def _means(self) -> FloatArray:
        """Return the means of the features, then of the target: one secure sum."""
        weight, *totals = self._sums.sum(SumsQuery())
        _check_weight(weight)
        means: FloatArray = np.array(totals) / weight
        return means

    def _raw_frame(self, weight: float, center: FloatArray, mean_squares: FloatArray) -> Frame:
        scale = np.exp2(np.round(np.log2(np.sqrt(np.where(mean_squares, mean_squares, 1.0)))))
        return Frame(center[:-1], scale[:-1], 0.0, float(scale[-1]), weight)

    def _standard_frame(
        self, weight: float, center: FloatArray, mean_squares: FloatArray
    ) -> Frame:
        """Return the frame in which the Hessian's diagonal is 1.

        The penalty is part of the Hessian, so that a feature of tiny scale under a large
        `alpha` is no worse off than others.
        """
        varies = mean_squares > (_CONSTANT * center) ** 2
        scale = np.where(varies, np.sqrt(mean_squares), np.inf)
        scale[:-1] = np.hypot(scale[:-1], np.sqrt(self._alpha / weight))
        target_scale = float(scale[-1]) if varies[-1] else 1.0
        return Frame(center[:-1], scale[:-1], float(center[-1]), target_scale, weight)


def _check_weight(weight: float) -> None:
    if weight <= 0:
        raise ValueError(
            "All sample weights together round to zero; multiply them by a common factor."
        )
