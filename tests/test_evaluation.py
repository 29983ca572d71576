"""Scores over all clients' rows are those of the pooled rows, and show no client's own."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.evaluation import RegressionScores, evaluate, own_scores
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.predicted_rows import PredictedRows
from sklearn_fedphe.protocol import KEY_HOLDER, OwnSum, RefusedMessageError, observe, ring
from sklearn_fedphe.protocol.answers import answer
from sklearn_fedphe.protocol.envelope import RUNNING_SUM, QueryHeader, Round
from sklearn_fedphe.protocol.messages import running_sum_from_bytes
from sklearn_fedphe.protocol.queries import ErrorsQuery, SumsQuery, answer_size
from sklearn_fedphe.protocol.query_bytes import query_to_bytes
from sklearn_fedphe.protocol.reading import read_query, read_total

pytestmark = pytest.mark.usefixtures("known_key")

SIZES = [40, 110, 292]


def score(estimator, shards, **kwargs):
    return evaluate(estimator, shards, key_length=2048, **kwargs)


def assert_scores(scores, y, prediction, weights=None, rtol=1e-9):
    expected = {
        "r2": r2_score(y, prediction, sample_weight=weights),
        "mean_squared_error": mean_squared_error(y, prediction, sample_weight=weights),
        "mean_absolute_error": mean_absolute_error(y, prediction, sample_weight=weights),
        "n_rows": len(y) if weights is None else np.count_nonzero(weights),
    }
    assert dataclasses.asdict(scores) == pytest.approx(expected, rel=rtol, abs=0)


@pytest.fixture
def est(diabetes):
    X, y = diabetes
    return LinearRegression().fit(X[:200, :5], y[:200])


@pytest.fixture
def shards(diabetes, cut):
    X, y = diabetes
    return dict(zip("ABC", cut(SIZES, X[:, :5], y / 7), strict=True))


@pytest.mark.parametrize("mean", [0.0, -3.0, 1e8])
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_the_pooled_rows(cut, mean, unit, weighted):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(442, 3))
    y = unit * (mean + X @ [0.5, -0.5, 0.5] + 0.5 * generator.normal(size=442))
    weights = generator.uniform(size=442).round(1) if weighted else None
    est = LinearRegression().fit(X[:100], y[:100])
    arrays = (X, y, weights) if weighted else (X, y)

    scores = score(est, cut(SIZES, *arrays))

    assert 0 < scores.r2 < 1
    assert_scores(scores, y, est.predict(X), weights)


@given(
    sizes=st.lists(st.integers(3, 20), min_size=3, max_size=6),
    seed=st.integers(0, 2**32),
    mean=st.sampled_from([0.0, 1.0, 1e6, -1e8]),
    data=st.data(),
)
@settings(max_examples=15)
def test_neither_the_cut_nor_the_order_of_clients_matters(cut, sizes, seed, mean, data):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(sum(sizes), 1))
    y = mean + X[:, 0] + generator.normal(size=len(X))
    est = LinearRegression().fit(X[:4], y[:4])

    scores = score(est, data.draw(st.permutations(cut(sizes, X, y))))

    assert_scores(scores, y, est.predict(X))


def test_weights_of_some_clients_count_beside_ones(shards, est):
    X, y = (np.concatenate(part) for part in zip(*shards.values(), strict=True))
    weights = np.linspace(0, 2, SIZES[1])

    scores = score(est, shards | {"B": (*shards["B"], weights)})

    pooled = np.concatenate([np.ones(SIZES[0]), weights, np.ones(SIZES[2])])
    assert_scores(scores, y, est.predict(X), pooled)


def test_pipelines_frames_and_other_regressors_will_do(shards):
    frames = {label: (pd.DataFrame(X).add_prefix("x"), y) for label, (X, y) in shards.items()}
    X, y = frames["A"]
    X_all = pd.concat([X for X, _ in frames.values()])
    y_all = np.concatenate([y for _, y in frames.values()])
    for regressor in (FederatedLinearRegression(key_length=2048), DummyRegressor()):
        est = make_pipeline(StandardScaler(), regressor).fit(X, y)
        assert_scores(score(est, frames), y_all, est.predict(X_all))


@pytest.mark.parametrize("target", [0.0, 0.1, -1e8 / 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_r2_of_a_constant_target_is_one_where_it_is_met_and_else_zero(cut, target, weighted):
    X, y = np.arange(10.0)[:, np.newaxis], np.full(10, target)
    arrays = (X, y, np.linspace(0.1, 0.7, 10)) if weighted else (X, y)
    shards = cut([3, 3, 4], *arrays)

    met = DummyRegressor(strategy="constant", constant=target).fit(X, y)
    missed = DummyRegressor(strategy="constant", constant=target + 1).fit(X, y)

    assert score(met, shards) == RegressionScores(1.0, 0.0, 0.0, 10)
    assert score(missed, shards).r2 == 0.0
    assert score(missed, shards).mean_squared_error == pytest.approx(1.0)


@pytest.mark.parametrize("weighted", [False, True])
def test_own_scores_are_those_of_each_client_alone_and_nothing_is_sent(shards, est, weighted):
    weights = {label: np.linspace(0, 1, len(y)) for label, (_, y) in shards.items()}
    messages = []
    with observe(messages.append):
        own = own_scores(
            est,
            {label: (*s, weights[label]) for label, s in shards.items()} if weighted else shards,
        )

    assert not messages
    assert list(own) == ["A", "B", "C"]
    for label, (X, y) in shards.items():
        assert_scores(own[label], y, est.predict(X), weights[label] if weighted else None)


def test_own_scores_are_for_any_number_of_clients(shards, est):
    assert list(own_scores(est, [shards["A"]])) == [0]
    with pytest.warns(UndefinedMetricWarning, match="less than two samples"):
        (alone,) = own_scores(est, [(shards["A"][0][:1], shards["A"][1][:1])]).values()
    assert np.isnan(alone.r2)


def test_scores_cannot_be_changed(shards, est):
    scores = score(est, shards)

    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.r2 = 1.0


def test_errors_are_told_of_rows_with_predictions_only():
    rows = LeastSquares(np.ones((3, 1)), np.ones(3))

    with pytest.raises(
        RefusedMessageError,
        match="An ErrorsQuery, where there are no predictions whose errors could be told; form",
    ):
        OwnSum(rows).sum(ErrorsQuery(0.0))


class TestWhatTravels:
    @pytest.fixture
    def seen(self, shards, est):
        messages = []
        with observe(messages.append):
            scores = score(est, shards)
        return messages, scores

    @pytest.fixture
    def rows(self, shards, est):
        return [PredictedRows(est.predict(X), y) for X, y in shards.values()]

    def test_two_rounds_go_the_ways_of_the_protocol(self, seen):
        to_all = [(KEY_HOLDER, label) for label in "ABC"]
        expected = [
            *(("query", *way) for way in to_all),
            *(("running sum", *way) for way in [("A", "B"), ("B", "C"), ("C", KEY_HOLDER)]),
            *(("total", *way) for way in to_all),
        ]
        assert [(m.kind, m.sender, m.receiver) for m in seen[0]] == expected * 2

    def test_queries_and_scores_follow_from_the_totals_alone(self, seen):
        messages, scores = seen
        queries = [QueryHeader.open(m.payload)[1] for m in messages if m.kind == "query"]
        first, second = (read_total(m.payload) for m in (messages[6], messages[15]))
        n_rows, weight, target = first
        absolute, squared, total = second

        assert set(queries[:3]) == {query_to_bytes(SumsQuery())}
        assert set(queries[3:]) == {query_to_bytes(ErrorsQuery(target / weight))}
        assert scores == RegressionScores(
            pytest.approx(1 - squared / total, rel=1e-12),
            squared / weight,
            absolute / weight,
            n_rows,
        )

    def test_each_hop_is_ciphertexts_of_exactly_the_running_sum(self, seen, rows, known_key):
        messages, _ = seen
        key, ciphertexts = known_key.public_key, []
        for of_round in (messages[:9], messages[9:]):
            query = read_query(of_round[0].payload, 0)
            layout = query.slots.layout(key.plaintext_bits, 3)
            expected = 0
            for n_terms, (own, message) in enumerate(zip(rows, of_round[3:6], strict=True), 1):
                assert answer_size(query, 0) == 3
                (number, digest, *counts), body = RUNNING_SUM.open(message.payload)
                assert counts == [3, n_terms]
                assert len(body) == 2 * 512  # three wide numbers, and a slot left empty
                of = Round(b"", number, digest)
                hop = running_sum_from_bytes(message.payload, key, layout, 3, of)
                ciphertexts += hop.ciphertexts
                integers = layout.encode(answer(query, own)).integers
                expected = expected + np.array(integers, dtype=object)
            assert list(known_key.decrypt(hop).integers) == list(expected)
            total = read_total(of_round[-1].payload)
            np.testing.assert_array_equal(total, layout.decode(known_key.decrypt(hop)))
        assert len(set(ciphertexts)) == len(ciphertexts) == 12

    def test_nothing_of_one_client_is_in_the_clear_anywhere(self, seen, rows, shards, est):
        messages, _ = seen
        everything = b"|".join(m.payload for m in messages)
        mean = read_query(messages[9].payload, 0).target_center
        values = {v for X, y in shards.values() for v in [*y, *est.predict(X), *(y - mean)]}
        for own in rows:
            values |= {*own.sums()[2:], *own.errors(mean)}
        for (X, y), own in zip(shards.values(), rows, strict=True):
            scores = own_scores(est, [(X, y)])[0]
            values |= {scores.r2, scores.mean_squared_error, scores.mean_absolute_error}
            assert own.n_rows == len(y)
        # Short significands have bytes that could be anything.
        values = {v for v in values if len(np.float64(v).tobytes().strip(b"\0")) >= 6}
        assert len(values) > 800

        for value in values:
            assert not any(written in everything for written in in_the_clear(value)), value
        # The same search finds what is there.
        totals = np.concatenate([read_total(messages[i].payload) for i in (6, 15)])
        assert all(in_the_clear(v)[0] in everything for v in [mean, *totals])

    def test_lengths_do_not_depend_on_the_data(self, seen, shards):
        others = {label: (X[:5], 1e6 * y[:5]) for label, (X, y) in shards.items()}
        messages = []
        with observe(messages.append):
            score(DummyRegressor().fit([[0.0]], [1.0]), others)

        assert [len(m.payload) for m in messages] == [len(m.payload) for m in seen[0]]

    def test_nothing_but_four_numbers_comes_back(self, seen):
        _, scores = seen

        assert [type(value) for value in vars(scores).values()] == [float, float, float, int]


def in_the_clear(value):
    """Bytes that would give a float away: as such, and in a wide slot."""
    scaled = int(value * 2**64) * 2**192
    written = [np.float64(value).tobytes(), np.float64(value).byteswap().tobytes()]
    return written + [scaled.to_bytes(64, order, signed=True) for order in ("big", "little")]


class TestRefusals:
    @pytest.fixture(autouse=True)
    def _no_key_is_made(self, monkeypatch):
        monkeypatch.setattr(ring, "generate_private_key", None)

    @pytest.mark.parametrize("call", [score, own_scores])
    def test_an_estimator_that_is_not_fitted(self, shards, call):
        with pytest.raises(NotFittedError, match="FederatedLinearRegression instance is not fit"):
            call(FederatedLinearRegression(), shards)

    def test_fewer_than_three_clients(self, shards, est):
        with pytest.raises(
            ValueError,
            match=r"^2 clients are here \(\['A', 'B'\]\), and at least 3 are needed: of 2, each "
            "would .* use own_scores for itself",
        ):
            score(est, {label: shards[label] for label in "AB"})

    @pytest.mark.parametrize(
        ("name", "value", "error", "text"),
        [
            ("key_length", 1024, ValueError, "key_length=1024: .* at least 2048"),
            ("key_length", "long", TypeError, "key_length must be an instance of"),
            ("min_rows", 0, ValueError, "min_rows == 0, must be >= 1"),
            ("min_rows", 2.5, TypeError, "min_rows must be an instance of"),
        ],
    )
    def test_bad_parameters(self, shards, est, name, value, error, text):
        with pytest.raises(error, match=text):
            evaluate(est, shards, **{name: value})

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            (lambda X, y: (X[:, :2], y), "X has 2 features, but LinearRegression is expecting 5"),
            (lambda X, y: (X, y[1:]), "Found input variables with inconsistent"),
            (lambda X, _: (X, None), "requires y to be passed"),
            (lambda X, y: (X, np.full(len(y), np.nan)), "Input y contains NaN"),
            (lambda X, y: (X[:0], y[:0]), r"Found array with 0 sample\(s\)"),
            (lambda X, y: (X, y, -y), "sample_weight must not be negative"),
            (lambda X, y: (X, y, 0 * y), "all sample weights are zero, so that there is nothing"),
            (lambda X, _: (X,), "a shard is .*, got 1 items"),
        ],
    )
    @pytest.mark.parametrize("call", [score, own_scores])
    def test_bad_rows_name_their_client(self, shards, est, call, change, text):
        with pytest.raises(ValueError, match=f"^client 'B': .*{text}"):
            call(est, shards | {"B": change(*shards["B"])})

    @pytest.mark.parametrize("call", [score, own_scores])
    def test_predictions_of_several_targets(self, shards, call):
        X, y = shards["A"]
        est = LinearRegression().fit(X, np.column_stack([y, y]))

        with pytest.raises(ValueError, match=r"^client 'A': its predictions have shape \(40, 2\)"):
            call(est, shards)


def test_a_client_of_too_few_rows_refuses(shards, est):
    X, y = shards["B"]

    with pytest.raises(
        ValueError, match=r"client 'B' refuses .* it has fewer rows than min_rows=3"
    ):
        score(est, shards | {"B": (X[:4], y[:4], [1, 0, 0, 1])})
    score(est, shards | {"B": (X[:2], y[:2])}, min_rows=2)


def test_sums_out_of_range_say_so(shards, est):
    X, y = shards["B"]

    with pytest.raises(
        OverflowError, match=r"client 'B' would send .*; rescale X, y or sample_we"
    ):
        score(est, shards | {"B": (X, y * 1e80)})
    tiny = {label: (X, y, np.full(len(y), 1e-80)) for label, (X, y) in shards.items()}
    with pytest.raises(ValueError, match="All sample weights together round to zero; multiply"):
        score(est, tiny)
