"""Sums over one client's rows alone, for a client that trains by itself."""

from __future__ import annotations

from ..least_squares import LeastSquares
from ..typing import FloatArray, IntegerArray
from .answers import answer, exact_answer
from .queries import FloatQuery, GramQuery


class OwnSum:
    """The sums of one client over its own rows: what it learns alone, telling nobody.

    Parameters
    ----------
    rows : LeastSquares
        The client's.
    """

    n_clients = 1

    def __init__(self, rows: LeastSquares) -> None:
        self._rows = rows

    def sum(self, query: FloatQuery) -> FloatArray:
        """Answer a query from the client's own rows, in the clear. Run by the client.

        Parameters
        ----------
        query : FloatQuery
            What is asked.

        Returns
        -------
        ndarray
            The client's own values. They stay with it.
        """
        return answer(query, self._rows)

    def exact_sum(self, query: GramQuery) -> IntegerArray:
        """Answer a query from the client's own rows, in the clear. Run by the client.

        Parameters
        ----------
        query : GramQuery
            What is asked.

        Returns
        -------
        ndarray of int
            The client's own values. They stay with it.
        """
        return exact_answer(query, self._rows)
