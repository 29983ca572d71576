"""Shards, `clients=` and one table are three ways of saying the same."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from sklearn_fedphe import FederatedLinearRegression

pytestmark = pytest.mark.usefixtures("known_key")


def fit(*args, **kwargs):
    return FederatedLinearRegression(key_length=2048).fit(*args, **kwargs)


def assert_same(one, other):
    np.testing.assert_array_equal(one.coef_, other.coef_)
    assert one.intercept_ == other.intercept_
    assert one.n_rounds_ == other.n_rounds_


@st.composite
def federations(draw):
    """Sizes of the clients, and rows enough to be well posed."""
    n_features = draw(st.integers(1, 4))
    sizes = draw(st.lists(st.integers(4, 30), min_size=3, max_size=6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = sum(sizes)
    X = generator.normal(size=(n, n_features)) * 10.0 ** draw(st.integers(-6, 6))
    y = generator.normal(size=n) + draw(st.integers(-100, 100))
    weights = generator.uniform(0.1, 2.0, size=n) if draw(st.booleans()) else None
    return sizes, X, y, weights


def shards_of(federation, cut):
    sizes, X, y, weights = federation
    return cut(sizes, *((X, y) if weights is None else (X, y, weights)))


@given(federation=federations())
@settings(max_examples=10)
def test_the_forms_give_the_same_model(federation, cut):
    sizes, X, y, weights = federation
    shards = shards_of(federation, cut)
    labels = np.repeat(np.arange(len(sizes)), sizes)

    from_shards = fit(shards)

    assert_same(from_shards, fit(tuple(shards)))
    assert_same(from_shards, fit(shard for shard in shards))
    assert_same(from_shards, fit(dict(zip("ABCDEF", shards, strict=False))))
    assert_same(from_shards, fit(dict(enumerate(shards)).values()))
    assert_same(from_shards, fit(X, y, clients=labels, sample_weight=weights))


@given(federation=federations(), data=st.data())
@settings(max_examples=10)
def test_equals_the_pooled_fit_whatever_the_order_of_clients(federation, data, cut):
    _, X, y, weights = federation
    shards = shards_of(federation, cut)
    pooled = LinearRegression().fit(X, y, weights)

    federated = fit(shards)
    shuffled = fit(data.draw(st.permutations(shards)))

    atol = 1e-9 * np.abs(pooled.predict(X)).max()
    np.testing.assert_allclose(federated.predict(X), pooled.predict(X), rtol=1e-7, atol=atol)
    assert_same(federated, shuffled)


@given(federation=federations(), data=st.data())
@settings(max_examples=10)
def test_splitting_a_client_changes_only_the_number_of_clients(federation, data, cut):
    sizes, X, y, weights = federation
    i = data.draw(st.integers(0, len(sizes) - 1))
    first = data.draw(st.integers(1, sizes[i] - 1))
    split = [*sizes[:i], first, sizes[i] - first, *sizes[i + 1 :]]

    whole = fit(shards_of(federation, cut))
    est = FederatedLinearRegression(key_length=2048, min_rows=1)
    parted = est.fit(shards_of((split, X, y, weights), cut))

    assert parted.n_clients_ == whole.n_clients_ + 1
    np.testing.assert_allclose(parted.coef_, whole.coef_, rtol=1e-8, atol=1e-10 / X.std())
    np.testing.assert_allclose(parted.intercept_, whole.intercept_, rtol=1e-8, atol=1e-10)


def test_a_table_is_cut_in_contiguous_blocks(diabetes, cut):
    X, y = diabetes
    est = FederatedLinearRegression(key_length=2048, n_clients=4)

    blocks = est.fit(X, y)

    assert_same(blocks, fit(cut([110, 111, 110, 111], X, y)))
    np.testing.assert_array_equal(blocks.clients_, [0, 1, 2, 3])
    assert blocks.n_clients_ == 4


def test_rows_of_a_client_need_not_stand_together(diabetes):
    X, y = diabetes
    labels = np.array(["north", "east", "south", "west"])[np.arange(442) % 4]

    by_label = fit(X, y, clients=labels)

    parts = {name: (X[labels == name], y[labels == name]) for name in sorted(set(labels))}
    assert_same(by_label, fit(parts))
    np.testing.assert_array_equal(by_label.clients_, ["east", "north", "south", "west"])


@pytest.mark.parametrize(
    "labels",
    [
        [3, 1, 2] * 147,
        [3.0, 1.0, 2.0] * 147,
        ["c", "a", "b"] * 147,
        pd.Series(["c", "a", "b"] * 147, dtype="category"),
        pd.Series(["c", "a", "b"] * 147, index=range(1000, 1441)),
        pl.Series([3, 1, 2] * 147),
        np.array([3, 1, 2] * 147, dtype=np.uint8),
    ],
    ids=["int", "float", "str", "category", "index", "polars", "uint8"],
)
def test_labels_of_every_kind(diabetes, labels):
    X, y = diabetes[0][:441], diabetes[1][:441]

    est = fit(X, y, clients=labels)

    assert est.clients_.tolist() in ([1, 2, 3], ["a", "b", "c"])
    np.testing.assert_allclose(est.coef_, LinearRegression().fit(X, y).coef_, rtol=1e-6)


def test_labels_are_not_rounded_to_one_type(diabetes):
    X, y = diabetes[0][:441], diabetes[1][:441]

    est = fit(X, y, clients=[2**53, 2**53 + 1, 1.5] * 147)

    assert est.clients_.tolist() == [1.5, 2**53, 2**53 + 1]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_keep_their_names(diabetes, cut, frame):
    X, y = diabetes
    names = [f"feature {i}" for i in range(10)]

    est = fit(
        [(frame(dict(zip(names, X.T, strict=True))), y) for X, y in cut([99, 99, 244], X, y)]
    )

    assert est.feature_names_in_.tolist() == names
    table = frame(dict(zip(names, X.T, strict=True)))
    np.testing.assert_allclose(est.predict(table), X @ est.coef_ + est.intercept_, rtol=1e-12)
    # A frame's columns and a cut table's lie differently in memory, and BLAS adds them so.
    stacked = fit(table, y, clients=np.repeat([0, 1, 2], [99, 99, 244]))
    np.testing.assert_allclose(stacked.coef_, est.coef_, rtol=1e-9)
    assert stacked.feature_names_in_.tolist() == names


def test_a_second_fit_leaves_nothing_of_the_first(diabetes, cut):
    X, y = diabetes
    frames = [(pd.DataFrame(X).add_prefix("x"), y) for X, y in cut([99, 99, 244], X, y)]
    est = FederatedLinearRegression(
        key_length=2048, init="local", tol=None, max_iter=3, learning_rate=0.1
    ).fit(frames)
    assert {"feature_names_in_", "client_coef_"} <= vars(est).keys()

    est.set_params(init="zeros").fit(X, y)

    assert not {"feature_names_in_", "client_coef_", "client_intercept_"} & vars(est).keys()


def test_float32_is_fitted_as_float64_would_be(diabetes, cut):
    X, y = diabetes
    X32 = X.astype(np.float32)

    assert_same(fit(cut([99, 99, 244], X32, y)), fit(cut([99, 99, 244], X32.astype(float), y)))


def test_integers_and_lists_will_do():
    X = np.arange(24).reshape(12, 2) % 7
    y = X @ [2, -3] + 1

    est = fit([(X[i : i + 4].tolist(), y[i : i + 4].tolist()) for i in (0, 4, 8)])

    np.testing.assert_allclose(est.coef_, [2, -3])
    assert est.intercept_ == pytest.approx(1)


@pytest.mark.parametrize("weighted", [False, True])
def test_score_of_shards_is_that_of_their_rows(diabetes, cut, weighted):
    X, y = diabetes
    weights = np.linspace(0, 1, 442) if weighted else None
    est = fit(X, y)

    arrays = (X, y, weights) if weighted else (X, y)
    expected = est.score(X, y, weights)

    shards = cut([400, 42], *arrays)
    assert est.score(shards) == pytest.approx(expected, rel=1e-12)
    assert est.score({"A": shards[0], "B": shards[1]}) == pytest.approx(expected, rel=1e-12)


def test_shards_with_and_without_weights_go_together(diabetes, cut):
    X, y = diabetes
    one, two, three = cut([99, 99, 244], X, y)

    assert_same(fit([one, (*two, np.ones(99)), three]), fit([one, two, three]))
    est = fit([one, two, three])
    assert est.score([one, (*two, np.ones(99)), three]) == pytest.approx(est.score(X, y))
