"""A federation of machines on NVIDIA FLARE, which needs the extra ``nvflare``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analyst import NVFlareFederation
    from .server_calls import FederationError

__all__ = ["FederationError", "NVFlareFederation"]

_HOMES = {"FederationError": "server_calls", "NVFlareFederation": "analyst"}


def __getattr__(name: str) -> Any:
    # When it is asked for (PEP 562): a site needs nothing of the analyst's.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
