"""Gradient descent with a fixed or a Barzilai-Borwein step."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..typing import FloatArray
from .base import Objective, Solution
from .extrapolation import extrapolate
from .steps import BarzilaiBorwein, FixedStep
from .watch import NOBODY, Watch

_HUGE = 1e150
"""A point beyond is on its way out of float64's range."""

_PERIOD = 5
"""Every so many iterations an extrapolation stands in for a step."""

_MEMORY = 100
"""Gradients kept for extrapolations."""


@dataclass(frozen=True)
class GradientDescent:
    """Step against the gradient until its norm has fallen by the factor `tol`.

    Parameters
    ----------
    learning_rate : "auto" or float
        A fixed step, or "auto" for a step chosen anew each time from the last two
        gradients (see `BarzilaiBorwein`), with every fifth one replaced by an
        extrapolation over the gradients so far.
    max_iter : int
        Gradients asked for at most.
    tol : float or None
        Stop once the gradient's norm is at most `tol` times that of the first one - for
        "auto", after two more extrapolations - or at most the objective's resolution.
        None: make exactly `max_iter` steps.
    watch : Watch, default=NOBODY
        Hears of every round, and may stop.

    Notes
    -----
    *Rounds*: one secure sum a gradient, `n_iter_` in all.

    *Bytes a client sends* a round: ``46 + ceil((d + 2) / s) * key_length / 4`` for d
    features and s slots to a plaintext, 47 at 3072 bits: 793, 2,329 and 16,921 for d = 10,
    100 and 1000.

    *Extrapolation* in place of a step now and then: Pratapa, Suryanarayana and Pask,
    "Anderson acceleration of the Jacobi iterative method: an efficient alternative to
    Krylov methods", Journal of Computational Physics 306 (2016), here with
    Barzilai-Borwein steps between. It needs no gradient beyond those made, takes fewer
    rounds, and converges on ill-conditioned data where steps alone do not.

    *Reveals*: every gradient of the pooled rows, to everyone. The first, at zero, is
    X^T y; n_features + 1 of them in general position determine X^T X. From then on,
    iterating hides no more than handing over the totals of the normal equations would.
    """

    learning_rate: float | Literal["auto"]
    max_iter: int
    tol: float | None
    watch: Watch = NOBODY

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
        auto, last_iter = self._solver.learning_rate == "auto", self._solver.max_iter
        step = self._step()
        point = np.zeros(self._objective.n_unknowns)
        converged = stop = False
        while not stop and self._n_iter < last_iter:
            self._solver.watch.begin_round()
            norm = self._look(point)
            if not converged and self._meets_tolerance(norm):
                converged = True
                last_iter = min(last_iter, self._end_of_finish())
            done = converged and (not auto or norm <= self._objective.resolution)
            if not done:
                self._check_divergence(norm)
                point = self._next(point, step)
            # With steps of varying length norms go up and down: the last is not the best.
            end = self._best[1] if auto else point
            stop = self._solver.watch.end_round(norm, end) or done
        return Solution(end, self._n_iter, converged)

    def _meets_tolerance(self, norm: float) -> bool:
        tol = self._solver.tol
        return tol is not None and norm <= max(tol * self._first, self._objective.resolution)

    def _end_of_finish(self) -> int:
        """Return the iteration that looks at the second extrapolation from here.

        Where varying steps meet the tolerance depends on the last bits of every sum on the
        way. The minimum does not, and a few more gradients put it much more closely.
        """
        return (self._n_iter // _PERIOD + 2) * _PERIOD + 1

    def _check_divergence(self, norm: float) -> None:
        """Refuse a fixed step under which the norm grows.

        On a quadratic, a step that converges never lets it grow, rounding aside.
        """
        allowed = 1.001 * self._best[0] + 1e-9 * self._first + self._objective.resolution
        if self._solver.learning_rate != "auto" and not norm <= allowed:
            raise self._divergence(f"grew from {self._best[0]:.3g} to {norm:.3g}")

    def _next(self, point: FloatArray, step: FixedStep | BarzilaiBorwein) -> FloatArray:
        length = step.length(point, self._gradients[-1])
        if self._solver.learning_rate == "auto" and self._n_iter % _PERIOD == 0:
            return self._extrapolated()
        point = point - length * self._gradients[-1]
        if self._solver.learning_rate != "auto" and not np.abs(point).max() < _HUGE:
            raise self._divergence("sends the next point out of range")
        return point

    def _extrapolated(self) -> FloatArray:
        return extrapolate(list(self._points), list(self._gradients))

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
