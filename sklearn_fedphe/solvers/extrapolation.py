"""The best point that gradients already seen allow: reduced rank extrapolation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..typing import FloatArray


def extrapolate(points: Sequence[FloatArray], gradients: Sequence[FloatArray]) -> FloatArray:
    """Combine points of a quadratic so that the combined gradient is least.

    On a quadratic, the gradient at ``sum(c[i] * point[i])`` with ``sum(c) = 1`` is
    ``sum(c[i] * gradient[i])``: the combination costs no further gradient. Reduced rank
    extrapolation, after Eddy (1979) and Mesina (1977); Sidi, Ford and Smith,
    "Acceleration of convergence of vector sequences", SIAM Journal on Numerical Analysis
    23 (1986), section 2.

    Parameters
    ----------
    points, gradients : sequence of ndarray of shape (n_unknowns,)
        One gradient a point; at least two.

    Returns
    -------
    ndarray of shape (n_unknowns,)
    """
    *earlier, last = gradients
    bends = np.array(earlier).T - last[:, np.newaxis]
    moves = np.array(points[:-1]).T - points[-1][:, np.newaxis]
    # Columns of one length: the oldest gradients are many orders above the newest.
    lengths = np.linalg.norm(bends, axis=0)
    lengths[lengths == 0] = 1.0
    weights = np.linalg.lstsq(bends / lengths, -last, rcond=None)[0] / lengths
    extrapolated: FloatArray = points[-1] + moves @ weights
    return extrapolated
