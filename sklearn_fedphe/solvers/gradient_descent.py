"""Gradient descent with a fixed or a Barzilai-Borwein step."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .base import FloatArray, Objective, Solution

_DIVERGED = 10.0
"""A fixed step that is small enough never lets the gradient's norm grow; one that lets it
grow tenfold, rounding aside, is too large."""


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
        """Minimise `objective` from the origin.

        Returns
        -------
        Solution
            Where a fixed step ended, or for "auto", whose gradient norms go up and down,
            the point of the smallest one seen.

        Raises
        ------
        ValueError
            If a fixed step diverges.
        """
        point = best_point = np.zeros(objective.n_unknowns)
        step = self._step(objective)
        first = best = np.inf
        for iteration in range(1, self.max_iter + 1):
            gradient = self._gradient(objective, point, iteration)
            norm = float(np.linalg.norm(gradient))
            if iteration == 1:
                first = norm
            if self.report is not None:
                self.report(iteration, norm)
            if norm < best:
                best, best_point = norm, point
            if self.tol is not None and norm <= max(self.tol * first, objective.resolution):
                return Solution(point, iteration, converged=True)
            if self.learning_rate != "auto" and norm > _DIVERGED * max(
                first, objective.resolution
            ):
                raise self._divergence(iteration, f"grew from {first:.3g} to {norm:.3g}")
            point = point - step.length(point, gradient) * gradient
        end = best_point if self.learning_rate == "auto" else point
        return Solution(end, self.max_iter, converged=False)

    def _step(self, objective: Objective) -> FixedStep | BarzilaiBorwein:
        if self.learning_rate == "auto":
            return BarzilaiBorwein(1.0 / objective.curvature_bound())
        return FixedStep(self.learning_rate)

    def _gradient(self, objective: Objective, point: FloatArray, iteration: int) -> FloatArray:
        try:
            return objective.gradient(point)
        except OverflowError as error:
            if iteration == 1 or self.learning_rate == "auto":
                raise
            raise self._divergence(iteration, "left the range of numbers") from error

    def _divergence(self, iteration: int, how: str) -> ValueError:
        return ValueError(
            f"learning_rate={self.learning_rate} diverges: by iteration {iteration} the "
            f"gradient's norm {how}. Use a smaller one, or learning_rate='auto'."
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

    The steps are rounded to ten bits. The sequence of unrounded ones is chaotic: sums
    that differ in their last bit, because rows are held by other clients or in another
    order, end at points that differ by the tolerance. With the same steps they end at
    points that differ in their last bits.

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
        mantissa, exponent = math.frexp(self._step)
        return math.ldexp(round(mantissa * 1024) / 1024, exponent)
