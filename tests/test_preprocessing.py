"""The federated scaler is StandardScaler on the pooled rows, of which totals alone are told."""

import pickle
import re
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.crypto.paillier import PrivateKey
from sklearn_fedphe.preprocessing import FederatedStandardScaler
from sklearn_fedphe.protocol import KEY_HOLDER, observe, ring
from sklearn_fedphe.protocol.queries import SquaresQuery, SumsQuery
from sklearn_fedphe.protocol.reading import read_query, read_total

pytestmark = pytest.mark.usefixtures("known_key")

SIZES = [7, 95, 340]
LABELS = np.repeat(["A", "B", "C"], SIZES)


@parametrize_with_checks(
    [
        FederatedStandardScaler(key_length=2048),
        FederatedStandardScaler(key_length=2048, with_mean=False, n_clients=4),
        FederatedStandardScaler(key_length=2048, with_std=False),
    ]
)
def test_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def patients():
    """The diabetes data as they were measured, in units of many sizes."""
    return load_diabetes(return_X_y=True, scaled=False)


@pytest.fixture(scope="module")
def shards(patients, cut):
    return cut(SIZES, *patients)


def scaler(**parameters):
    return FederatedStandardScaler(key_length=2048, **parameters)


def assert_same(one, other):
    for name in ("mean_", "var_", "scale_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert one.n_samples_seen_ == other.n_samples_seen_
    assert one.n_rounds_ == other.n_rounds_


def assert_pooled(federated, pooled, X):
    for name in ("mean_", "var_", "scale_"):
        own, expected = getattr(federated, name), getattr(pooled, name)
        assert (own is None) == (expected is None)
        if own is not None:
            np.testing.assert_allclose(own, expected, rtol=1e-12)
    assert federated.n_samples_seen_ == pytest.approx(pooled.n_samples_seen_, rel=1e-12)
    Z = federated.transform(X)
    # Two means that differ in their last digits are so many digits apart once scaled.
    digits = 1e-15 * np.abs(X).max(axis=0) / (1 if pooled.scale_ is None else pooled.scale_)
    np.testing.assert_array_less(np.abs(Z - pooled.transform(X)), 1e-11 * (1 + np.abs(Z)) + digits)
    np.testing.assert_allclose(federated.inverse_transform(Z), X, rtol=1e-12)


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("with_std", [True, False])
def test_equals_the_scaler_on_pooled_rows(patients, shards, with_mean, with_std):
    X, _ = patients
    parameters = {"with_mean": with_mean, "with_std": with_std}

    federated = scaler(**parameters).fit(shards)

    assert_pooled(federated, StandardScaler(**parameters).fit(X), X)
    assert type(federated.n_samples_seen_) is int
    assert federated.n_rounds_ == 1 + with_std


def test_weights_are_those_of_the_pooled_scaler(patients, cut):
    X, y = patients
    weights = np.random.default_rng(0).uniform(0, 3, size=442)
    weights[::5] = 0

    federated = scaler().fit(cut(SIZES, X, y, weights))

    assert_pooled(federated, StandardScaler().fit(X, sample_weight=weights), X)
    assert type(federated.n_samples_seen_) is float
    assert_same(federated, scaler().fit(X, clients=LABELS, sample_weight=weights))


def test_one_client_with_weights_makes_all_weighted(shards):
    one, (X, y), three = shards
    assert_same(scaler().fit([one, (X, y, np.ones(95)), three]), scaler().fit(shards))


def test_a_large_mean_costs_no_digits(cut):
    X = 1e8 + np.random.default_rng(0).normal(size=(442, 3))

    federated = scaler().fit(cut(SIZES, X, X[:, 0]))

    assert_pooled(federated, StandardScaler().fit(X), X)
    for column, mean, variance in zip(X.T, federated.mean_, federated.var_, strict=True):
        exact = list(map(Fraction, column))
        center = sum(exact) / 442
        assert mean == pytest.approx(float(center), rel=2.3e-16)
        expected = float(sum((value - center) ** 2 for value in exact) / 442)
        assert variance == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weight", [None, 1.0, 1e-6, 1e9])
def test_a_constant_column_is_centered_and_not_scaled(cut, weight):
    """Constants that binary numbers round, so that their mean need not be exact either."""
    X = np.tile([0.0, 0.1, 1 / 3, -1e8 / 7, 1e-12 / 3], (442, 1))
    weights = () if weight is None else (np.full(442, weight * 0.3),)

    federated = scaler().fit(cut(SIZES, X, X[:, 0], *weights))

    np.testing.assert_array_equal(federated.scale_, np.ones(5))
    np.testing.assert_allclose(federated.transform(X), 0, atol=1e-8)


def test_weights_decide_nothing_of_what_is_constant(cut):
    """Weights of a large sum: by that sum, and not by the rows, this column would be constant."""
    X = 1 + 1e-7 * np.random.default_rng(0).normal(size=(442, 1))

    weighted = scaler().fit(cut(SIZES, X, X[:, 0], np.full(442, 1e8)))

    np.testing.assert_allclose(weighted.scale_, X.std(axis=0), rtol=1e-8)


@st.composite
def federations(draw):
    sizes = draw(st.lists(st.integers(3, 30), min_size=3, max_size=6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    X = generator.normal(size=(sum(sizes), 3)) + draw(st.integers(-100, 100))
    X *= 10.0 ** draw(st.integers(-12, 12))
    weights = generator.uniform(0.1, 2.0, size=len(X)) if draw(st.booleans()) else None
    return sizes, X, weights


@given(federation=federations(), data=st.data())
@settings(max_examples=8)
def test_the_forms_and_the_order_of_clients_give_the_same(federation, data, cut):
    sizes, X, weights = federation
    y = np.zeros(len(X))
    shards = cut(sizes, *((X, y) if weights is None else (X, y, weights)))
    labels = np.repeat(np.arange(len(sizes)), sizes)

    from_shards = scaler().fit(shards)

    assert_same(from_shards, scaler().fit(tuple(shards)))
    assert_same(from_shards, scaler().fit(iter(shards)))
    assert_same(from_shards, scaler().fit(dict(zip("ABCDEF", shards, strict=False))))
    assert_same(from_shards, scaler().fit(X, clients=labels, sample_weight=weights))
    assert_same(from_shards, scaler().fit(data.draw(st.permutations(shards))))
    pooled = StandardScaler().fit(X, sample_weight=weights)
    np.testing.assert_allclose(from_shards.mean_, pooled.mean_, rtol=1e-12, atol=1e-15 * X.std())
    np.testing.assert_allclose(from_shards.var_, pooled.var_, rtol=1e-12)


def test_a_table_is_cut_in_contiguous_blocks(patients, cut):
    X, y = patients

    blocks = scaler(n_clients=4).fit(X)

    assert_same(blocks, scaler().fit(cut([110, 111, 110, 111], X, y)))
    np.testing.assert_array_equal(blocks.clients_, [0, 1, 2, 3])
    assert blocks.n_clients_ == 4


def test_the_target_is_not_looked_at(patients, shards):
    X, _ = patients
    fitted = scaler().fit(shards)

    assert_same(fitted, scaler().fit([(X, None) for X, _ in shards]))
    assert_same(fitted, scaler().fit([(X, ["sick"] * len(X)) for X, _ in shards]))
    assert_same(fitted, scaler().fit(X, np.full(442, np.nan), clients=LABELS))


def test_shards_come_back_as_they_came(shards):
    weights = np.ones(95)
    one, (X, y), three = shards
    given = [one, (X, y, weights), three]
    est = scaler()
    expected = est.fit_transform(given)

    assert isinstance(expected, list)
    for (Z, *rest), (own, *passed), back in zip(
        expected, given, est.inverse_transform(expected), strict=True
    ):
        np.testing.assert_array_equal(Z, est.transform(own))
        np.testing.assert_allclose(back[0], own, rtol=1e-13)
        assert all(one is other for one, other in zip(rest, passed, strict=True))
    for of_kind, kind in [
        (tuple(given), tuple),
        (iter(given), list),
        (dict(zip("ABC", given, strict=True)), dict),
        (dict(zip("ABC", given, strict=True)).values(), list),
    ]:
        got = scaler().fit_transform(of_kind)
        assert type(got) is kind
        if kind is dict:
            assert list(got) == ["A", "B", "C"]
            got = got.values()
        for (Z, *_), (same, *_) in zip(got, expected, strict=True):
            np.testing.assert_array_equal(Z, same)
    assert isinstance(est.transform(iter(given)), list)


def test_one_shard_will_do_to_transform(shards):
    est = scaler().fit(shards)

    ((Z, y),) = est.transform(shards[:1])

    np.testing.assert_array_equal(Z, est.transform(shards[0][0]))
    assert y is shards[0][1]


def test_rows_of_the_user_are_not_written_to(patients):
    X, _ = patients
    before = X.copy()
    est = scaler().fit(X)

    est.inverse_transform(est.transform(X))
    est.inverse_transform(X)

    np.testing.assert_array_equal(X, before)


def test_float32_is_kept_and_computed_as_float64(patients, cut):
    X, y = patients
    X32 = X.astype(np.float32)

    federated = scaler().fit(cut(SIZES, X32, y))

    assert federated.mean_.dtype == federated.scale_.dtype == np.float64
    assert federated.transform(X32).dtype == np.float32
    assert federated.inverse_transform(X32).dtype == np.float32
    assert_same(federated, scaler().fit(cut(SIZES, X32.astype(float), y)))


@pytest.mark.parametrize(("frame", "name"), [(pd.DataFrame, "pandas"), (pl.DataFrame, "polars")])
def test_data_frames_in_and_out(shards, frame, name):
    columns = [f"feature {i}" for i in range(10)]
    frames = {
        label: (frame(dict(zip(columns, X.T, strict=True))), y)
        for label, (X, y) in zip("ABC", shards, strict=True)
    }
    est = scaler().set_output(transform=name)

    out = est.fit_transform(frames)

    assert est.feature_names_in_.tolist() == columns
    assert est.get_feature_names_out().tolist() == columns
    assert isinstance(est.transform(frames["A"][0]), frame)
    for label, (Z, y) in out.items():
        assert isinstance(Z, frame)
        assert list(Z.columns) == columns
        assert y is frames[label][1]
        plain = clone(est).set_output(transform="default").fit(frames)
        np.testing.assert_array_equal(Z, plain.transform(frames)[label][0])
    np.testing.assert_allclose(est.inverse_transform(out)["B"][0], shards[1][0], rtol=1e-12)


def test_a_second_fit_leaves_nothing_of_the_first(shards):
    frames = [(pd.DataFrame(X).add_prefix("x"), y) for X, y in shards]
    est = scaler().fit(frames)

    est.fit(shards)

    assert not hasattr(est, "feature_names_in_")


# What is told, and to whom.


@pytest.fixture(scope="module")
def seen(shards):
    """All messages of a fit, and how many clients had entered each vector decrypted."""
    messages, decrypted = [], []
    decrypt = PrivateKey.decrypt

    def recorded(key, encrypted, *args):
        decrypted.append(encrypted.n_terms)
        return decrypt(key, encrypted, *args)

    with pytest.MonkeyPatch.context() as patch, observe(messages.append):
        patch.setattr(PrivateKey, "decrypt", recorded)
        est = scaler().fit(dict(zip("ABC", shards, strict=True)))
    return messages, decrypted, est


def test_two_totals_are_decrypted_and_nothing_else(seen):
    messages, decrypted, est = seen
    to_all = {(KEY_HOLDER, label) for label in "ABC"}
    ways = {
        "query": to_all,
        "running sum": {("A", "B"), ("B", "C"), ("C", KEY_HOLDER)},
        "total": to_all,
    }

    assert decrypted == [3, 3]
    assert est.n_rounds_ == 2
    for number in (1, 2):
        of_round = [m for m in messages if m.round == number]
        assert len(of_round) == 9
        for kind, expected in ways.items():
            assert {(m.sender, m.receiver) for m in of_round if m.kind == kind} == expected
    assert len(messages) == 18


def test_totals_are_those_of_the_features_and_nothing_of_the_target(seen, patients):
    X, _ = patients
    payloads = {(m.round, m.kind): m.payload for m in seen[0] if m.kind != "running sum"}
    sums, squares = (read_query(payloads[i, "query"], 10) for i in (1, 2))
    mean = X.mean(axis=0)

    assert isinstance(sums, SumsQuery)
    assert isinstance(squares, SquaresQuery)
    np.testing.assert_allclose(squares.center, mean, rtol=1e-14)
    assert squares.target_center == 0
    for number, total in ((1, X.sum(axis=0)), (2, np.square(X - mean).sum(axis=0))):
        told = read_total(payloads[number, "total"])
        np.testing.assert_allclose(told, [442, 442, *total, 0], rtol=1e-12)


def test_no_row_and_no_sum_of_one_client_is_in_the_clear(seen, shards):
    everything = b"|".join(message.payload for message in seen[0])
    values = {v for X, _ in shards for v in [*X.ravel(), *X.sum(axis=0), *X.mean(axis=0)]}
    # Small whole numbers have bytes that could be anything.
    values = {v for v in values if len(v.tobytes().strip(b"\0")) > 4}
    assert len(values) > 20

    assert not [v for v in values if v.tobytes() in everything]
    # The same search finds what is there.
    assert all(v.tobytes() in everything for v in seen[2].mean_)


def test_a_fitted_scaler_holds_no_key_and_no_rows(seen, shards, known_key):
    est = seen[2]
    assert {name for name in vars(est) if name not in est.get_params()} == {
        *("mean_", "var_", "scale_", "n_samples_seen_", "n_rounds_"),
        *("clients_", "n_clients_", "n_features_in_"),
    }
    for name in ("mean_", "var_", "scale_"):
        array = getattr(est, name)
        assert array.shape == (10,)
        assert array.base is None or array.base.size <= 12

    data = pickle.dumps(est)

    np.testing.assert_array_equal(
        pickle.loads(data).transform(shards[0][0]), est.transform(shards[0][0])
    )
    key = known_key._key
    for number in (key.p, key.q, int(known_key.public_key.n)):
        size = (number.bit_length() + 7) // 8
        assert number.to_bytes(size, "big") not in data
        assert number.to_bytes(size, "little") not in data
    assert not [row for X, _ in shards for row in X if row.tobytes() in data]


def test_clone_keeps_the_parameters_and_nothing_else(seen):
    copy = clone(seen[2])

    assert copy.get_params() == seen[2].get_params()
    assert vars(copy).keys() == copy.get_params().keys()


def test_a_client_of_few_rows_refuses_by_name(shards):
    few = dict(zip("ABC", shards, strict=True))
    few["B"] = (shards[1][0][:2], shards[1][1][:2])

    text = "client 'B' refuses to take part: it has .*min_rows=3"
    with pytest.raises(ValueError, match=text):
        scaler().fit(few)
    assert scaler(min_rows=2).fit(few).n_clients_ == 3
    # Blocks of a table are nobody's.
    assert scaler().fit(shards[1][0][:3]).n_samples_seen_ == 3


# What is refused.


X, y = np.random.default_rng(0).normal(size=(18, 3)), np.arange(18.0)


def three(second):
    return [(X[:6], y[:6]), second, (X[12:], y[12:])]


def assert_refused(error, text, *args, est=None, **kwargs):
    est = est or scaler()
    with pytest.raises(error, match=text):
        est.fit(*args, **kwargs)
    assert vars(est).keys() == est.get_params().keys()


REFUSED = {
    "two clients": (
        (three(None)[::2],),
        {},
        r"2 clients are here \(\[0, 1\]\), and at least 3 are needed",
    ),
    "NaN": ((three((X[6:12] * np.nan, y[6:12])),), {}, "client 1: Input X contains NaN"),
    "features": ((three((X[6:12, :2], y[6:12])),), {}, "client 1: it has 2 features and client 0"),
    "one item": ((three((X[6:12],)),), {}, r"client 1: a shard is \(X, y\) or .*, got 1 items"),
    "negative weight": (
        (three((X[:6], y[:6], -y[:6])),),
        {},
        "client 1: sample_weight must not be negative",
    ),
    "zero weights": (
        (three((X[:6], y[:6], 0 * y[:6])),),
        {},
        "client 1: all sample weights are z",
    ),
    "beside shards": (
        (three((X[:6], y[:6])), y),
        {"clients": y, "sample_weight": y},
        "^y and clients and sample_weight came beside shards",
    ),
    "clients too short": ((X,), {"clients": y[:9]}, r"clients has shape \(9,\) where X has 18"),
    "few rows": ((X[:2],), {}, "n_samples=2 is less than n_clients=3"),
    "tiny weights": (
        (X,),
        {"sample_weight": np.full(18, 1e-80)},
        "All sample weights together round to zero; multiply them by",
    ),
}


@pytest.mark.parametrize(("args", "kwargs", "text"), REFUSED.values(), ids=REFUSED)
def test_bad_data(args, kwargs, text):
    assert_refused(ValueError, text, *args, **kwargs)


def test_sparse_tables_are_refused_as_scikit_learn_does():
    text = "Sparse data was passed for X, but dense data is required"
    sparse = sp.csr_array(X)

    assert_refused(TypeError, text, sparse)
    assert_refused(TypeError, f"client 1: {text}", three((sparse, y)))
    est = scaler().fit(X)
    for method in (est.transform, est.inverse_transform):
        with pytest.raises(TypeError, match="Sparse data was passed"):
            method(sparse)


def test_a_value_too_large_for_its_slot():
    text = r"^client 1 would send a value of up to 2\*\*\d+ where .*; rescale X, y or sample_weig"
    assert_refused(OverflowError, text, three((X[6:12] * 1e80, y[6:12])))


PARAMETERS = {
    "with_mean": ("yes", TypeError, "with_mean must be an instance of"),
    "with_std": (None, TypeError, "with_std must be an instance of"),
    "n_clients": (0, ValueError, "n_clients == 0, must be >= 3"),
    "n_clients 2": (2, ValueError, "n_clients == 2, must be >= 3"),
    "min_rows": (0, ValueError, "min_rows == 0, must be >= 1"),
    "key_length": (1024, ValueError, "key_length=1024: .* at least 2048 .*Use 2048, or 3072"),
    "n_jobs": (0, ValueError, "n_jobs=0: pass None or 1 for one core, -1 for all"),
}


@pytest.mark.parametrize(("name", "case"), PARAMETERS.items(), ids=PARAMETERS)
def test_bad_parameters(name, case, monkeypatch):
    monkeypatch.setattr(ring, "generate_private_key", None)
    value, error, text = case
    assert_refused(error, text, X, est=FederatedStandardScaler(**{name.split()[0]: value}))


@pytest.mark.parametrize("name", ["transform", "inverse_transform"])
def test_bad_rows_to_transform(name):
    method = getattr(scaler().fit(X), name)
    for rows, text in [
        ([], "No shards to transform; pass"),
        ({"A": (X[:, :2], y)}, "client 'A': X has 2 features, but FederatedStandardScaler is exp"),
        ({"A": (X * np.nan, y)}, "client 'A': Input X contains NaN"),
        ([(X, y, None, 1)], "client 0: a shard is .*, got 4 items"),
        (X[:, :2], "^X has 2 features, but FederatedStandardScaler is expecting 3 features as in"),
        (np.abs(X) * np.inf, "^Input X contains infinity"),
    ]:
        with pytest.raises(ValueError, match=text):
            method(rows)
    for rows in (X, three((X, y))):
        with pytest.raises(NotFittedError, match="This FederatedStandardScaler instance is not"):
            getattr(scaler(), name)(rows)


def test_a_failed_fit_leaves_the_earlier_one():
    est = scaler().fit(X)
    before = dict(vars(est))

    with pytest.raises(OverflowError, match="client 0 would send"):
        est.fit(X * 1e80)

    assert vars(est) == before


# With the rest of scikit-learn.


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def clients_of(routing, labels, *steps):
    """What `fit` of a pipeline takes to pass the labels on to the steps that ask for them."""
    return {"clients": labels} if routing else {f"{step}__clients": labels for step in steps}


@pytest.fixture
def clients(routing):
    return clients_of(routing, WARDS, "federatedstandardscaler", "federatedlinearregression")


WARDS = np.repeat(["A", "B", "C", "D"], [100, 92, 130, 120])


@pytest.fixture
def pipeline():
    regression = FederatedLinearRegression(key_length=2048, solver="normal_equations")
    return make_pipeline(scaler(), regression)


@pytest.fixture(scope="module")
def study(patients):
    """Few columns, for quick regressions."""
    X, y = patients
    return X[:, :4], y


@pytest.fixture
def wards(study, cut):
    return cut([60, 90, 80, 70, 72, 70], *study)


@pytest.fixture
def folds(study):
    cv = StratifiedKFold(3, shuffle=True, random_state=0)
    return list(cv.split(study[0], WARDS))


PENALTIES = {"federatedlinearregression__alpha": [1.0, 100.0]}


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("form", [list, iter, lambda shards: dict(zip("abcdef", shards))])  # noqa: B905
def test_a_pipeline_of_shards(pipeline, study, wards, form):
    X, y = study

    pipeline.fit(form(wards))

    assert pipeline[0].n_clients_ == pipeline[1].n_clients_ == 6
    expected = LinearRegression().fit(X, y)
    np.testing.assert_allclose(pipeline.predict(X), expected.predict(X), rtol=1e-10)
    assert pipeline.score(form(wards)) == pytest.approx(expected.score(X, y), rel=1e-10)


def test_a_pipeline_of_rows_and_their_clients(pipeline, study, clients):
    X, y = study

    pipeline.fit(X, y, **clients)

    for step in pipeline:
        assert step.clients_.tolist() == ["A", "B", "C", "D"]
    np.testing.assert_allclose(
        pipeline.predict(X), LinearRegression().fit(X, y).predict(X), rtol=1e-10
    )


def test_weights_are_routed(study):
    X, y = study
    weights = np.linspace(0.1, 2, 442)
    with sklearn.config_context(enable_metadata_routing=True):
        first = scaler().set_fit_request(sample_weight=True)
        last = FederatedLinearRegression(key_length=2048, solver="normal_equations")
        pipeline = make_pipeline(first, last.set_fit_request(sample_weight=True))

        pipeline.fit(X, y, clients=WARDS, sample_weight=weights)

    assert pipeline[0].n_samples_seen_ == pytest.approx(weights.sum())
    expected = LinearRegression().fit(X, y, weights)
    np.testing.assert_allclose(pipeline.predict(X), expected.predict(X), rtol=1e-9)


def test_cross_validation_of_rows(pipeline, study, clients, folds):
    X, y = study

    result = cross_validate(pipeline, X, y, params=clients, cv=folds, return_estimator=True)

    assert all(e[0].clients_.tolist() == ["A", "B", "C", "D"] for e in result["estimator"])
    expected = cross_val_score(LinearRegression(), X, y, cv=folds)
    np.testing.assert_allclose(result["test_score"], expected, rtol=1e-9)
    predicted = cross_val_predict(pipeline, X, y, params=clients, cv=folds)
    expected = cross_val_predict(LinearRegression(), X, y, cv=folds)
    np.testing.assert_allclose(predicted, expected, rtol=1e-9)


@pytest.mark.usefixtures("routing")
def test_cross_validation_of_shards_leaves_clients_out(pipeline, study, wards):
    X, y = study
    client = np.repeat(np.arange(6), [len(y) for _, y in wards])
    cv = KFold(3)
    rows = [tuple(np.flatnonzero(np.isin(client, i)) for i in fold) for fold in cv.split(wards)]

    result = cross_validate(pipeline, wards, cv=cv, return_estimator=True)

    assert [e[0].n_clients_ for e in result["estimator"]] == [4, 4, 4]
    expected = cross_val_score(LinearRegression(), X, y, cv=rows)
    np.testing.assert_allclose(result["test_score"], expected, rtol=1e-9)


def test_grid_search(pipeline, study, wards, clients, folds):
    X, y = study

    search = GridSearchCV(pipeline, PENALTIES, cv=folds).fit(X, y, **clients)

    pooled = make_pipeline(StandardScaler(), Ridge())
    expected = GridSearchCV(pooled, {"ridge__alpha": [1.0, 100.0]}, cv=folds).fit(X, y)
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"], rtol=1e-9
    )
    assert search.best_estimator_[0].clients_.tolist() == ["A", "B", "C", "D"]
    search = GridSearchCV(pipeline, PENALTIES, cv=3).fit(wards)
    assert search.best_estimator_[0].n_clients_ == 6
    assert search.score(wards) == pytest.approx(search.best_estimator_.score(X, y))


def test_a_transformed_target(pipeline, study, wards, clients):
    X, y = study
    model = TransformedTargetRegressor(pipeline, func=np.log, inverse_func=np.exp)

    model.fit(X, y, **clients)

    expected = np.exp(LinearRegression().fit(X, np.log(y)).predict(X))
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-9)
    # It asks for one y; each client transforms its own instead.
    with pytest.raises(TypeError, match="'y'"):
        model.fit(wards)
    pipeline.fit([(X, np.log(y)) for X, y in wards])
    np.testing.assert_allclose(np.exp(pipeline.predict(X)), expected, rtol=1e-9)


def test_a_learning_curve(pipeline, study, wards, clients, folds):
    X, y = study
    curve = {"train_sizes": [0.5, 1.0], "cv": folds, "shuffle": True, "random_state": 0}

    sizes, _, scores = learning_curve(pipeline, X, y, params=clients, **curve)

    expected = learning_curve(LinearRegression(), X, y, **curve)
    np.testing.assert_array_equal(sizes, expected[0])
    np.testing.assert_allclose(scores, expected[2], rtol=1e-9)
    sizes, *_ = learning_curve(pipeline, wards, None, cv=3, train_sizes=[3, 4])
    assert sizes.tolist() == [3, 4]


@pytest.mark.usefixtures("routing")
def test_permutation_importance(pipeline, study, wards):
    how = {"n_repeats": 2, "random_state": 0}

    importance = permutation_importance(pipeline.fit(wards), *study, **how)

    expected = permutation_importance(LinearRegression().fit(*study), *study, **how)
    np.testing.assert_allclose(
        importance.importances_mean, expected.importances_mean, rtol=1e-8, atol=1e-10
    )


def test_some_columns_of_rows(patients):
    """A column transformer hands labels on with routing alone, and takes no shards."""
    X, y = patients
    some = make_column_transformer((scaler(), [0, 2, 3]), remainder="passthrough")

    with sklearn.config_context(enable_metadata_routing=True):
        Z = some.fit_transform(X, y, clients=WARDS)

    np.testing.assert_allclose(Z[:, :3], StandardScaler().fit_transform(X[:, [0, 2, 3]]))
    np.testing.assert_array_equal(Z[:, 3:], X[:, [1, 4, 5, 6, 7, 8, 9]])


# What scikit-learn does not allow, so that we hear of it when it does.


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda pipeline, by_label: cross_validate(pipeline, by_label, cv=3), KeyError),
        (
            lambda pipeline, by_label: GridSearchCV(pipeline, PENALTIES, cv=3).fit(by_label),
            KeyError,
        ),
        (lambda pipeline, by_label: cross_val_predict(pipeline, [*by_label.values()]), TypeError),
        (
            lambda pipeline, by_label: permutation_importance(
                pipeline.fit(by_label), [*by_label.values()], None
            ),
            ValueError,
        ),
        (
            lambda pipeline, by_label: make_pipeline(StandardScaler(), pipeline).fit(
                [*by_label.values()]
            ),
            ValueError,
        ),
    ],
    ids=["dict", "dict to search", "prediction", "importance", "scikit-learn's scaler"],
)
def test_what_takes_no_shards(use, error, pipeline, wards):
    by_label = dict(zip("abcdef", wards, strict=True))

    with pytest.raises(
        error, match=re.compile("2|inhomogeneous|predict takes one table and got shards")
    ):
        use(pipeline, by_label)
