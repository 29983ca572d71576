"""One client's targets beside what a model predicts of them, and the sums of its errors.

NumPy only; nothing here knows of other clients or of encryption.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .least_squares import LeastSquares
from .typing import FloatArray


class PredictedRows(LeastSquares):
    """The rows of one client whose targets were predicted: no features, so no sums of them.

    Parameters
    ----------
    prediction : ndarray of shape (n_samples,)
        What the client had the model say of its own rows.
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,), default=None
        Non-negative; all 1 if None.
    """

    def __init__(
        self,
        prediction: NDArray[np.floating[Any]],
        y: FloatArray,
        sample_weight: FloatArray | None = None,
    ) -> None:
        super().__init__(np.empty((len(y), 0)), y, sample_weight)
        self._prediction = prediction

    def errors(self, target_center: float) -> FloatArray:
        """Return weighted sums of absolute errors, squared errors and the target's squares.

        Parameters
        ----------
        target_center : float
            What the squares of the target are about. Near its mean they lose no digits.

        Returns
        -------
        ndarray of shape (3,)
        """
        weights = np.ones(len(self._y)) if self._sample_weight is None else self._sample_weight
        error, deviation = self._y - self._prediction, self._y - target_center
        return np.array([weights @ of for of in (abs(error), error**2, deviation**2)])
