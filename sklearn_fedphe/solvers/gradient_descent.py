"""Gradient descent with a fixed or a Barzilai-Borwein step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..typing import FloatArray
from .base import Objective, Solution
from .extrapolation import extrapolate

_HUGE = 1e150
"""A point beyond is on its way out of float64's range."""

_MEMORY = 100
"""Gradients kept for the last extrapolation."""


@dataclass(frozen=True)
class GradientDescent:
    """Step against the gradient until its norm has fallen by the factor `tol`.

    Parameters
    ----------
    learning_rate : "auto" or float
        A fixed step, or "auto" for a step chosen anew each time from the last two
        gradients (see `BarzilaiBorwein`).
    max_iter : int
        Gradients asked for at most.
    tol : float or None
        Stop once the gradient's norm is at most `tol` times that of the first one, or at
        most the objective's resolution. None: make exactly `max_iter` steps.
    report : callable, default=None
        Called as ``report(iteration, gradient_norm)`` for each gradient.

    Notes
    -----
    *Rounds*: one secure sum a gradient, `n_iter_` in all.

    *Reveals*: every gradient of the pooled rows, to everyone. The first, at zero, is
    X^T y; n_features + 1 of them in general position determine X^T X. Iterating hides no
    more than handing over the totals of the normal equations at once would.
    """

    learning_rate: float | Literal["auto"]
    max_iter: int
    tol: float | None
    report: Callable[[int, float], None] | None = None

    def minimize(self, objective: Objective) -> Solution:
        """Minimise a function from the origin.

        Parameters
        ----------
        objective : Objective
            A convex quadratic.

        Returns
        -------
        Solution
            Where the steps ended; where a varying step met no tolerance, the best point.

        Raises
        ------
        ValueError
            If a fixed step diverges.
        """
        return _Descent(self, objective).run()


class _Descent:
    """One run: the gradients seen so far, and what follows from them."""

    def __init__(self, solver: GradientDescent, objective: Objective) -> None:
        self._solver = solver
        self._objective = objective
        self._points: deque[FloatArray] = deque(maxlen=_MEMORY)
        self._gradients: deque[FloatArray] = deque(maxlen=_MEMORY)
        self._best = (np.inf, np.zeros(objective.n_unknowns))
        self._first = np.inf
        self._n_iter = 0

    def run(self) -> Solution:
        auto, tol = self._solver.learning_rate == "auto", self._solver.tol
        step = self._step()
        point = np.zeros(self._objective.n_unknowns)
        while self._n_iter < self._solver.max_iter:
            norm = self._look(point)
            if tol is not None and norm <= max(tol * self._first, self._objective.resolution):
                return self._conclude(point)
            if not auto and not norm <= self._allowed():
                raise self._divergence(f"grew from {self._best[0]:.3g} to {norm:.3g}")
            point = point - step.length(point, self._gradients[-1]) * self._gradients[-1]
            if not np.abs(point).max() < _HUGE:
                raise self._divergence("sends the next point out of range")
        # With steps of varying length norms go up and down: the last is not the best.
        return Solution(self._best[1] if auto else point, self._n_iter, converged=False)

    def _allowed(self) -> float:
        """Return the largest norm that a fixed step leads to if it converges.

        On a quadratic, a step that converges never lets the norm grow, rounding aside.
        """
        return 1.001 * self._best[0] + 1e-9 * self._first + self._objective.resolution

    def _conclude(self, point: FloatArray) -> Solution:
        """Look once more, where the gradients seen put the minimum itself.

        Where a varying step meets the tolerance depends on the last bits of every sum on
        the way; the minimum does not.
        """
        auto = self._solver.learning_rate == "auto"
        if not auto or self._n_iter in (1, self._solver.max_iter):
            return Solution(point, self._n_iter, converged=True)
        self._look(extrapolate(list(self._points), list(self._gradients)))
        return Solution(self._best[1], self._n_iter, converged=True)

    def _look(self, point: FloatArray) -> float:
        """Ask for the gradient at `point` and return its norm."""
        self._n_iter += 1
        try:
            gradient = self._objective.gradient(point)
        except OverflowError as error:
            if self._n_iter == 1 or self._solver.learning_rate == "auto":
                raise
            raise self._divergence("left the range of numbers") from error
        norm = float(np.linalg.norm(gradient))
        if self._n_iter == 1:
            self._first = norm
        if norm < self._best[0]:
            self._best = norm, point
        self._points.append(point)
        self._gradients.append(gradient)
        if self._solver.report is not None:
            self._solver.report(self._n_iter, norm)
        return norm

    def _step(self) -> FixedStep | BarzilaiBorwein:
        if self._solver.learning_rate == "auto":
            return BarzilaiBorwein(1.0 / self._objective.curvature_bound())
        return FixedStep(self._solver.learning_rate)

    def _divergence(self, how: str) -> ValueError:
        return ValueError(
            f"learning_rate={self._solver.learning_rate} diverges: by iteration {self._n_iter} "
            f"the gradient's norm {how}. Use a smaller one, or learning_rate='auto'."
        )


@dataclass(frozen=True)
class FixedStep:
    """The same step every time."""

    step: float

    def length(self, _point: FloatArray, _gradient: FloatArray) -> float:
        """Return the step."""
        return self.step


class BarzilaiBorwein:
    """Steps that fit the curvature met on the last step; no gradient beyond those made.

    Between the two steps of Barzilai and Borwein, "Two-point step size gradient methods",
    IMA Journal of Numerical Analysis 8 (1988), the choice is that of the ABBmin1 rule of
    Frassoldati, Zanghirati and Zanni, "New adaptive stepsize selections in gradient
    methods", Journal of Industrial and Management Optimization 4 (2008), section 3: a
    short step, the least of the last few, where the two differ much, else the long one.
    On the diabetes data it takes half the rounds of either step alone.

    Parameters
    ----------
    first_step : float
        Length of the first step: 1 / L is safe.
    """

    _RATIO = 0.8  # tau of the paper
    _MEMORY = 10  # m + 1 of the paper: this short step and the nine before it

    def __init__(self, first_step: float) -> None:
        self._step = first_step
        self._short_steps: deque[float] = deque(maxlen=self._MEMORY)
        self._last: tuple[FloatArray, FloatArray] | None = None

    def length(self, point: FloatArray, gradient: FloatArray) -> float:
        """Return the step to take from `point`, whose gradient is `gradient`."""
        if self._last is not None:
            moved, bent = point - self._last[0], gradient - self._last[1]
            curvature = float(moved @ bent)
            # Rounding alone can make it vanish, at the very end; the last step is as good.
            if curvature > 0:
                long, short = float(moved @ moved) / curvature, curvature / float(bent @ bent)
                self._short_steps.append(short)
                self._step = min(self._short_steps) if short < self._RATIO * long else long
        self._last = point, gradient
        return self._step
