"""The normal equations, formed and solved without rounding."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from ..typing import FloatArray
from . import balls
from .base import NormalEquations, Objective, Solution
from .watch import NOBODY, Watch

_CONSTANT = 2**104
"""A column whose mean square about its mean is less than this part of the mean's square
varies by no more than the last bit of its values: it is constant but for their rounding."""

_TAKES_PART = 2.0**-26
"""A column takes part in a dependence if it has more than this part of it."""


@dataclass(frozen=True)
class ExactSolution(Solution):
    """The minimum, and what a statistician asks of it.

    Parameters
    ----------
    point : ndarray of shape (n_unknowns,)
        In the user's units: the coefficients, then the intercept if there is one.
    n_iter : int
        1.
    converged : bool
        True.
    rank : int
        Of the rows, centered if there is an intercept.
    dependent : ndarray of int of shape (n_dependent,)
        Columns that the rows alone do not determine the coefficients of.
    n_rows : int
        Number of rows.
    residual_ss, total_ss : float
        Sums of squares about the model and about the mean (zero without an intercept).
    inverse_products : ndarray of shape (n_unknowns, n_unknowns), or None
        Inverse of the products of ``[X, 1]``; None where the rank is not full.
    """

    rank: int
    dependent: NDArray[np.intp]
    n_rows: int
    residual_ss: float
    total_ss: float
    inverse_products: FloatArray | None


@dataclass(frozen=True)
class NormalEquationsSolver:
    """Solve ``X.T @ X @ coef = X.T @ y`` on exact products, once.

    Parameters
    ----------
    watch : Watch, default=NOBODY
        Hears of the round.

    Notes
    -----
    The products come as exact integers. They are centered as integers, equilibrated, and
    inverted in ball arithmetic of 512 bits, or more: what is rounded is the result. So the
    square of X's condition number, for which normal equations are feared, costs nothing.

    *Rank* is judged on the singular values of the centered columns of unit length, against
    ``max(n_rows, n_features) * eps`` times the largest. What lies below is a dependence that
    only rounding broke: without a penalty the coefficients are then those of least norm in
    such columns. With one, the minimum is determined all the same.

    *Rounds*: one.

    *Bytes a client sends*: ``46 + ceil((m + 1) / s) * key_length / 4`` for
    ``m = 1 + (d + 2) * (d + 3) / 2`` numbers and s slots to a plaintext, 6 at 3072 bits
    without sample weights: 10,798 for d = 10, 672,814 for 100, 64,320,814 for 1000.

    *Reveals*: the products of all columns over all rows, and the number of rows, to
    everyone. They are what `GradientDescent` and `ConjugateGradient` reveal too, unless they
    are stopped before n_features + 1 rounds.
    """

    watch: Watch = NOBODY

    def minimize(self, objective: Objective) -> ExactSolution:
        """Minimise a function.

        Parameters
        ----------
        objective : Objective
            A convex quadratic.

        Returns
        -------
        ExactSolution
            Its minimum.
        """
        self.watch.begin_round()
        equations = objective.normal_equations()
        self.watch.end_round()
        *first, last = balls.PRECISIONS
        for bits in first:
            with suppress(balls.NotEnoughBitsError), balls.working_precision(bits):
                return _System(equations).solution()
        with balls.working_precision(last):
            return _System(equations).solution()


class _System:
    """Products about the means, as integers in units of ``2**exponent / weight``."""

    def __init__(self, equations: NormalEquations) -> None:
        self._of = equations
        products, self._weight = equations.products, equations.products[-1, -1]
        self._n_features = len(products) - 2
        self._sums = products[:-1, -1] * int(equations.fit_intercept)
        centered = products[:-1, :-1] * self._weight - np.outer(self._sums, self._sums)
        squares = np.diag(centered)[:-1]
        self._varies = np.flatnonzero(squares * _CONSTANT > self._sums[:-1] ** 2)
        self._total_ss = arb(centered[-1, -1])
        self._gram = balls.matrix(centered[np.ix_(self._varies, self._varies)])
        self._right = balls.matrix(centered[self._varies, -1])
        self._means = balls.matrix(self._sums[self._varies]) * (1 / arb(self._weight))
        self._unit = arb(2) ** equations.exponent / arb(self._weight)

    def solution(self) -> ExactSolution:
        """Solve, and round to float64 once."""
        if not len(self._varies):
            return self._rounded(arb_mat(0, 1), arb(0), np.empty((0, 0)), None)
        scaling = self._unit_lengths(self._gram)
        rounding = max(self._of.n_rows, self._n_features) * float(np.finfo(np.float64).eps)
        scaled = balls.judge_rank(scaling * self._gram * scaling, rounding)
        if self._of.alpha:
            coef = self._penalised()
        else:
            coef = scaling * scaled.solve(scaling * self._right)
        fitted = 2 * (coef.transpose() * self._right)[0, 0]
        explained = fitted - (coef.transpose() * self._gram * coef)[0, 0]
        inverse = None
        if scaled.inverse is not None and len(self._varies) == self._n_features:
            inverse = self._inverse_products(scaling * scaled.inverse * scaling)
        return self._rounded(coef, explained, scaled.null_space, inverse)

    def _penalised(self) -> arb_mat:
        penalty = arb(float(self._of.alpha)) / self._unit
        penalised = self._gram + balls.diagonal([penalty] * len(self._varies))
        scaling = self._unit_lengths(penalised)
        inverse = balls.inverse_of(scaling * penalised * scaling)
        if inverse is None:
            raise balls.NotEnoughBitsError(f"alpha={self._of.alpha} vanishes beside the columns")
        return scaling * (inverse * (scaling * self._right))

    def _unit_lengths(self, gram: arb_mat) -> arb_mat:
        """Return what scales the columns to unit length."""
        return balls.diagonal([1 / gram[i, i].sqrt() for i in range(len(self._varies))])

    def _rounded(
        self,
        coef: arb_mat,
        explained: arb,
        null_space: FloatArray,
        inverse_products: FloatArray | None,
    ) -> ExactSolution:
        point = np.zeros(self._n_features + self._of.fit_intercept)
        point[self._varies] = balls.to_floats(coef)[:, 0]
        if self._of.fit_intercept:
            mean_target = arb(self._sums[-1]) / arb(self._weight)
            point[-1] = balls.to_float(mean_target - (self._means.transpose() * coef)[0, 0])
        shares = np.ones(self._n_features)  # what does not vary is all of a dependence
        shares[self._varies] = np.linalg.norm(null_space, axis=1)
        return ExactSolution(
            point,
            n_iter=1,
            converged=True,
            rank=len(self._varies) - null_space.shape[1],
            dependent=np.flatnonzero(shares > _TAKES_PART),
            n_rows=self._of.n_rows,
            residual_ss=balls.to_float((self._total_ss - explained) * self._unit),
            total_ss=balls.to_float(self._total_ss * self._unit),
            inverse_products=inverse_products,
        )

    def _inverse_products(self, inverse: arb_mat) -> FloatArray:
        """Return the inverse of the products of ``[X, 1]``, from that of those of X centered."""
        inverse = inverse * (1 / self._unit)
        if not self._of.fit_intercept:
            return balls.to_floats(inverse)
        border = inverse * self._means
        corner = (self._means.transpose() * border)[0, 0] + 1 / (
            arb(2) ** self._of.exponent * self._weight
        )
        rows = [
            [*own, -edge] for own, [edge] in zip(inverse.tolist(), border.tolist(), strict=True)
        ]
        return balls.to_floats(arb_mat([*rows, [*[-edge for [edge] in border.tolist()], corner]]))
