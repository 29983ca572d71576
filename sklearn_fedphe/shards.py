"""Shards: every form in which `fit` takes the clients' rows, checked and made one.

A *shard* is what one client holds. Errors name the client by its label.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_array, check_consistent_length, validate_data

from .federation import Federation
from .labels import check_kinds, check_labels, one_array
from .members import Members
from .protocol import MIN_CLIENTS
from .typing import FloatArray


@dataclass(frozen=True)
class Shard:
    """One client's rows, checked.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float32 or float64
    y : ndarray of shape (n_samples,)
    sample_weight : ndarray of shape (n_samples,) or None
    feature_names : ndarray of str of shape (n_features,) or None
    """

    X: NDArray[np.floating[Any]]
    y: FloatArray
    sample_weight: FloatArray | None
    feature_names: NDArray[np.object_] | None

    def take(self, rows: slice | NDArray[np.intp]) -> Shard:
        """Return a shard of some of the rows: a view for a slice, else a copy."""
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return Shard(self.X[rows], self.y[rows], weights, self.feature_names)


Shards: TypeAlias = dict[Hashable, Shard]


def is_shards(X: Any) -> bool:
    """Tell shards from a table: a mapping, an iterable, or a list of tuples of tables."""
    refuse_federation(X)
    if hasattr(X, "shape") or hasattr(X, "__array__"):  # SciPy has mappings that are tables
        return False
    if not isinstance(X, (list, tuple)):
        return isinstance(X, Iterable) and not isinstance(X, (str, bytes))
    return not X or any(
        isinstance(shard, (list, tuple)) and _starts_with_table(shard) for shard in X
    )


def refuse_federation(X: Any) -> None:
    """Refuse a federation where rows are wanted, which it does not show."""
    if isinstance(X, Federation):
        raise TypeError(
            f"A federation ({type(X).__name__}) came where rows are wanted, and its rows stay "
            "with their owners. Pass it to FederatedLinearRegression.fit, alone."
        )


def labelled(shards: Any) -> dict[Hashable, tuple[Any, ...]]:
    """Label shards by the keys of a mapping or else by their position, and check arity."""
    refuse_federation(shards)
    if hasattr(shards, "shape"):
        raise TypeError(
            f"A table ({type(shards).__name__}) came where shards are wanted; cut it by who holds "
            "which row, with split_shards(X, y, clients)."
        )
    pairs = shards.items() if isinstance(shards, Mapping) else enumerate(shards)
    by_label = dict(pairs)
    check_kinds(by_label)
    for label, shard in by_label.items():
        if not isinstance(shard, (list, tuple)) or len(shard) not in (2, 3):
            got = f"{len(shard)} items" if isinstance(shard, (list, tuple)) else type(shard)
            raise ValueError(
                f"client {label!r}: a shard is (X, y) or (X, y, sample_weight), got {got}."
            )
    return by_label


def check_data(
    estimator: BaseEstimator, X: Any, y: Any, clients: Any, sample_weight: Any, groups: Any = None
) -> Shards:
    """Check what came to `fit`, in whichever form."""
    if isinstance(X, (list, tuple)) and X and all(len(getattr(of, "shape", ())) == 2 for of in X):
        raise ValueError(
            f"{len(X)} tables came without their targets; a shard is a pair: pass [(X, y), ...], "
            "or [(X, None), ...] where there is no target."
        )
    if is_shards(X):
        refuse_beside_shards(y=y, clients=clients, sample_weight=sample_weight)
        return check_shards(estimator, X)
    if clients is not None:
        return cut_by_client(estimator, X, y, clients, sample_weight)
    if groups is not None:
        raise ValueError(
            "groups came without clients, so that the rows would be cut in "
            f"n_clients={estimator.n_clients} blocks, whoever holds them. Pass the label of "
            "each row's client as clients=, beside groups or alone; or, if blocks are what you "
            "want, keep groups from fit (with metadata routing: set_fit_request(groups=False))."
        )
    return cut_in_blocks(estimator, X, y, estimator.n_clients, sample_weight)


def refuse_beside_shards(**others: object) -> None:
    """Refuse what shards hold already."""
    _refuse_beside(
        "shards, which hold all there is to say: pass (X, y) or (X, y, sample_weight) for each "
        "client, and nothing else.",
        others,
    )


def refuse_beside_federation(**others: object) -> None:
    """Refuse what a federation's owners keep to themselves."""
    _refuse_beside(
        "a federation, whose owners hold rows, targets and all there is to say of them: pass it "
        "alone.",
        others,
    )


def _refuse_beside(what: str, others: dict[str, object]) -> None:
    given = [name for name, value in others.items() if value is not None]
    if given:
        raise ValueError(f"{' and '.join(given)} came beside {what}")


def check_shards(estimator: BaseEstimator, shards: Any) -> Shards:
    """Check shards to fit.

    Raises
    ------
    ValueError, TypeError
        As scikit-learn's validation does, with the client's label before its text; and
        where the columns of two clients differ, or fewer than three clients are there.
    """
    checked: Shards = {}
    for label, shard in labelled(shards).items():
        with naming(label):
            checked[label] = check_table(estimator, *shard)
            _check_same_columns(label, checked)
    return _check_federation(checked)


