"""Linear regression over several owners' rows, none of which leaves its owner."""

from .evaluation import evaluate, own_scores
from .linear_model import FederatedLinearRegression
from .preprocessing import FederatedStandardScaler
from .privacy import GaussianPrivacy
from .tables import split_shards, stack_shards

__version__ = "0.1.0"

__all__ = [
    "FederatedLinearRegression",
    "FederatedStandardScaler",
    "GaussianPrivacy",
    "__version__",
    "evaluate",
    "own_scores",
    "split_shards",
    "stack_shards",
]
