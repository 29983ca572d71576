"""The normal equations from products with noise, for differential privacy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..typing import FloatArray
from .base import NoisyNormalEquations, NoisyObjective, Solution
from .watch import NOBODY, Watch

_FAILURE = 0.05
"""Probability with which the noise may be larger than it is regularised for; AdaSSP's own."""


@dataclass(frozen=True)
class NoisyNormalEquationsSolver:
    """Solve the normal equations with as much of a Ridge penalty as their noise calls for.

    Parameters
    ----------
    watch : Watch, default=NOBODY
        Hears of the round.

    Notes
    -----
    AdaSSP: Wang, "Revisiting differentially private linear regression: optimal and adaptive
    prediction & estimation in unbounded domain", UAI 2018, algorithm 2. With noise of
    standard deviation s, the products of d columns are off by at most
    ``b = s * sqrt(d * log(2 * d**2 / 0.05))`` in any direction, with a probability of about 95 %.
    The penalty is b less what the smallest eigenvalue surely is above zero, at least 0.

    Two deviations. Wang spends a third of epsilon on that eigenvalue; here it is read off
    the products that are there already, less b, and all of epsilon goes into these. And
    negative eigenvalues, which only noise can make, are set to zero, so that the penalised
    matrix never is singular. Both use what has been released, and cost no privacy.

    With an intercept, the columns are centered by their means, which have noise too, and b
    does not count that. The intercept is not penalised.

    *Rounds*: one.

    *Reveals*: the products of all columns in the units of their bounds, the number of rows
    among them, with noise.
    """

    watch: Watch = NOBODY

    def minimize(self, objective: NoisyObjective) -> Solution:
        """Minimise a function as far as noise allows.

        Parameters
        ----------
        objective : NoisyObjective
            A convex quadratic.

        Returns
        -------
        Solution
            In the user's units: the coefficients, then the intercept if there is one.
        """
        self.watch.begin_round()
        equations = objective.noisy_normal_equations()
        self.watch.end_round()
        return Solution(_solved(equations), n_iter=1, converged=True)


def _solved(of: NoisyNormalEquations) -> FloatArray:
    gram, right, means = _centered(of)
    eigenvalues, vectors = np.linalg.eigh(gram)
    n_features = len(right)
    penalty = _adaptive_penalty(float(eigenvalues[0]), n_features, of.noise_scale)
    width, target_width = of.half_width[:-1], of.half_width[-1]
    # The user's own penalty is on coefficients in the user's units.
    penalties = np.diag(penalty + of.alpha / np.square(width))
    positive = vectors @ np.diag(np.maximum(eigenvalues, 0.0)) @ vectors.T
    # Of least norm where bounds, noise and penalty leave nothing to solve with.
    in_box = np.linalg.lstsq(positive + penalties, right, rcond=None)[0]
    coef: FloatArray = in_box / width * target_width
    if not of.fit_intercept:
        return coef
    *feature_means, target_mean = of.center + of.half_width * means
    return np.append(coef, target_mean - np.array(feature_means) @ coef)


def _centered(of: NoisyNormalEquations) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the products of X with itself and with y, and all columns' means, in the box."""
    products = of.products
    means = np.zeros(len(products) - 1)
    if of.fit_intercept:
        # A number of rows that cannot be told from noise is taken for as large as the noise.
        n_rows = max(products[-1, -1], _tail(of.noise_scale))
        means = np.clip(products[:-1, -1] / n_rows, -1.0, 1.0)
        products = products[:-1, :-1] - n_rows * np.outer(means, means)
    else:
        products = products[:-1, :-1]
    return products[:-1, :-1], products[:-1, -1], means


def _tail(noise_scale: float) -> float:
    """Return what noise of this deviation stays below with a probability of 95 %, at least 1."""
    return max(noise_scale * math.sqrt(2 * math.log(2 / _FAILURE)), 1.0)


def _adaptive_penalty(smallest: float, n_features: int, noise_scale: float) -> float:
    bound = noise_scale * math.sqrt(n_features * math.log(2 * n_features**2 / _FAILURE))
    return max(bound - max(smallest - bound, 0.0), 0.0)
