"""Linear regression over several owners' rows, none of which leaves its owner."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "FederatedLinearRegression": "linear_model",
    "FederatedStandardScaler": "preprocessing",
    "GaussianPrivacy": "privacy",
    "evaluate": "evaluation",
    "own_scores": "evaluation",
    "split_shards": "tables",
    "stack_shards": "tables",
}


def __getattr__(name: str) -> Any:
    # When it is asked for (PEP 562): a party on a machine of its own needs no scikit-learn.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
