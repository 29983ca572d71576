"""A federation of machines on NVIDIA FLARE, which needs the extra ``nvflare``."""

from .admin_session import FederationError
from .analyst import NVFlareFederation

__all__ = ["FederationError", "NVFlareFederation"]
