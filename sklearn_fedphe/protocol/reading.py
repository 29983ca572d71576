"""What an observer reads of the public messages; parties parse what they wait for instead."""

from __future__ import annotations

import numpy as np

from ..typing import FloatArray
from .envelope import TOTAL, QueryHeader
from .queries import Query
from .query_bytes import query_from_bytes


def read_query(payload: bytes, n_features: int) -> Query:
    """Return the query in a message of kind "query".

    Parameters
    ----------
    payload : bytes
        Of the message.
    n_features : int
        Number of columns of the fit.

    Returns
    -------
    Query
        One of the dataclasses of `queries`.
    """
    return query_from_bytes(QueryHeader.open(payload)[1], n_features)


def read_total(payload: bytes) -> FloatArray:
    """Return the floats in a message of kind "total", of any query that floats answer.

    Parameters
    ----------
    payload : bytes
        Of the message.

    Returns
    -------
    ndarray
        The total over all clients.
    """
    return np.frombuffer(TOTAL.open(payload)[1], "<f8").astype(np.float64)
