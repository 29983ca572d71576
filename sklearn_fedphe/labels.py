"""Labels of clients: what a client may be called."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def check_labels(clients: ArrayLike, n_samples: int) -> tuple[list[Hashable], NDArray[np.intp]]:
    """Check a label for each row.

    Returns
    -------
    labels : list
        Each label once, sorted.
    client_of_row : ndarray of shape (n_samples,)
        Index into `labels`.

    Raises
    ------
    ValueError
    """
    labels = np.asarray(clients, dtype=object)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"clients has shape {labels.shape} where X has {n_samples} rows; pass one label a row."
        )
    plain = [label.item() if isinstance(label, np.generic) else label for label in labels]
    check_kinds(plain)
    # Not NumPy's unique: an array of numbers of several types would round large ones.
    unique = sorted(set(plain))
    index = {label: i for i, label in enumerate(unique)}
    return unique, np.fromiter((index[label] for label in plain), np.intp, n_samples)


def check_kinds(labels: Iterable[object]) -> None:
    """Refuse labels that are neither all strings nor all numbers."""
    examples = {_kind_of_label(label): label for label in labels}
    if len(examples) > 1 or None in examples:
        got = " and ".join(sorted(map(repr, examples.values())))
        raise ValueError(
            "Labels of clients are all strings or all numbers, and none is missing or NaN; got "
            f"{got}. Turn labels of other kinds into strings."
        )


def one_array(labels: list[Hashable]) -> NDArray[Any]:
    """Return labels as an array of NumPy's own type where that holds them as they are."""
    # It rounds integers beside floats, and cuts zeros off the ends of strings.
    plain = np.array(labels)
    return plain if plain.tolist() == labels else np.array(labels, dtype=object)


def _kind_of_label(label: object) -> str | None:
    if isinstance(label, str):
        return "string"
    return "number" if isinstance(label, Real) and not math.isnan(label) else None
