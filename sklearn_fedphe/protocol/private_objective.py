"""Least squares over the rows of all clients, of which nobody hears without noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..bounded_rows import BOUNDED_GRID_BITS
from ..privacy import GaussianPrivacy
from ..typing import FloatArray
from .queries import PrivateGramQuery
from .sums import SecureSums


@dataclass(frozen=True)
class NoisyNormalEquations:
    """All products of the columns ``[X, y, 1]`` over all rows, in a box, with noise.

    Parameters
    ----------
    products : ndarray of shape (n_features + 2, n_features + 2)
        Symmetric, in units of the box.
    noise_scale : float
        Standard deviation of the noise of each, that of all clients.
    center, half_width : ndarray of shape (n_features + 1,)
        The box: features, then the target.
    alpha : float
        The Ridge penalty, in the user's units.
    fit_intercept : bool
    """

    products: FloatArray
    noise_scale: float
    center: FloatArray
    half_width: FloatArray
    alpha: float
    fit_intercept: bool


@dataclass(frozen=True)
class PrivateLeastSquares:
    """What `GaussianPrivacy` leaves of least squares: one secure sum, with noise.

    Parameters
    ----------
    sums : SecureSums
        Of clients that agreed on `privacy`.
    privacy : GaussianPrivacy
    alpha : float
        The Ridge penalty, on coefficients in the user's units.
    fit_intercept : bool
        As the clients agreed on it.
    """

    sums: SecureSums
    privacy: GaussianPrivacy
    alpha: float
    fit_intercept: bool

    def noisy_normal_equations(self) -> NoisyNormalEquations:
        """Return all products over all rows, with noise: one secure sum, the only one.

        Returns
        -------
        NoisyNormalEquations
            In units of the box.
        """
        n_features = self.sums.n_features
        box = self.privacy.box(n_features, fit_intercept=self.fit_intercept)
        triangle = self.sums.exact_sum(PrivateGramQuery())
        size = n_features + 2
        products = np.zeros((size, size))
        products[np.triu_indices(size)] = triangle / 2.0 ** (2 * BOUNDED_GRID_BITS)
        products.T[np.triu_indices(size)] = products[np.triu_indices(size)]
        excess = math.sqrt(self.sums.n_clients / self.privacy.honest_clients)
        return NoisyNormalEquations(
            products,
            excess * self.privacy.noise_scale(n_features),
            box.center,
            box.half_width,
            self.alpha,
            self.fit_intercept,
        )
