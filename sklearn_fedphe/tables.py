"""One table with labels <-> shards: the two ways to say which client holds which rows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length

from .labels import check_labels, one_array
from .shards import labelled, naming


def stack_shards(shards: Any) -> tuple[Any, ...]:
    """Put the rows of all clients in one table, with the label of each row's client.

    The inverse of `split_shards`, which takes the values in this order. Whoever calls it
    holds the rows of all clients in the clear.

    Parameters
    ----------
    shards : list, tuple, iterator or dict of (X, y) or (X, y, sample_weight)
        One for each client, any number of them. Labels are the keys of a dict, else
        0 to ``n_clients - 1``.

    Returns
    -------
    X : ndarray or data frame of shape (n_samples, n_features)
        Of the kind that the clients' tables are of; lists become arrays. Types that differ
        between clients are promoted as NumPy, pandas or polars does.
    y : ndarray or series of shape (n_samples,)
        Likewise.
    clients : ndarray of shape (n_samples,)
        Labels. `fit` takes clients in the order of a dict or list, but labels sorted.
    sample_weight : ndarray of shape (n_samples,)
        Only if a client has weights, as only then a shard has a third part. Rows of clients
        without them weigh 1, as for `fit`.

    Raises
    ------
    ValueError, TypeError
        With the client's label, if its rows cannot stand beside the others'.

    Examples
    --------
    >>> from sklearn_fedphe.tables import stack_shards
    >>> X, y, clients = stack_shards({"A": ([[1], [2]], [3, 4]), "B": ([[5]], [6])})
    >>> X.ravel().tolist(), y.tolist(), clients.tolist()
    ([1, 2, 5], [3, 4, 6], ['A', 'A', 'B'])
    """
    tables: dict[Hashable, tuple[Any, Any, NDArray[Any] | None]] = {}
    for label, shard in labelled(shards).items():
        with naming(label):
            tables[label] = _checked(*shard)
            _check_alike(label, tables)
    if not tables:
        raise ValueError("No shards to stack; pass (X, y) for at least one client.")
    Xs, ys, weights = zip(*tables.values(), strict=True)
    clients = np.repeat(one_array(list(tables)), [len(y) for y in ys])
    stacked = _concatenated(Xs), _concatenated(ys), clients
    if all(own is None for own in weights):
        return stacked
    sample_weight = np.concatenate(
        [np.ones(len(y)) if own is None else own for y, own in zip(ys, weights, strict=True)]
    )
    return *stacked, sample_weight


def split_shards(
    X: Any, y: Any, clients: ArrayLike, sample_weight: Any = None
) -> dict[Hashable, tuple[Any, ...]]:
    """Cut one table by the label of each row's client.

    The inverse of `stack_shards`. Rows are copied, and those of a client keep their order.

    Parameters
    ----------
    X : array-like or data frame of shape (n_samples, n_features)
        Parts are of the same kind, with the same columns and types, and with their rows of
        a pandas index; lists become arrays.
    y : array-like or series of shape (n_samples,)
        Likewise.
    clients : array-like of shape (n_samples,)
        Label of the client that holds each row, strings or numbers.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    dict from label to (X, y) or (X, y, sample_weight)
        In the labels' sorted order, which is the order of the ring that
        ``fit(X, y, clients=clients)`` forms.

    Raises
    ------
    ValueError, TypeError
        If there is not one target, label and weight a row.

    Examples
    --------
    >>> from sklearn_fedphe.tables import split_shards
    >>> shards = split_shards([[1], [5], [2]], [3, 6, 4], clients=["A", "B", "A"])
    >>> {label: y.tolist() for label, (X, y) in shards.items()}
    {'A': [3, 4], 'B': [6]}
    """
    X, y, sample_weight = _checked(X, y, sample_weight)
    labels, client_of_row = check_labels(clients, len(y))
    parts = (X, y) if sample_weight is None else (X, y, sample_weight)
    shards = {}
    for i, label in enumerate(labels):
        rows = np.flatnonzero(client_of_row == i)
        shards[label] = tuple(_safe_indexing(part, rows) for part in parts)
    return shards


def _checked(X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, Any, NDArray[Any] | None]:
    """Return tables with a length and a shape, of one length; values are for `fit` to check."""
    if y is None:
        raise ValueError("The target y is None; pass a target for each row.")
    X, y = (part if _library(part) else np.asarray(part) for part in (X, y))
    weights = None if sample_weight is None else np.asarray(sample_weight)
    for name, part, n_dims in (("X", X, 2), ("y", y, 1), ("sample_weight", weights, 1)):
        if part is not None and len(part.shape) != n_dims:
            raise ValueError(
                f"{name} has shape {part.shape}; pass {n_dims}-D data, a row of X, a target and a "
                "weight for each sample."
            )
    check_consistent_length(X, y, weights)
    if len(X) == 0:
        raise ValueError("X has no rows, and no label would tell of such a client; leave it out.")
    return X, y, weights


def _check_alike(label: Hashable, tables: dict[Hashable, tuple[Any, Any, Any]]) -> None:
    first, *_ = tables
    for name, own, other in zip(("X", "y"), tables[label], tables[first], strict=False):
        if _kind(own) != _kind(other):
            raise ValueError(
                f"its {name} is a {_kind(own)} and that of client {first!r} a {_kind(other)}; "
                "turn them into tables of one kind."
            )
    own, other = tables[label][0], tables[first][0]
    if own.shape[1] != other.shape[1]:
        raise ValueError(
            f"it has {own.shape[1]} features and client {first!r} has {other.shape[1]}; all "
            "clients need the same columns."
        )
    if _library(own) and list(own.columns) != list(other.columns):
        raise ValueError(
            f"its columns are {list(own.columns)} and those of client {first!r} are "
            f"{list(other.columns)}; all clients need the same columns in the same order."
        )


def _library(table: Any) -> str | None:
    """Tell whose table it is, without importing what may not be installed."""
    names = {base.__module__.partition(".")[0] for base in type(table).__mro__}
    return next((name for name in ("pandas", "polars") if name in names), None)


def _kind(table: Any) -> str:
    library = _library(table)
    if library is None:
        return "NumPy array"
    return f"{library} {'DataFrame' if len(table.shape) == 2 else 'Series'}"


def _concatenated(parts: tuple[Any, ...]) -> Any:
    match _library(parts[0]):
        case "pandas":
            import pandas as pd

            return pd.concat(parts)
        case "polars":
            import polars as pl

            if isinstance(parts[0], pl.DataFrame):
                return pl.concat(parts, how="vertical_relaxed")
            # Polars promotes types of frames only.
            frames = [part.to_frame(parts[0].name) for part in parts]
            return pl.concat(frames, how="vertical_relaxed").to_series()
    return np.concatenate(parts)
