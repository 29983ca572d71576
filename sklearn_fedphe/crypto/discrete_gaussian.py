"""Discrete Gaussian noise, drawn by OpenDP. The only module that imports it.

Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS
2020, algorithm 3: exact, in rational arithmetic, from the operating system's randomness.
"""

from __future__ import annotations

import numpy as np

from ..typing import IntegerArray

MAX_SCALE = 2.0**59
"""OpenDP draws integers of 64 bits, and gives the largest one for all beyond. That is 16 of
these deviations away: it happens with a probability below ``2**-180``."""


def discrete_gaussian(scale: float, size: int) -> IntegerArray:
    """Draw independent integers. Run by a client, which keeps them to itself.

    Parameters
    ----------
    scale : float
        About the standard deviation; at most `MAX_SCALE`.
    size : int
        How many.

    Returns
    -------
    ndarray of int of shape (size,)
        Each k with a probability proportional to ``exp(-k**2 / (2 * scale**2))``.

    Raises
    ------
    ValueError
        If `scale` is larger.
    ImportError
        If OpenDP is not installed.
    """
    if not scale <= MAX_SCALE:
        raise ValueError(
            f"Noise of a scale of {scale:.3g}, where integers of 64 bits hold up to "
            f"{MAX_SCALE:.3g}; use a larger epsilon or delta."
        )
    try:
        import opendp.prelude as dp
    except ImportError as error:
        raise ImportError(
            "Differential privacy needs dp-accounting and OpenDP: pip install "
            "'sklearn_fedphe[privacy]'"
        ) from error
    # OpenDP's word for what its own reviewers have not proven line by line.
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="i64")
    drawn = dp.m.make_gaussian(*space, scale=scale)([0] * size)
    return np.array([int(number) for number in drawn], dtype=object)
