"""Least squares over the rows of all clients, each value of it a secure sum."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..least_squares import Frame, LeastSquares
from .parties import answer
from .queries import (
    CountsQuery,
    GradientQuery,
    Query,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)

FloatArray: TypeAlias = NDArray[np.float64]


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
    as a function of a point in `frame`. Its minimum is where scikit-learn's `Ridge` has it.
    Nothing but totals enters, so that every party can follow every step.

    Parameters
    ----------
    sums : Sums
        A `RingSum`, or an `OwnSum` for a client that trains alone.
    n_features : int
        Number of columns, the same for all clients.
    fit_intercept : bool
        Whether there is an intercept, the last unknown.
    precondition : bool
        Work in a standardised frame, which takes two secure sums to find.
    alpha : float
        The Ridge penalty, on coefficients in the user's units.

    Attributes
    ----------
    frame : Frame
        Reveals, where standardised: the number of rows, the sum of weights, and mean and
        variance of each feature and of the target, over all clients.
    n_unknowns : int
        Length of a point.
    """

    def __init__(
        self, sums: Sums, n_features: int, *, fit_intercept: bool, precondition: bool, alpha: float
    ) -> None:
        self._sums = sums
        self._n_features = n_features
        self._fit_intercept = fit_intercept
        self._alpha = alpha
        self._slots = Slots.STANDARD if precondition else Slots.RAW
        self.n_unknowns = n_features + fit_intercept
        self.frame = self._standard_frame() if precondition else self._raw_frame()

    @property
    def resolution(self) -> float:
        """Gradient norm that the rounding of all clients' answers can amount to."""
        rounding = 0.5 * 2.0**-self._slots.fraction_bits
        return self._sums.n_clients * rounding * float(np.sqrt(self.n_unknowns))

    def gradient(self, point: FloatArray) -> FloatArray:
        """Return the gradient: one secure sum, and the penalty, which is public.

        Parameters
        ----------
        point : ndarray of shape (n_unknowns,)
            In the coordinates of `frame`.

        Returns
        -------
        ndarray of shape (n_unknowns,)
            The gradient over the rows of all clients.
        """
        total = self._sums.sum(GradientQuery(point, self.frame, self._slots))
        penalty = self._alpha / self.frame.weight * point[: self._n_features]
        total[: self._n_features] += penalty / self.frame.scale**2
        return total

    def curvature_bound(self) -> float:
        """Trace of the Hessian; in the raw frame, one secure sum."""
        if self._slots is Slots.STANDARD:
            diagonal = float(np.isfinite(self.frame.scale).sum())
        else:
            squares = self._sums.sum(SquaresQuery(self.frame.center, 0.0))
            diagonal = float(squares[:-1].sum() + self._n_features * self._alpha)
            diagonal /= self.frame.weight
        # All columns zero and no intercept: any step will do.
        return diagonal + self._fit_intercept or 1.0

    def mean_start(self) -> tuple[FloatArray, float]:
        """Mean over the clients of the models they started from: one secure sum."""
        mean = self._sums.sum(StartQuery()) / self._sums.n_clients
        return mean[:-1], float(mean[-1])

    def _raw_frame(self) -> Frame:
        """Return the user's own units. One secure sum: the counts."""
        weight = float(self._sums.sum(CountsQuery())[1])
        return Frame(np.zeros(self._n_features), np.ones(self._n_features), 0.0, 1.0, weight)

    def _standard_frame(self) -> Frame:
        """Center and scale features and target, so that the Hessian's diagonal is 1.

        Without an intercept nothing is centered. The penalty is part of the Hessian, so
        that a feature of tiny scale under a large `alpha` is no worse off than others.
        """
        center, target_center = np.zeros(self._n_features), 0.0
        if self._fit_intercept:
            totals = self._sums.sum(SumsQuery())
            weight = float(totals[1])
            center, target_center = totals[2:-1] / weight, float(totals[-1]) / weight
        else:
            weight = float(self._sums.sum(CountsQuery())[1])
        mean_squares = self._sums.sum(SquaresQuery(center, target_center)) / weight
        varies = mean_squares > (_CONSTANT * np.append(center, target_center)) ** 2
        scale = np.full(self._n_features, np.inf)
        scale[varies[:-1]] = np.sqrt(mean_squares[:-1][varies[:-1]] + self._alpha / weight)
        target_scale = float(np.sqrt(mean_squares[-1])) if varies[-1] else 1.0
        return Frame(center, scale, target_center, target_scale, weight)
