"""Pictures of a fit, by scikit-learn's convention for displays."""

from .convergence import ConvergenceDisplay
from .federation import FederationDisplay

__all__ = ["ConvergenceDisplay", "FederationDisplay"]