def cut_by_client(
    estimator: BaseEstimator, X: Any, y: Any, clients: ArrayLike, sample_weight: Any
) -> Shards:
    """Check one table of all rows and cut it by the label of each row's client.

    The rows of a client that stand together are not copied.
    """
    table = check_table(estimator, X, y, sample_weight)
    labels, client_of_row = check_labels(clients, len(table.y))
    rows = [np.flatnonzero(client_of_row == i) for i in range(len(labels))]
    shards: Shards = {}
    for label, own in zip(labels, rows, strict=True):
        together = own[-1] - own[0] + 1 == len(own)
        shards[label] = table.take(slice(own[0], own[-1] + 1) if together else own)
    return _check_federation(shards)


def cut_in_blocks(
    estimator: BaseEstimator, X: Any, y: Any, n_clients: int, sample_weight: Any
) -> Shards:
    """Check one table and cut it in contiguous blocks of about equal size, without a copy."""
    table = check_table(estimator, X, y, sample_weight)
    n_samples = len(table.y)
    if n_samples < n_clients:
        raise ValueError(
            f"n_samples={n_samples} is less than n_clients={n_clients}, and every client needs "
            "a row; pass more rows or fewer clients."
        )
    edges = [n_samples * i // n_clients for i in range(n_clients + 1)]
    return _check_federation(
        {i: table.take(slice(edges[i], edges[i + 1])) for i in range(n_clients)}
    )


def check_table(estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any = None) -> Shard:
    """Check one table's X, y and weights, as scikit-learn does.

    Where the estimator has no use for a target, whatever came for y is neither looked at nor
    kept, and zeros stand for it.
    """
    supervised = get_tags(estimator).target_tags.required
    if supervised and y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. "
            "Pass y, or a list of (X, y) tuples, one for each client."
        )
    # A clone takes the attributes that validation sets: a fit that fails leaves none behind.
    probe = clone(estimator)
    target = {"y": y, "y_numeric": True} if supervised else {}
    checked = validate_data(probe, X, dtype=[np.float64, np.float32], **target)
    X, y = checked if supervised else (checked, np.zeros(len(checked)))
    if sample_weight is not None:
        sample_weight = _check_sample_weight(sample_weight, X)
    names = getattr(probe, "feature_names_in_", None)
    return Shard(X, y.astype(np.float64, copy=False), sample_weight, names)


def members_of(shards: Shards) -> Members:
    """Say whose shards these are, and of which columns."""
    first = next(iter(shards.values()))
    weighted = (label for label, shard in shards.items() if shard.sample_weight is not None)
    return Members(tuple(shards), first.X.shape[1], first.feature_names, tuple(weighted))


def set_fitted(estimator: BaseEstimator, members: Members, fitted: dict[str, Any]) -> None:
    """Replace the fitted attributes of an earlier fit by those of this one."""
    fitted |= {
        "clients_": one_array(list(members.labels)),
        "n_clients_": len(members.labels),
        "n_features_in_": members.n_features,
    }
    if members.feature_names is not None:
        fitted["feature_names_in_"] = members.feature_names
    for name in [name for name in vars(estimator) if name.endswith("_")]:
        delattr(estimator, name)
    vars(estimator).update(fitted)


def _check_sample_weight(sample_weight: Any, X: NDArray[Any]) -> FloatArray:
    weights: FloatArray = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    if weights.ndim != 1:
        raise ValueError(f"sample_weight must be 1-D, got {weights.ndim} dimensions.")
    check_consistent_length(X, weights)
    if (weights < 0).any():
        raise ValueError("sample_weight must not be negative; drop such rows or weigh them 0.")
    return weights


def _check_same_columns(label: Hashable, shards: Shards) -> None:
    first, *_ = shards
    own, other = shards[label], shards[first]
    if own.X.shape[1] != other.X.shape[1]:
        raise ValueError(
            f"it has {own.X.shape[1]} features and client {first!r} has {other.X.shape[1]}; "
            "all clients need the same columns."
        )
    own_names, other_names = _listed_names(own), _listed_names(other)
    if own_names != other_names:
        raise ValueError(
            f"its columns are {own_names or 'unnamed'} and those of client {first!r} are "
            f"{other_names or 'unnamed'}; all clients need the same columns in the same order."
        )


def _check_federation(shards: Shards) -> Shards:
    for label, shard in shards.items():
        if shard.sample_weight is not None and not shard.sample_weight.any():
            raise ValueError(
                f"client {label!r}: all sample weights are zero, so that it would add nothing and "
                "leave fewer clients to hide among than it seems; leave it out."
            )
    if len(shards) < MIN_CLIENTS:
        raise ValueError(
            f"{len(shards)} clients are here ({list(shards)}), and at least {MIN_CLIENTS} are "
            "needed: of 2, each would subtract its own part from the total and read the other's. "
            "If cross-validation took clients away, use folds that leave rows of at least "
            f"{MIN_CLIENTS} clients to train on."
        )
    return shards


def _starts_with_table(shard: list[Any] | tuple[Any, ...]) -> bool:
    return any(
        len(getattr(item, "shape", ())) > 0 or isinstance(item, (list, tuple))
        for item in shard[:1]
    )


def _listed_names(shard: Shard) -> list[str] | None:
    return None if shard.feature_names is None else shard.feature_names.tolist()


@contextmanager
def naming(label: Hashable) -> Iterator[None]:
    """Put the client's label before the text of an error about its rows."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"client {label!r}: {error}") from error
    except TypeError as error:
        raise TypeError(f"client {label!r}: {error}") from error
