"""Least squares over the rows of all clients, each value of it a secure sum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..least_squares import Frame
from ..typing import FloatArray, IntegerArray
from .coordinates import Coordinates, standardised, users_units
from .queries import GradientQuery, GramQuery, Slots, StartQuery
from .sums import Sums


@dataclass(frozen=True)
class NormalEquations:
    """All products of the columns ``[X, y, 1]`` over all rows, exactly, in the user's units.

    Parameters
    ----------
    n_rows : int
        Number of rows, those of weight 0 aside.
    products : ndarray of int of shape (n_features + 2, n_features + 2)
        Symmetric, in units of ``2**exponent``.
    exponent : int
    alpha : float
        The Ridge penalty.
    fit_intercept : bool
    """

    n_rows: int
    products: IntegerArray
    exponent: int
    alpha: float
    fit_intercept: bool


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
    weighted : bool, default=False
        Whether any client has sample weights, which exact products need to know.

    Attributes
    ----------
    n_unknowns : int
        Length of a point.
    """

    def __init__(
        self,
        sums: Sums,
        n_features: int,
        *,
        fit_intercept: bool,
        precondition: bool,
        alpha: float,
        weighted: bool = False,
    ) -> None:
        self._sums = sums
        self._n_features = n_features
        self._fit_intercept = fit_intercept
        self._precondition = precondition
        self._alpha = alpha
        self._slots = Slots.EXACT_WEIGHTED if weighted else Slots.EXACT
        self.n_unknowns = n_features + fit_intercept

    @cached_property
    def _coordinates(self) -> Coordinates:
        find_coordinates = standardised if self._precondition else users_units
        return find_coordinates(
            self._sums, self._n_features, fit_intercept=self._fit_intercept, alpha=self._alpha
        )

    def prepare(self) -> None:
        """Make now the sums that precede the first gradient, and not when it is asked for."""
        _ = self._coordinates

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
        of = self._coordinates
        return self._gradient(point * of.stretch, of.frame)

    def hessian_product(self, direction: FloatArray) -> FloatArray:
        """Return the Hessian times a direction: one secure sum.

        It is the gradient where all targets are zero, and is asked for as such: messages
        are those of a gradient, in size and in what they reveal.

        Parameters
        ----------
        direction : ndarray of shape (n_unknowns,)
            Of any length but zero; rounding is relative to it.

        Returns
        -------
        ndarray of shape (n_unknowns,)
            The product.
        """
        of = self._coordinates
        in_frame = direction * of.stretch
        length = float(np.linalg.norm(in_frame))
        no_target = replace(of.frame, target_center=0.0, target_scale=np.inf)
        return length * self._gradient(in_frame / length, no_target)

    def _gradient(self, in_frame: FloatArray, frame: Frame) -> FloatArray:
        of, p = self._coordinates, self._n_features
        total = self._sums.sum(GradientQuery(in_frame, frame, of.slots))
        total[:p] += self._alpha / of.frame.weight * in_frame[:p] / of.frame.scale**2
        gradient: FloatArray = of.loss_unit * of.stretch * total
        return gradient

    def normal_equations(self) -> NormalEquations:
        """Return all products over all rows, exactly: one secure sum, the only one needed.

        Returns
        -------
        NormalEquations
            In the user's units.
        """
        n_rows, *triangle = self._sums.exact_sum(GramQuery(self._slots))
        size = self._n_features + 2
        products: IntegerArray = np.zeros((size, size), dtype=object)
        products[np.triu_indices(size)] = triangle
        products.T[np.triu_indices(size)] = triangle
        return NormalEquations(
            n_rows, products, -self._slots.fraction_bits, self._alpha, self._fit_intercept
        )

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
