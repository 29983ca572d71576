"""Differential privacy for the totals of a fit: what is promised, and what it takes.

The promise is about a single row. Whatever the coalition sees, it would have seen it with
almost the same probability had any one row been there or not (add or remove one row:
Dwork and Roth, "The Algorithmic Foundations of Differential Privacy", 2014, section 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from .bounded_rows import BOUNDED_GRID_BITS, Bound, Box, checked_bounds
from .crypto.discrete_gaussian import MAX_SCALE
from .typing import FloatArray

_MAX_EPSILON = 20
"""So that what the grid of the noise adds to delta stays below ``2**-45``."""


class PrivacySpent(NamedTuple):
    """What one fit has spent of a privacy budget; fits of the same rows add up.

    Parameters
    ----------
    epsilon, delta : float
        As promised by `GaussianPrivacy`.
    """

    epsilon: float
    delta: float


@dataclass(frozen=True, kw_only=True)
class GaussianPrivacy:
    """Noise on the totals of one fit, so that no single row shows in them.

    For ``solver="normal_equations"``. Each client clips its rows to public bounds, brings
    them to [-1, 1] and adds discrete Gaussian noise to its sums of products before they
    are masked and encrypted. Nobody ever sees the totals without noise.

    Parameters
    ----------
    epsilon : float
        The most that the logarithm of any outcome's probability may change with one row;
        positive, at most 20. 1 is common, 10 hardly protects.
    delta : float
        The probability that it changes more, between 0 and 1; well below one over the number
        of rows.
    bounds_X : tuple of (lower, upper)
        Of the features: numbers for all, or a sequence of one a feature. They must be known
        without looking at the rows, which may tell of them. What lies beyond is clipped.
    bounds_y : tuple of (lower, upper)
        Of the target: numbers.
    honest_clients : int, default=2
        How many clients are relied on to keep their part of the noise to themselves. The
        others may give theirs to the coalition: what remains is enough. Fewer cost more
        noise; 1 protects a client from all the others together.

    Notes
    -----
    *Sensitivity.* Rows are in a box whose sides are 2, with a column of ones beside them. One
    row changes each of the ``(p + 2) * (p + 3) / 2`` sums of products of p features, target
    and ones by at most 1, hence their vector by at most the root of their number.

    *Noise.* Of standard deviation `noise_multiplier` times that, by the analytic Gaussian
    mechanism: Balle and Wang, "Improving the Gaussian Mechanism for Differential Privacy",
    ICML 2018, theorem 8, as dp-accounting computes it. Each client adds a discrete Gaussian
    (Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS
    2020) of that variance over `honest_clients`, drawn by OpenDP from the operating system's
    randomness.

    *Discrete and summed.* Sums are whole multiples of ``2**-40``, and so is the noise. A sum
    of h discrete Gaussians is not one, but differs from one by less than
    ``10 * h * exp(-pi**2 * scale**2)`` in the logarithm of any probability (Kairouz, Liu and
    Steinke, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
    Aggregation", ICML 2021); scales are above ``2**30`` steps. A discrete Gaussian differs from
    the continuous one, rounded, by less than one over the square of its scale in total
    variation: over all numbers together by less than ``2**-80 / noise_multiplier**2``. Delta grows
    by ``1 + exp(epsilon)`` times that, below ``2**-45`` at epsilon = 20, which is not counted.

    *Not covered*: that fits on the same rows add up, those that failed after their round among
    them; labels, numbers of clients and features, and times; that a client has any row, for one
    without is refused by name. Rows of one person in several clients count each for itself.

    *Other sums have no noise*: a `FederatedStandardScaler` tells exact means and variances, and
    `evaluate` exact scores, of the same rows. Behind such a scaler in a pipeline the promise is
    void, since the bounds then depend on the rows.

    Examples
    --------
    >>> from sklearn_fedphe import GaussianPrivacy
    >>> privacy = GaussianPrivacy(
    ...     epsilon=1.0, delta=1e-6, bounds_X=(-0.2, 0.2), bounds_y=(0.0, 400.0)
    ... )
    >>> print(f"{privacy.noise_multiplier:.3f}")
    4.225
    """

    epsilon: float
    delta: float
    bounds_X: tuple[Bound | Sequence[float] | FloatArray, Bound | Sequence[float] | FloatArray]
    bounds_y: tuple[float, float]
    honest_clients: int = 2

    def __post_init__(self) -> None:
        if not isinstance(self.epsilon, Real) or not 0 < float(self.epsilon) <= _MAX_EPSILON:
            raise ValueError(
                f"epsilon={self.epsilon!r}: pass a positive number, at most {_MAX_EPSILON}; what "
                "is larger protects nothing."
            )
        if not isinstance(self.delta, Real) or not 0 < float(self.delta) < 1:
            raise ValueError(f"delta={self.delta!r}: pass a number between 0 and 1.")
        if not isinstance(self.honest_clients, Integral) or self.honest_clients < 1:
            raise ValueError(
                f"honest_clients={self.honest_clients!r}: pass a number of clients, at least 1."
            )
        # A frozen dataclass of plain numbers compares, prints and pickles by value.
        object.__setattr__(self, "bounds_X", checked_bounds("bounds_X", self.bounds_X))
        bounds_y = checked_bounds("bounds_y", self.bounds_y)
        if any(isinstance(bound, tuple) for bound in bounds_y):
            raise ValueError(f"bounds_y={self.bounds_y!r}: pass two numbers, (lower, upper).")
        object.__setattr__(self, "bounds_y", bounds_y)

    @cached_property
    def noise_multiplier(self) -> float:
        """Standard deviation of the noise over the sensitivity.

        Raises
        ------
        ImportError
            If dp-accounting is not installed.
        """
        try:
            from dp_accounting import get_sigma_gaussian
        except ImportError as error:
            raise ImportError(
                "Differential privacy needs dp-accounting and OpenDP: pip install "
                "'sklearn_fedphe[privacy]'"
            ) from error
        return float(get_sigma_gaussian(self.epsilon, self.delta))

    def noise_scale(self, n_features: int) -> float:
        """Return the standard deviation of the honest clients' noise on each sum of products.

        Parameters
        ----------
        n_features : int
            Number of columns.

        Returns
        -------
        float
            In units of rows: the products of a row are within 1.
        """
        n_products = (n_features + 2) * (n_features + 3) // 2
        return self.noise_multiplier * math.sqrt(n_products)

    def noise_share(self, n_features: int) -> float:
        """Return the standard deviation of each client's own noise on each sum of products.

        Parameters
        ----------
        n_features : int
            Number of columns.

        Returns
        -------
        float
            In units of the grid that products are on.

        Raises
        ------
        ValueError
            If it is more than can be drawn.
        """
        unit = 2.0 ** (2 * BOUNDED_GRID_BITS)
        share = self.noise_scale(n_features) / math.sqrt(self.honest_clients) * unit
        if not share <= MAX_SCALE:
            raise ValueError(
                f"epsilon={self.epsilon!r} and delta={self.delta!r} need noise as of "
                f"{share / unit:,.0f} rows from each client for {n_features} features, and "
                f"{MAX_SCALE / unit:,.0f} is the most; use a larger epsilon or delta."
            )
        return share

    def box(self, n_features: int, *, fit_intercept: bool) -> Box:
        """Return the bounds as what clients bring their rows to [-1, 1] by.

        Parameters
        ----------
        n_features : int
            Number of columns.
        fit_intercept : bool
            Whether rows may be moved; else they are only scaled.

        Returns
        -------
        Box
            Center and half width of each column, the target's last.

        Raises
        ------
        ValueError
            If there are other than `n_features` bounds.
        """
        edges = []
        for side, of_X, of_y in zip(("lower", "upper"), self.bounds_X, self.bounds_y, strict=True):
            given = np.atleast_1d(np.asarray(of_X, dtype=np.float64))
            if len(given) not in (1, n_features):
                raise ValueError(
                    f"bounds_X has {len(given)} {side} bounds where X has {n_features} features; "
                    "pass one number, or one a feature."
                )
            edges.append(np.append(np.broadcast_to(given, n_features), of_y))
        lower, upper = edges
        if fit_intercept:
            return Box(lower / 2 + upper / 2, (upper - lower) / 2)
        return Box(np.zeros(n_features + 1), np.maximum(np.abs(lower), np.abs(upper)))
