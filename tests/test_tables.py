"""One table with labels and shards say the same, and lead back to each other."""

import re

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.tables import split_shards, stack_shards

X = np.arange(24.0).reshape(8, 3)
y = np.arange(8.0)
CLIENTS = ["east", "north", "east", "south", "south", "north", "east", "south"]
ROWS = {"east": [0, 2, 6], "north": [1, 5], "south": [3, 4, 7]}


def as_array(X, y):
    return X, y


def as_pandas(X, y):
    index = np.arange(100, 100 + len(y))
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1].astype("float32"), "c": X[:, 2].astype("i2")})
    return frame.set_index(index), pd.Series(y.astype(int), index, name="target")


def as_polars(X, y):
    frame = pl.DataFrame({"a": X[:, 0], "b": X[:, 1].astype("float32"), "c": X[:, 2].astype("i2")})
    return frame, pl.Series("target", y.astype(int))


def as_float32(X, y):
    return X.astype(np.float32), y.astype(np.int16)


KINDS = pytest.mark.parametrize("kind", [as_array, as_pandas, as_polars, as_float32])


def assert_equal(one, other):
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
        return
    library = pd.testing if hasattr(one, "iloc") else polars.testing
    if len(one.shape) == 2:
        library.assert_frame_equal(one, other)
    else:
        library.assert_series_equal(one, other)


def rows_of(table, rows):
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_a_table_is_split_by_label_and_keeps_kind_types_and_order(kind, weighted):
    table, target = kind(X, y)
    weights = np.linspace(0, 1, 8, dtype=np.float32) if weighted else None

    shards = split_shards(table, target, CLIENTS, weights)

    assert list(shards) == ["east", "north", "south"]
    for label, rows in ROWS.items():
        own_X, own_y, *own_weights = shards[label]
        assert_equal(own_X, rows_of(table, rows))
        assert_equal(own_y, rows_of(target, rows))
        assert len(own_weights) == weighted
        for own in own_weights:
            assert_equal(own, weights[rows])


@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_splitting_what_was_stacked_gives_the_shards_again(kind, weighted):
    table, target = kind(X, y)
    weights = [np.linspace(0, 1, 8)] if weighted else []
    shards = {
        label: tuple(rows_of(part, rows) for part in (table, target, *weights))
        for label, rows in (("south", [7, 3]), ("east", [0]), ("north", [4, 5, 2]))
    }

    again = split_shards(*stack_shards(shards))

    assert list(again) == ["east", "north", "south"]
    for label, shard in shards.items():
        assert len(again[label]) == len(shard)
        for one, other in zip(again[label], shard, strict=True):
            assert_equal(one, other)


@KINDS
def test_stacking_what_was_split_gives_the_rows_client_by_client(kind):
    table, target = kind(X, y)
    order = np.argsort(CLIENTS, kind="stable")

    stacked_X, stacked_y, clients = stack_shards(split_shards(table, target, CLIENTS))

    assert_equal(stacked_X, rows_of(table, order))
    assert_equal(stacked_y, rows_of(target, order))
    assert clients.tolist() == sorted(CLIENTS)


@given(
    labels=st.lists(
        st.one_of(st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.booleans()),
        min_size=1,
        unique=True,
    )
    | st.lists(st.text(), min_size=1, unique=True)
)
def test_labels_survive_the_way_whatever_they_are(labels):
    shards = {label: (X[:2] + i, y[:2] + i) for i, label in enumerate(labels)}

    again = split_shards(*stack_shards(shards))

    assert again.keys() == shards.keys()
    assert all(again[label][0][0, 0] == shards[label][0][0, 0] for label in labels)


def test_labels_of_one_type_make_an_array_of_it_and_lists_are_numbered():
    shards = [(X[:1], y[:1]), (X[1:4], y[1:4])]

    assert stack_shards(shards)[2].dtype == int
    assert stack_shards(iter(shards))[2].tolist() == [0, 1, 1, 1]
    assert stack_shards(dict(zip("AB", shards, strict=True)))[2].dtype.kind == "U"
    assert stack_shards({2**53 + 1: shards[0], 0.5: shards[1]})[2].dtype == object


def test_lists_become_arrays():
    stacked_X, stacked_y, *_ = stack_shards([([[1, 2]], [3]), (np.array([[4, 5]]), (6,))])

    assert_equal(stacked_X, np.array([[1, 2], [4, 5]]))
    assert_equal(stacked_y, np.array([3, 6]))


def test_rows_without_weights_weigh_one_beside_rows_with():
    shards = {"A": (X[:2], y[:2]), "B": (X[2:4], y[2:4], pd.Series([2, 3], index=[8, 9]))}

    weights = stack_shards(shards)[3]

    assert_equal(weights, np.array([1.0, 1.0, 2.0, 3.0]))


