"""Conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..typing import FloatArray
from .base import Objective, Solution
from .watch import NOBODY, Watch


@dataclass(frozen=True)
class ConjugateGradient:
    """Minimise over the span of all gradients so far, at each iteration.

    Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems",
    Journal of Research of the National Bureau of Standards 49 (1952). Each residual is
    made orthogonal to all before it once more, which rounding undoes (Golub and Van Loan,
    "Matrix Computations", section 10.3 of the fourth edition): that is arithmetic at home,
    and spares rounds.

    Parameters
    ----------
    max_iter : int
        Gradients and products asked for at most.
    tol : float or None
        Stop once the gradient's norm is at most `tol` times that of the first one, or at
        most the objective's resolution. None: go on until `max_iter`, or until there is no
        direction left to go in.
    watch : Watch, default=NOBODY
        Hears of every round, and may stop.

    Notes
    -----
    *Rounds*: one gradient, and one Hessian product an iteration: without rounding, one for
    each distinct eigenvalue of the Hessian, n_features + 1 at most. Where the Hessian is
    singular, the minimum of least norm in the objective's coordinates.

    *Bytes a client sends* a round: ``46 + ceil((d + 2) / s) * key_length / 4`` for d
    features and s slots to a plaintext, 47 at 3072 bits: 793, 2,329 and 16,921 for d = 10,
    100 and 1000.

    *Reveals*: the gradient at zero, X^T y, and the products of X^T X with as many
    directions as there are iterations, which together determine X^T X where they are
    n_features + 1: no less than the gradients of `GradientDescent` do.
    """

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
            Where the iterations ended.
        """
        point = np.zeros(objective.n_unknowns)
        self.watch.begin_round()
        residual = -objective.gradient(point)
        direction = residual
        norms = [float(np.linalg.norm(residual))]
        basis: list[FloatArray] = []
        stop = self.watch.end_round(norms[-1], point)
        while not (stop or self._is_met(norms, objective) or len(norms) == self.max_iter):
            self.watch.begin_round()
            product = objective.hessian_product(direction)
            curvature = float(direction @ product)
            if curvature <= 0:
                # Rounding is all that is left of a direction that the rows say nothing of.
                self.watch.end_round(norms[-1], point)
                return Solution(point, len(norms) + 1, converged=True)
            step = norms[-1] ** 2 / curvature
            point = point + step * direction
            basis.append(residual / norms[-1])
            residual = _orthogonalised(residual - step * product, basis)
            norms.append(float(np.linalg.norm(residual)))
            direction = residual + (norms[-1] / norms[-2]) ** 2 * direction
            stop = self.watch.end_round(norms[-1], point)
        return Solution(point, len(norms), self._is_met(norms, objective))

    def _is_met(self, norms: list[float], objective: Objective) -> bool:
        tol = 0.0 if self.tol is None else self.tol
        floor = 0.0 if self.tol is None else objective.resolution
        return norms[-1] <= max(tol * norms[0], floor)


def _orthogonalised(vector: FloatArray, basis: list[FloatArray]) -> FloatArray:
    for unit in basis:
        vector = vector - (unit @ vector) * unit
    return vector
