"""What an objective asks for sums: a ring here, parties elsewhere, or one client of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from ..typing import FloatArray, IntegerArray
from .envelope import Round
from .messages import exact_total_from_bytes, total_from_bytes
from .queries import ExactQuery, FloatQuery, GramQuery, Query, answer_size


class Sums(Protocol):
    """Anything that answers a query with the sum over some clients."""

    @property
    def n_clients(self) -> int:
        """How many clients' answers are added."""

    def sum(self, query: FloatQuery) -> FloatArray:
        """Return the total for `query`."""

    def exact_sum(self, query: GramQuery) -> IntegerArray:
        """Return the total for `query`, without rounding."""


class SecureSums(ABC):
    """Sums over all clients of a federation, each of them one trip round the ring.

    Attributes
    ----------
    n_rounds : int
        Secure sums made.
    running_sum_bytes : int
        Bytes of the running sums that travelled.
    """

    def __init__(self) -> None:
        self.n_rounds = 0
        self.running_sum_bytes = 0

    @property
    @abstractmethod
    def n_clients(self) -> int:
        """Clients in the ring."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Number of columns, the same for all clients."""

    def sum(self, query: FloatQuery) -> FloatArray:
        """Make one trip round the ring.

        Parameters
        ----------
        query : FloatQuery
            Which vector to sum; public.

        Returns
        -------
        ndarray
            The total over all clients.
        """
        total, of_round = self._trip(query)
        return total_from_bytes(total, answer_size(query, self.n_features), of_round)

    def exact_sum(self, query: ExactQuery) -> IntegerArray:
        """Make one trip round the ring for a vector of integers.

        Parameters
        ----------
        query : ExactQuery
            Which vector to sum; public.

        Returns
        -------
        ndarray of int
            The total over all clients, not rounded.
        """
        total, of_round = self._trip(query)
        size = answer_size(query, self.n_features)
        return exact_total_from_bytes(total, query.slots.slot_bits, size, of_round)

    @abstractmethod
    def _trip(self, query: Query) -> tuple[bytes, Round]:
        """Make one trip round the ring; return the total's message and its round."""
