"""Who takes part in a fit, and in which columns: what is public before it begins."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Members:
    """The clients of a fit and the columns that they agree on.

    Parameters
    ----------
    labels : tuple of hashable
        Of the clients, in the order of the ring.
    n_features : int
        Number of columns, the same for all.
    feature_names : ndarray of str of shape (n_features,) or None
        Names of the columns, where all clients have names.
    weighted : tuple of hashable
        Labels of the clients that have sample weights.
    """

    labels: tuple[Hashable, ...]
    n_features: int
    feature_names: NDArray[np.object_] | None = None
    weighted: tuple[Hashable, ...] = ()
