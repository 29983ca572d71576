"""One client's arithmetic: counts, sums, squares and gradients over its own rows.

NumPy only; nothing here knows of other clients or of encryption.

Notation, stated once and used everywhere below it: X is (n_samples, n_features), y is
(n_samples,), `weight` is the sum of the sample weights (the number of rows where there
are none). A *point* is a vector of unknowns in the coordinates of a `Frame`: one
coefficient a feature and, where an intercept is fitted, the intercept last.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .exact_products import MAX_ROWS, exact_gram
from .typing import FloatArray, IntegerArray

_BLOCK_VALUES = 2**18
"""Values of X worked on at once: 2 MB of float64, which stays in a processor's cache."""


@dataclass(frozen=True)
class Frame:
    """The coordinates that all clients take their gradients in.

    A feature x becomes ``(x - center) / scale``, the target ``(y - target_center) /
    target_scale``. An infinite scale takes a feature out: its coefficient is 0.

    Parameters
    ----------
    center, scale : ndarray of shape (n_features,)
        In units of the features.
    target_center, target_scale : float
        In units of the target.
    weight : float
        Sum of the weights over all clients, which makes sums over rows a mean.
    """

    center: FloatArray
    scale: FloatArray
    target_center: float
    target_scale: float
    weight: float

    def to_raw(self, point: FloatArray) -> tuple[FloatArray, float]:
        """Return coefficients and intercept in the user's units.

        Parameters
        ----------
        point : ndarray of shape (n_features,) or (n_features + 1,)

        Returns
        -------
        coef : ndarray of shape (n_features,)
        intercept : float
            0.0 where `point` has no intercept.
        """
        n_features = len(self.scale)
        coef = point[:n_features] * self.target_scale / self.scale
        if len(point) == n_features:
            return coef, 0.0
        intercept = self.target_center + self.target_scale * point[-1] - self.center @ coef
        return coef, float(intercept)


