"""Least squares over the rows of all clients, each value of it a secure sum."""

from __future__ import annotations

import numpy as np

from ..least_squares import LeastSquares
from ..typing import FloatArray
from .coordinates import Sums, standardised, users_units
from .parties import answer
from .queries import GradientQuery, Query, StartQuery


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

    With `precondition`, a point is one of a standardised `Frame`; without, it is the
    coefficients and the intercept in the user's units (see `coordinates`).

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
    """

    def __init__(
        self, sums: Sums, n_features: int, *, fit_intercept: bool, precondition: bool, alpha: float
    ) -> None:
        self._sums = sums
        self._n_features = n_features
        self._alpha = alpha
        self.n_unknowns = n_features + fit_intercept
        find_coordinates = standardised if precondition else users_units
        self._coordinates = find_coordinates(
            sums, n_features, fit_intercept=fit_intercept, alpha=alpha
        )

    @property
    def resolution(self) -> float:
        """Gradient norm that the rounding of all clients' answers can amount to."""
        of = self._coordinates
        rounding = self._sums.n_clients * 0.5 * 2.0**-of.slots.fraction_bits
        return rounding * of.loss_unit * float(np.linalg.norm(of.stretch))

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
        of, p = self._coordinates, self._n_features
        in_frame = point * of.stretch
        total = self._sums.sum(GradientQuery(in_frame, of.frame, of.slots))
        total[:p] += self._alpha / of.frame.weight * in_frame[:p] / of.frame.scale**2
        gradient: FloatArray = of.loss_unit * of.stretch * total
        return gradient

    def curvature_bound(self) -> float:
        """Return the trace of the Hessian."""
        # All columns zero and no intercept: any step will do.
        return self._coordinates.curvature or 1.0

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
        return self._coordinates.frame.to_raw(point * self._coordinates.stretch)

    def mean_start(self) -> tuple[FloatArray, float]:
        """Return the mean of the models that the clients started from: one secure sum."""
        mean = self._sums.sum(StartQuery()) / self._sums.n_clients
        return mean[:-1], float(mean[-1])
