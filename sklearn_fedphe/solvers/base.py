"""What a solver may ask of an objective, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..typing import FloatArray, IntegerArray


class NormalEquations(Protocol):
    """All products of the columns ``[X, y, 1]``, exactly."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    @property
    def products(self) -> IntegerArray:
        """Symmetric, of shape (n_features + 2, n_features + 2), in units of 2**exponent."""

    @property
    def exponent(self) -> int:
        """Of the unit."""

    @property
    def alpha(self) -> float:
        """The Ridge penalty on the coefficients."""

    @property
    def fit_intercept(self) -> bool:
        """Whether there is an intercept, which is not penalised."""


class NoisyNormalEquations(Protocol):
    """All products of the columns ``[X, y, 1]`` in a box, with noise."""

    @property
    def products(self) -> FloatArray:
        """Symmetric, of shape (n_features + 2, n_features + 2)."""

    @property
    def noise_scale(self) -> float:
        """Standard deviation of the noise of each."""

    @property
    def center(self) -> FloatArray:
        """Of the box: features, then the target; zero without an intercept."""

    @property
    def half_width(self) -> FloatArray:
        """Of the box. A value x is ``(x - center) / half_width`` there."""

    @property
    def alpha(self) -> float:
        """The Ridge penalty on the coefficients, in the user's units."""

    @property
    def fit_intercept(self) -> bool:
        """Whether there is an intercept, which is not penalised."""


class NoisyObjective(Protocol):
    """A function of which only the noisy normal equations are to be had."""

    def noisy_normal_equations(self) -> NoisyNormalEquations:
        """Return what determines the minimum, with noise that hides single rows."""


class Objective(Protocol):
    """A convex quadratic function that a solver minimises."""

    @property
    def n_unknowns(self) -> int:
        """Length of a point."""

    @property
    def resolution(self) -> float:
        """Gradient norm that cannot be told from zero."""

    def gradient(self, point: FloatArray) -> FloatArray:
        """Return the gradient at a point.

        Parameters
        ----------
        point : ndarray of shape (n_unknowns,)
            Where.

        Returns
        -------
        ndarray of shape (n_unknowns,)
            The gradient.

        Raises
        ------
        OverflowError
            If `point` is so far off that its gradient cannot be represented.
        """

    def hessian_product(self, direction: FloatArray) -> FloatArray:
        """Return the Hessian times a direction.

        Parameters
        ----------
        direction : ndarray of shape (n_unknowns,)
            Not zero.

        Returns
        -------
        ndarray of shape (n_unknowns,)
            The product.
        """

    def normal_equations(self) -> NormalEquations:
        """Return what determines the minimum, in the user's units."""

    def curvature_bound(self) -> float:
        """Return an upper bound on the largest eigenvalue of the Hessian."""


@dataclass(frozen=True)
class Solution:
    """Where a solver ended.

    Parameters
    ----------
    point : ndarray of shape (n_unknowns,)
        The end.
    n_iter : int
        Gradients and Hessian products asked for.
    converged : bool
        Whether the tolerance was met.
    """

    point: FloatArray
    n_iter: int
    converged: bool