def test_types_that_differ_are_promoted():
    for kind in (as_pandas, as_polars):
        (one_X, one_y), (other_X, other_y) = kind(X, y), kind(X, y)
        other_X = type(other_X)({name: other_X[name] + 0.5 for name in "abc"})
        other_y = other_y + 0.5

        stacked_X, stacked_y, *_ = stack_shards([(one_X, one_y), (other_X, other_y)])

        np.testing.assert_array_equal(stacked_X["c"], [*one_X["c"], *other_X["c"]])
        np.testing.assert_array_equal(stacked_y, [*one_y, *other_y])


def test_split_tables_share_no_memory_with_the_whole():
    shards = split_shards(X, y, np.repeat(["A", "B"], 4))

    assert not any(np.shares_memory(part, X) for part, _ in shards.values())


@pytest.mark.usefixtures("known_key")
@pytest.mark.parametrize("weighted", [False, True])
def test_fits_of_both_forms_are_the_same_to_the_last_bit(diabetes, weighted):
    X, y = diabetes
    clients = np.array(["A", "B", "C"])[np.arange(442) % 3]
    weights = np.linspace(0, 1, 442) if weighted else None
    est = FederatedLinearRegression(key_length=2048)
    shards = split_shards(X, y, clients, weights)

    by_shards = est.fit(shards).coef_
    by_label = est.fit(X, y, clients=clients, sample_weight=weights).coef_
    stacked_X, stacked_y, labels, *rest = stack_shards(shards)
    est.fit(stacked_X, stacked_y, clients=labels, sample_weight=rest[0] if weighted else None)

    np.testing.assert_array_equal(by_label, by_shards)
    np.testing.assert_array_equal(est.coef_, by_shards)
    assert est.clients_.tolist() == ["A", "B", "C"]


GOOD = (X[:2], y[:2])
FRAME, SERIES = as_pandas(X, y)
BAD = {
    "none": ([], "^No shards to stack; pass"),
    "labels": ({1: GOOD, "B": GOOD}, "Labels of clients are all strings or all numbers"),
    "y missing": ([GOOD, (X, None)], "client 1: The target y is None; pass a target for each row"),
    "X 1-D": ([GOOD, (y, y)], r"client 1: X has shape \(8,\); pass 2-D data"),
    "X sparse": ([GOOD, (csr_array(X), y)], r"client 1: X has shape \(\); pass 2-D data"),
    "X ragged": ([GOOD, ([[1], [2, 3]], y[:2])], "client 1: .*inhomogeneous"),
    "y 2-D": ([GOOD, (X, X)], r"client 1: y has shape \(8, 3\); pass 1-D data"),
    "weights 2-D": ([GOOD, (X, y, X)], r"client 1: sample_weight has shape \(8, 3\); pass 1-D"),
    "y short": ([GOOD, (X, y[:5])], r"client 1: Found input .* numbers of samples: \[8, 5\]"),
    "weights short": ([GOOD, (X, y, y[:5])], r"client 1: Found input .*: \[8, 8, 5\]"),
    "no rows": ([GOOD, (X[:0], y[:0])], "client 1: X has no rows, and no label would tell of"),
    "features": (
        {"A": GOOD, "B": (X[:, :2], y)},
        "client 'B': it has 2 features and client 'A' has 3; all clients need the same columns",
    ),
    "kinds of X": (
        [(FRAME, y), as_polars(X, y)],
        "client 1: its X is a polars DataFrame and that of client 0 a pandas DataFrame; turn",
    ),
    "kinds of y": (
        [(FRAME, y), (FRAME, SERIES)],
        "client 1: its y is a pandas Series and that of client 0 a NumPy array; turn them into",
    ),
    "columns": (
        [(FRAME, y), (FRAME[["a", "c", "b"]], y)],
        re.escape("client 1: its columns are ['a', 'c', 'b'] and those of client 0 are ['a', 'b'"),
    ),
}


@pytest.mark.parametrize(("shards", "text"), BAD.values(), ids=BAD)
def test_what_cannot_be_stacked_is_refused_by_name(shards, text):
    with pytest.raises(ValueError, match=text):
        stack_shards(shards)


BAD_TABLES = {
    "y missing": ((X, None, CLIENTS), "The target y is None"),
    "y short": ((X, y[:5], CLIENTS), "Found input variables with inconsistent"),
    "weights short": ((X, y, CLIENTS, y[:5]), "Found input variables with inconsistent"),
    "labels short": ((X, y, CLIENTS[:5]), r"clients has shape \(5,\) where X has 8 rows"),
    "labels missing": ((X, y, [*CLIENTS[:7], None]), "none is missing or NaN; got"),
    "no rows": ((X[:0], y[:0], []), "X has no rows"),
}


@pytest.mark.parametrize(("given", "text"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_what_cannot_be_split_is_refused(given, text):
    with pytest.raises(ValueError, match=text):
        split_shards(*given)