class LeastSquares:
    """The rows of one client, and the sums that a linear regression needs of them.

    X is read in blocks of rows; no copy of it is made, standardised or otherwise.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,), default=None
        Non-negative; all 1 if None.
    start : tuple of ndarray of shape (n_features,) and float, default=None
        Coefficients and intercept that `y` is already the residual of; zeros if None.
    """

    def __init__(
        self,
        X: NDArray[np.floating],
        y: FloatArray,
        sample_weight: FloatArray | None = None,
        *,
        start: tuple[FloatArray, float] | None = None,
    ) -> None:
        self._X = X
        self._y = y
        self._sample_weight = sample_weight
        self.start = (np.zeros(X.shape[1]), 0.0) if start is None else start

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return int(self._X.shape[1])

    @property
    def n_rows(self) -> int:
        """Number of rows, those of weight 0 aside."""
        if self._sample_weight is None:
            return len(self._y)
        return int(np.count_nonzero(self._sample_weight))

    def shifted(self, coef: FloatArray, intercept: float) -> LeastSquares:
        """Return the same rows with the given model's predictions taken from the target.

        A point of what is returned is a displacement from that model.
        """
        origin = np.zeros(self.n_features)
        residual = np.concatenate(
            [y - X @ coef - intercept for X, y, _ in self._blocks(origin, 0.0)]
        )
        return LeastSquares(self._X, residual, self._sample_weight, start=(coef, intercept))

    def sums(self) -> FloatArray:
        """Return the number of rows, their weight, and weighted sums of features and target.

        Shape (n_features + 3,). Taken about a row: a column that does not vary then has an
        exact sum, and one far from zero loses no digits to its mean.
        """
        weight = self._weight()
        pivot = 0 if self._sample_weight is None else int(np.argmax(self._sample_weight > 0))
        center, target_center = self._X[pivot].astype(np.float64), float(self._y[pivot])
        total, target_total = np.zeros(self.n_features), 0.0
        for X, y, sample_weight in self._blocks(center, target_center):
            total += sample_weight @ X
            target_total += float(sample_weight @ y)
        return np.concatenate(
            [
                [self.n_rows, weight],
                weight * center + total,
                [weight * target_center + target_total],
            ]
        )

    def squares(self, center: FloatArray, target_center: float) -> FloatArray:
        """Return the number of rows, their weight, and weighted squares about the centers.

        Shape (n_features + 3,), features before the target. The second pass of the
        two-pass variance (Chan, Golub and LeVeque 1983): one pass over raw squares loses
        all digits where a mean is large against its standard deviation.
        """
        total = np.zeros(self.n_features + 3)
        total[:2] = self.n_rows, self._weight()
        for X, y, sample_weight in self._blocks(center, target_center):
            total[2:-1] += sample_weight @ np.square(X)
            total[-1] += sample_weight @ np.square(y)
        return total

    def gradient(self, point: FloatArray, frame: Frame) -> FloatArray:
        """Return this client's share of the gradient of half the mean squared error.

        With ``r = X_f @ coef + intercept - y_f`` in the frame's coordinates, the share is
        ``X_f.T @ (sample_weight * r) / frame.weight``, with the sum of ``sample_weight * r``
        over the same weight last where `point` has an intercept. The shares of all
        clients add up to the gradient over all rows.

        Parameters
        ----------
        point : ndarray of shape (n_features,) or (n_features + 1,)
        frame : Frame

        Returns
        -------
        ndarray of the shape of `point`
        """
        # Rows are centered one by one only in columns far from zero. Near it, products with
        # the rows as they are cost no digits, and are put right in the sums, without a copy.
        far = np.abs(frame.center) > frame.scale
        pivot = np.where(far, frame.center, 0.0)
        rest = frame.center - pivot
        direction = point[: self.n_features] / frame.scale
        offset = point[self.n_features :].sum() - rest @ direction
        total, residual_total = np.zeros(self.n_features), 0.0
        for X, y, sample_weight in self._blocks(pivot, frame.target_center):
            residual = sample_weight * (X @ direction + offset - y / frame.target_scale)
            total += residual @ X
            residual_total += residual.sum()
        total -= residual_total * rest
        share = np.append(total / frame.scale, residual_total) / frame.weight
        return share[: len(point)]

    def gram(self, grid_bits: int, weight_bits: int) -> IntegerArray:
        """Return the number of rows, then every product that a linear regression needs.

        Products are those of the columns ``[X, y, 1]`` with each other, the upper triangle
        row by row: X^T X, X^T y, the sums of X, y^T y, the sum of y, the sum of weights.
        They are exact, in units of ``2**-(2 * grid_bits + weight_bits)``.

        Parameters
        ----------
        grid_bits : int
            Fraction bits of X and y.
        weight_bits : int
            Fraction bits of the weights; 0 where no client has weights.

        Returns
        -------
        ndarray of int of shape (1 + (n_features + 2) * (n_features + 3) / 2,)

        Raises
        ------
        OffGridError
            If a value is no finite multiple of ``2**-grid_bits``, or a weight none of
            ``2**-weight_bits``.
        """
        products = exact_gram(self.column_blocks(), grid_bits, weight_bits)
        return np.append(self.n_rows, products[np.triu_indices(len(products))])

    def column_blocks(self) -> Iterator[tuple[FloatArray, FloatArray | None]]:
        """Blocks of the columns [X, y, 1] and their weights, less what has no weight."""
        n_rows = min(MAX_ROWS, max(1, _BLOCK_VALUES // (self.n_features + 2)))
        for i in range(0, max(1, len(self._y)), n_rows):  # one block, if there are no rows
            rows, weights = slice(i, i + n_rows), self._sample_weight
            y = self._y[rows]
            block = np.column_stack([self._X[rows], y, np.ones(len(y))])
            if weights is None:
                yield block, None
            else:
                counts = weights[rows] > 0
                yield block[counts], weights[rows][counts]

    def _weight(self) -> float:
        return float(len(self._y) if self._sample_weight is None else self._sample_weight.sum())

    def _blocks(
        self, center: FloatArray, target_center: float
    ) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
        """Blocks of rows: X and y less their centers, and the weights, all as float64.

        X is the client's own, not to be written to, where it is float64 and not centered.
        """
        n_rows = min(len(self._y), max(1, _BLOCK_VALUES // max(1, self.n_features)))
        centered = center.any()
        as_it_is = self._X.dtype == np.float64 and not centered
        row_step, column_step = self._X.strides
        order: Literal["F", "C"] = "F" if row_step < column_step else "C"
        buffer = np.empty((0 if as_it_is else n_rows, self.n_features), order=order)
        ones = np.ones(n_rows)
        for i in range(0, len(self._y), n_rows):
            X: NDArray[Any] = self._X[i : i + n_rows]
            y, weights = self._y[i : i + n_rows], self._sample_weight
            if not as_it_is:
                # Cast first: subtracting across types takes twice as long as both.
                np.copyto(buffer[: len(y)], X)
                X = buffer[: len(y)]
            if centered:
                X -= center
            yield (
                X,
                y - target_center,
                ones[: len(y)] if weights is None else weights[i : i + n_rows],
            )
