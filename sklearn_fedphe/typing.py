"""Types that every layer uses."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]

IntegerArray: TypeAlias = NDArray[np.object_]
"""Python's integers, of any size, in an array."""
