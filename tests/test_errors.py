"""Bad input gets a clear error, before any key is made, and nothing is half done."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from sklearn_fedphe import (
    FederatedLinearRegression,
    FederatedStandardScaler,
    evaluate,
    own_scores,
    stack_shards,
)
from sklearn_fedphe.protocol import ring
from sklearn_fedphe.solvers.steps import BarzilaiBorwein

X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0)


def shards(second=None, n=3):
    """Three good shards, the second one replaced."""
    good = [(X[i : i + 6], y[i : i + 6]) for i in range(0, 6 * n, 6)]
    return good if second is None else [good[0], second, *good[2:]]


def with_value(value, dtype=object):
    bad = X[:6].astype(dtype)
    bad[2, 1] = value
    return bad


SHARDS = {
    "no clients": ([], r"0 clients are here \(\[\]\), and at least 3 are needed"),
    "one client": (shards(n=1), r"1 clients are here \(\[0\]\)"),
    "two clients": (
        dict(zip("AB", shards(n=2), strict=True)),
        r"2 clients are here \(\['A', 'B'\]\), and at least 3 are needed: of 2, each would "
        "subtract its own part from the total and read the other's",
    ),
    "empty": (shards((X[:0], y[:0])), r"client 1: Found array with 0 sample\(s\)"),
    "fewer features": (
        shards((X[:6, :2], y[:6])),
        "client 1: it has 2 features and client 0 has 3; all clients need the same columns",
    ),
    "NaN": (shards((with_value(np.nan, float), y[:6])), "client 1: Input X contains NaN"),
    "infinity": (
        shards((with_value(np.inf, float), y[:6])),
        "client 1: Input X contains infinity",
    ),
    "complex": (shards((with_value(1j, complex), y[:6])), "client 1: Complex data not supported"),
    "strings": (shards((with_value("low"), y[:6])), "client 1: could not convert string to float"),
    "NaN in y": (shards((X[:6], [1, 2, 3, np.nan, 5, 6])), "client 1: Input y contains NaN"),
    "strings in y": (
        shards((X[:6], list("abcdef"))),
        "client 1: could not convert string to float",
    ),
    "y missing": (shards((X[:6], None)), "client 1: .*requires y to be passed"),
    "y of two columns": (shards((X[:6], X[:6, :2])), "client 1: y should be a 1d array"),
    "y too long": (shards((X[:6], y[:7])), "client 1: Found input variables with inconsistent"),
    "X 1-D": (shards((X[0], y[:3])), "client 1: Expected 2D array, got 1D array"),
    "one item": (shards((X[:6],)), r"client 1: a shard is \(X, y\) or .*, got 1 items"),
    "four items": (shards((X[:6], y[:6], y[:6], 1)), "client 1: a shard is .*, got 4 items"),
    "no items": (shards(()), "client 1: a shard is .*, got 0 items"),
    "no tuple": ({"A": shards()[0], "B": X, "C": shards()[2]}, "client 'B': a shard is .*ndarray"),
    "negative weight": (
        shards((X[:6], y[:6], [1, 1, -1, 1, 1, 1])),
        "client 1: sample_weight must not be negative",
    ),
    "zero weights": (shards((X[:6], y[:6], np.zeros(6))), "client 1: all sample weights are zero"),
    "NaN weight": (shards((X[:6], y[:6], [np.nan] * 6)), "client 1: Input sample_weight contains"),
    "2-D weight": (shards((X[:6], y[:6], X[:6])), "client 1: sample_weight must be 1-D, got 2"),
    "short weight": (
        shards((X[:6], y[:6], [1, 2])),
        "client 1: Found input variables with incons",
    ),
    "labels of two kinds": (
        {1: shards()[0], "B": shards()[1], "C": shards()[2]},
        "Labels of clients are all strings or all numbers.*got 'C' and 1",
    ),
    "missing label": (
        {None: shards()[0], "B": shards()[1], "C": shards()[2]},
        "Labels of clients .* none is missing or NaN; got 'C' and None",
    ),
}


@pytest.fixture(autouse=True)
def _no_key_is_made(monkeypatch):
    monkeypatch.setattr(ring, "generate_private_key", None)


def assert_refused(error, text, *args, est=None, **kwargs):
    est = est or FederatedLinearRegression(key_length=2048)
    with pytest.raises(error, match=text):
        est.fit(*args, **kwargs)
    assert vars(est).keys() == est.get_params().keys()


@pytest.mark.parametrize(("given", "text"), SHARDS.values(), ids=SHARDS)
def test_bad_shards(given, text):
    assert_refused(ValueError, text, given)


def test_shards_whose_columns_differ_in_name_or_order():
    def frame(*names):
        return pd.DataFrame(X[:6], columns=names), y[:6]

    for other in (frame("a", "c", "b"), frame("a", "b", "d")):
        assert_refused(
            ValueError,
            re.escape(f"client 'B': its columns are {list(other[0])} and those of client 'A' are"),
            {"A": frame("a", "b", "c"), "B": other, "C": frame("a", "b", "c")},
        )
    assert_refused(
        ValueError,
        "client 2: its columns are unnamed and those of client 0 are",
        [frame("a", "b", "c"), frame("a", "b", "c"), shards()[2]],
    )
    assert_refused(
        TypeError, "client 0: Feature names are only supported", [frame("a", 1, "c")] * 3
    )


LABELS = np.repeat(["A", "B", "C"], 10)

TABLES = {
    "clients too short": (
        {"clients": LABELS[:9]},
        r"clients has shape \(9,\) where X has 30 rows",
    ),
    "clients 2-D": ({"clients": X}, r"clients has shape \(30, 3\) where X has 30 rows"),
    "clients a word": ({"clients": "A"}, r"clients has shape \(\) where X has 30 rows"),
    "None": ({"clients": [None, *LABELS[1:]]}, "none is missing or NaN; got 'C' and None"),
    "NaN": ({"clients": [np.nan] + [1.0] * 29}, "none is missing or NaN; got 1.0 and nan"),
    "NA": (
        {"clients": pd.Series([pd.NA, *LABELS[1:]], dtype=object)},
        "none is missing or NaN; got 'C' and <NA>",
    ),
    "NaT": ({"clients": pd.Series([pd.NaT] * 30)}, "none is missing or NaN; got"),
    "mixed types": ({"clients": [1, *LABELS[1:]]}, "all strings or all numbers.*got 'C' and 1"),
    "two clients": (
        {"clients": np.repeat(["A", "B"], 15)},
        r"2 clients are here \(\['A', 'B'\]\), and at least 3",
    ),
    "no y": ({"y": None}, "requires y to be passed, but the target y is None"),
    "no y, with clients": ({"y": None, "clients": LABELS}, "requires y to be passed"),
    "zero weights": ({"sample_weight": np.zeros(30)}, "all sample weights are zero"),
    "a client's weights zero": (
        {"clients": LABELS, "sample_weight": np.repeat([1, 0, 1], 10)},
        "client 'B': all sample weights are zero, so that it would add nothing",
    ),
    "negative weights": ({"sample_weight": -y}, "sample_weight must not be negative"),
    "few rows": ({"X": X[:2], "y": y[:2]}, "n_samples=2 is less than n_clients=3, and every"),
    "shards as a pair": ({"X": (X, y), "y": None}, r"or a list of \(X, y\) tuples, one for each"),
    "dates": (
        {"clients": np.repeat(["2020-01-01"], 30).astype("datetime64[D]")},
        "none is missing or NaN; got .*2020.* Turn labels of other kinds into strings",
    ),
}


@pytest.mark.parametrize(("changed", "text"), TABLES.values(), ids=TABLES)
def test_bad_tables(changed, text):
    arguments = {"X": X, "y": y} | changed
    assert_refused(ValueError, text, **arguments)


@pytest.mark.parametrize(
    ("beside", "names"),
    [
        ({"y": y}, "y"),
        ({"clients": LABELS}, "clients"),
        ({"sample_weight": y}, "sample_weight"),
        ({"y": y, "clients": LABELS}, "y and clients"),
    ],
)
def test_nothing_beside_shards(beside, names):
    assert_refused(ValueError, f"^{names} came beside shards", shards(), **beside)


def test_nothing_beside_shards_when_scoring():
    est = FederatedLinearRegression()

    with pytest.raises(ValueError, match=r"^y and sample_weight came beside shards"):
        est.score(shards(), y, sample_weight=y)


SCORED = {
    "none": ([], ValueError, "No shards to score; pass"),
    "misaligned": (shards((X[:6], y[:5])), ValueError, "client 1: Found input variables with inc"),
    "negative weight": (
        shards((X[:6], y[:6], -y[:6])),
        ValueError,
        "client 1: sample_weight must",
    ),
    "no y": (shards((X[:6], None)), ValueError, "client 1: .*requires y to be passed"),
    "four items": (shards((X[:6], y[:6], None, 1)), ValueError, "client 1: a shard is"),
    "features": (shards((X[:6, :2], y[:6])), ValueError, "client 1: X has 2 features, but"),
}


@pytest.mark.parametrize(("given", "error", "text"), SCORED.values(), ids=SCORED)
def test_bad_shards_to_score(given, error, text):
    est = FederatedLinearRegression()
    est.coef_, est.intercept_, est.n_features_in_ = np.ones(3), 0.0, 3

    with pytest.raises(error, match=text):
        est.score(given)


PARAMETERS = {
    "solver": ("newton", ValueError, "solver='newton' does not exist; .*: 'gradient_descent'"),
    "solver array": (np.array([1, 2]), ValueError, "does not exist; choose one of"),
    "init": ("ones", ValueError, "init='ones' does not exist; choose one of: 'zeros', 'local'"),
    "alpha": (-1.0, ValueError, "alpha == -1.0, must be >= 0"),
    "alpha infinite": (np.inf, ValueError, "alpha=inf is not finite"),
    "alpha past floats": (10**400, ValueError, "alpha=10{400} is not finite; pass a finite"),
    "alpha text": ("1", TypeError, "alpha must be an instance of"),
    "learning_rate": (0, ValueError, "learning_rate == 0, must be > 0"),
    "learning_rate NaN": (np.nan, ValueError, "learning_rate=nan is not finite"),
    "learning_rate text": ("fast", ValueError, "learning_rate='fast': pass 'auto' or a pos"),
    "max_iter": (0, ValueError, "max_iter == 0, must be >= 1"),
    "max_iter float": (1.5, TypeError, "max_iter must be an instance of"),
    "tol": (-1e-9, ValueError, "tol == -1e-09, must be >= 0"),
    "fit_intercept": ("yes", TypeError, "fit_intercept must be an instance of"),
    "precondition": (None, TypeError, "precondition must be an instance of"),
    "n_clients": (0, ValueError, "n_clients == 0, must be >= 3"),
    "n_clients 2": (2, ValueError, "n_clients == 2, must be >= 3"),
    "key_length": (1024, ValueError, "key_length=1024: .* at least 2048 .*Use 2048, or 3072"),
    "n_jobs": (0, ValueError, "n_jobs=0: pass None or 1 for one core, -1 for all"),
    "n_jobs of text": ("all", TypeError, "n_jobs must be an instance of int"),
    "key_length odd": (2049, ValueError, "key_length=2049: a key has an even number of bits"),
    "key_length text": ("3072", TypeError, "key_length must be an instance of"),
    "verbose": (-1, ValueError, "verbose == -1, must be >= 0"),
}


@pytest.mark.parametrize(("name", "case"), PARAMETERS.items(), ids=PARAMETERS)
def test_bad_parameters(name, case):
    value, error, text = case
    est = FederatedLinearRegression(**{name.split()[0]: value})

    assert_refused(error, text, X, y, est=est)


def test_local_start_where_it_makes_no_sense():
    for parameters, text in [
        ({}, "init='local' makes no sense with tol=1e-06: .* Stop early: pass tol=None"),
        (
            {"tol": None, "solver": "normal_equations"},
            "init='local' makes no sense with solver='normal_equations', .* or init='zeros'",
        ),
        (
            {"tol": None, "alpha": 1.0},
            "init='local' makes no sense with alpha=1.0: .* Pass alpha=0",
        ),
    ]:
        est = FederatedLinearRegression(init="local", **parameters)
        assert_refused(ValueError, text, X, y, est=est)


def test_predicting_takes_the_columns_of_the_fit(monkeypatch, private_key):
    monkeypatch.setattr(ring, "generate_private_key", lambda _: private_key)
    est = FederatedLinearRegression(key_length=2048).fit(X, y)

    with pytest.raises(ValueError, match="X has 2 features, but FederatedLinearRegression is exp"):
        est.predict(X[:, :2])


class TestWithAKey:
    """What only shows once the ring has formed."""

    @pytest.fixture(autouse=True)
    def _key(self, _no_key_is_made, monkeypatch, private_key):
        monkeypatch.setattr(ring, "generate_private_key", lambda _: private_key)

    @pytest.mark.parametrize("precondition", [True, False])
    @pytest.mark.parametrize("learning_rate", [30.0, 1e30])
    def test_learning_rate_that_diverges(self, precondition, learning_rate):
        est = FederatedLinearRegression(
            learning_rate=learning_rate, precondition=precondition, tol=None, key_length=2048
        )
        assert_refused(
            ValueError,
            re.escape(f"learning_rate={learning_rate} diverges: by iteration")
            + ".*Use a smaller one, or learning_rate='auto'",
            X,
            y,
            est=est,
        )

    def test_learning_rate_that_diverges_at_a_client(self):
        est = FederatedLinearRegression(
            learning_rate=30.0, init="local", tol=None, precondition=False, key_length=2048
        )
        assert_refused(
            ValueError,
            r"^client 0, training alone: learning_rate=30.0 diverges. Use a smaller one\.$",
            X,
            y,
            est=est,
        )

    @pytest.mark.parametrize("precondition", [True, False])
    def test_value_too_large_for_its_slot(self, precondition):
        bad = {"A": shards()[0], "B": (X[:6], y[:6] * 1e80), "C": shards()[2]}
        assert_refused(
            OverflowError,
            r"^client 'B' would send a value of up to 2\*\*\d+ where this ring carries less than "
            r"2\*\*253; rescale X, y or sample_weight\.$",
            bad,
            est=FederatedLinearRegression(precondition=precondition, key_length=2048),
        )

    def test_weights_too_large_or_too_small(self):
        for weight, error, text in [
            (1e80, OverflowError, "client 0 would send .*; rescale X, y or sample_weight"),
            (1e-80, ValueError, "All sample weights together round to zero; multiply them by"),
        ]:
            assert_refused(error, text, X, y, sample_weight=np.full(30, weight))

    @pytest.mark.parametrize("precondition", [True, False])
    def test_gradient_too_large_for_its_slot(self, precondition, monkeypatch):
        """Barzilai-Borwein steps do not get there by themselves: push them."""
        monkeypatch.setattr(BarzilaiBorwein, "length", lambda *_: 1e30)
        remedy = "use a smaller learning_rate" if precondition else "pass precondition=True"
        assert_refused(
            OverflowError,
            r"^client 0 would send a value of up to 2\*\*\d+ where this ring carries less than "
            rf"2\*\*{13 if precondition else 61}; {remedy}",
            X,
            y,
            est=FederatedLinearRegression(precondition=precondition, key_length=2048),
        )

    @pytest.mark.parametrize("init", ["zeros", "local"])
    @pytest.mark.parametrize("learning_rate", [1e155, 1e308])
    def test_last_step_that_leaves_the_range_of_numbers(self, init, learning_rate):
        est = FederatedLinearRegression(
            learning_rate=learning_rate, max_iter=1, tol=None, init=init, key_length=2048
        )
        text = {
            "zeros": "diverges: by iteration 1 the gradient's norm sends the next point out of",
            "local": "client 0, training alone: learning_rate=.* diverges",
        }[init]
        assert_refused(ValueError, text, X, y, est=est)

    def test_a_failed_fit_leaves_the_earlier_one(self):
        est = FederatedLinearRegression(key_length=2048).fit(X, y)
        before = dict(vars(est))

        with pytest.raises(ValueError, match="client 1: Input X contains NaN"):
            est.fit(shards((with_value(np.nan, float), y[:6])))
        with pytest.raises(OverflowError, match="client 0 would send"):
            est.fit(X[:, :2], y * 1e80)

        assert vars(est) == before


@pytest.mark.parametrize("table", [X, pd.DataFrame(X)], ids=["array", "frame"])
@pytest.mark.parametrize("take", [stack_shards, own_scores, evaluate], ids=lambda f: f.__name__)
def test_a_table_where_shards_are_wanted(table, take):
    est = LinearRegression().fit(X, y)
    arguments = (table,) if take is stack_shards else (est, table)
    with pytest.raises(
        TypeError, match=r"A table \(.*\) came where shards are wanted; cut it by who"
    ):
        take(*arguments)


@pytest.mark.parametrize("est", [FederatedLinearRegression(), FederatedStandardScaler()])
def test_tables_without_their_targets(est):
    tables = [X[:9], X[9:18], pd.DataFrame(X[18:])]
    with pytest.raises(
        ValueError, match=r"3 tables came without their targets; a shard is a pair"
    ):
        est.fit(tables, *([tables] if isinstance(est, FederatedLinearRegression) else []))


def test_shards_are_neither_predicted_for_nor_scored_by_what_is_not_fitted(
    private_key, monkeypatch
):
    monkeypatch.setattr(ring, "generate_private_key", lambda _: private_key)
    shards = [(X, y)] * 3
    with pytest.raises(
        NotFittedError, match="This FederatedLinearRegression instance is not fitted"
    ):
        FederatedLinearRegression().score(shards)
    est = FederatedLinearRegression(key_length=2048).fit(shards)
    with pytest.raises(
        TypeError, match="predict takes one table and got shards; predict for each"
    ):
        est.predict(shards)
