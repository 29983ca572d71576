"""Linear regression over several owners' rows, none of which leaves its owner."""

from .linear_model import FederatedLinearRegression

__version__ = "0.1.0"

__all__ = ["FederatedLinearRegression", "__version__"]
