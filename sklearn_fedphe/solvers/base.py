"""What a solver may ask of an objective, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..typing import FloatArray


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
        Gradients asked for.
    converged : bool
        Whether the tolerance was met.
    """

    point: FloatArray
    n_iter: int
    converged: bool
