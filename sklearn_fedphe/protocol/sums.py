"""What an objective asks for sums: a ring here, parties elsewhere, or one client of itself."""

from __future__ import annotations

from typing import Protocol

from ..typing import FloatArray, IntegerArray
from .queries import ExactQuery, FloatQuery, GramQuery


class Sums(Protocol):
    """Anything that answers a query with the sum over some clients."""

    @property
    def n_clients(self) -> int:
        """How many clients' answers are added."""

    def sum(self, query: FloatQuery) -> FloatArray:
        """Return the total for `query`."""

    def exact_sum(self, query: GramQuery) -> IntegerArray:
        """Return the total for `query`, without rounding."""


class SecureSums(Protocol):
    """Sums over all clients of a federation, each of them one trip round the ring."""

    n_rounds: int
    """Secure sums made."""

    running_sum_bytes: int
    """Bytes of the running sums that travelled."""

    @property
    def n_clients(self) -> int:
        """How many clients' answers are added."""

    @property
    def n_features(self) -> int:
        """Number of columns, the same for all clients."""

    def sum(self, query: FloatQuery) -> FloatArray:
        """Return the total for `query`."""

    def exact_sum(self, query: ExactQuery) -> IntegerArray:
        """Return the total for `query`, without rounding."""
