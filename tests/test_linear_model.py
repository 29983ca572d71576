"""The federated fit against the pooled one of independent libraries, on several data."""

import re
import tracemalloc

import mpmath
import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.crypto import cores

pytestmark = pytest.mark.usefixtures("known_key")

UNEVEN = {
    3: [40, 110, 292],
    5: [12, 200, 30, 50, 150],
    10: [11, 22, 33, 44, 55, 66, 77, 88, 20, 26],
}


def fit(shards, **parameters):
    return FederatedLinearRegression(key_length=2048, **parameters).fit(shards)


def assert_same_model(federated, pooled, rtol=1e-6):
    np.testing.assert_allclose(federated.coef_, pooled.coef_, rtol=rtol)
    np.testing.assert_allclose(federated.intercept_, pooled.intercept_, rtol=rtol)


@pytest.mark.parametrize("sizes", UNEVEN.values(), ids=UNEVEN)
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0, 100.0])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_equals_pooled_on_diabetes(diabetes, cut, sizes, weighted, alpha, fit_intercept):
    X, y = diabetes
    weights = np.random.default_rng(0).uniform(0, 3, size=len(y)) if weighted else None
    arrays = (X, y, weights) if weighted else (X, y)

    federated = fit(cut(sizes, *arrays), alpha=alpha, fit_intercept=fit_intercept, tol=1e-10)

    pooled = (
        Ridge(alpha, fit_intercept=fit_intercept, solver="cholesky")
        if alpha
        else (LinearRegression(fit_intercept=fit_intercept))
    )
    pooled.fit(X, y, weights)
    assert_same_model(federated, pooled)
    assert federated.n_rounds_ == federated.n_iter_ + 1 + fit_intercept


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_equals_statsmodels_on_diabetes(diabetes, cut, weighted):
    X, y = diabetes
    weights = np.random.default_rng(0).uniform(1, 3, size=len(y)) if weighted else np.ones(len(y))

    federated = fit(cut(UNEVEN[5], X, y, weights), tol=1e-10)

    intercept, *coef = sm.WLS(y, sm.add_constant(X), weights=weights).fit().params
    np.testing.assert_allclose(federated.coef_, coef, rtol=1e-9)
    np.testing.assert_allclose(federated.intercept_, intercept, rtol=1e-9)


def test_equals_statsmodels_on_the_crime_of_states(cut):
    data = sm.datasets.statecrime.load_pandas()
    X, y = data.exog.to_numpy(float), data.endog.to_numpy(float)

    federated = fit(cut([20, 9, 22], X, y), tol=1e-10)

    intercept, *coef = sm.OLS(y, sm.add_constant(X)).fit().params
    np.testing.assert_allclose(federated.coef_, coef, rtol=1e-9)
    np.testing.assert_allclose(federated.intercept_, intercept, rtol=1e-9)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_equals_pooled_without_preconditioning(diabetes, cut, weighted, alpha, fit_intercept):
    X, y = diabetes
    weights = np.random.default_rng(0).uniform(1, 3, size=len(y)) if weighted else np.ones(len(y))

    federated = fit(
        cut(UNEVEN[3], X, y, weights),
        alpha=alpha,
        fit_intercept=fit_intercept,
        precondition=False,
        tol=1e-10,
    )

    pooled = Ridge(alpha, fit_intercept=fit_intercept, solver="cholesky").fit(X, y, weights)
    assert_same_model(federated, pooled)
    assert federated.n_rounds_ == federated.n_iter_ + 1


@pytest.mark.parametrize("alpha", [0.0, 5.0])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
def test_equals_pooled_on_rows_by_the_thousand(cut, alpha, weighted):
    X, y = make_regression(20640, 8, n_informative=8, noise=30.0, bias=200.0, random_state=0)
    weights = np.random.default_rng(0).uniform(1, 3, size=len(y)) if weighted else np.ones(len(y))

    federated = fit(cut([100, 540, 3000, 7000, 10000], X, y, weights), alpha=alpha, tol=1e-10)

    assert_same_model(federated, Ridge(alpha, solver="cholesky").fit(X, y, weights))


@pytest.mark.parametrize("mean", [0.0, 1e6])
@pytest.mark.parametrize("alpha", [0.0, 3.0])
def test_equals_the_exact_fit_on_features_of_all_scales(diabetes, cut, mean, alpha):
    """scikit-learn is no reference here: its rank cut-off drops features of scale 1e-6."""
    X, y = diabetes
    X = mean + X * 20 * (np.logspace(-6, 6, 10) if mean == 0 else 1.0)

    federated = fit(cut(UNEVEN[5], X, y), alpha=alpha, tol=1e-10)

    np.testing.assert_allclose(federated.coef_, exact_ridge(X, y, alpha), rtol=1e-7)


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e12])
def test_units_do_not_matter(diabetes, cut, scale, precondition):
    X, y = diabetes
    X = X - X.mean(axis=0)
    # One scale for an intercept and for features of another is what only
    # preconditioning copes with.
    parameters = {"precondition": precondition, "fit_intercept": precondition}
    plain = fit(cut(UNEVEN[3], X, y), **parameters)

    in_other_units = fit(cut(UNEVEN[3], X * scale, y / scale), **parameters)

    np.testing.assert_allclose(in_other_units.coef_, plain.coef_ / scale**2, rtol=1e-9)
    assert in_other_units.score(X * scale, y / scale) == pytest.approx(plain.score(X, y))


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("noise", [1.0, 100.0])
def test_defaults_reach_the_pooled_score(cut, precondition, noise):
    X, y = make_regression(442, 10, noise=noise, random_state=1)
    pooled = LinearRegression().fit(X, y)

    federated = fit(cut(UNEVEN[5], X, y), precondition=precondition)

    assert abs(federated.score(X, y) - pooled.score(X, y)) < 1e-6


@pytest.mark.parametrize("sizes", UNEVEN.values(), ids=UNEVEN)
def test_defaults_reach_the_pooled_fit_on_diabetes(diabetes, cut, sizes):
    X, y = diabetes
    pooled = LinearRegression().fit(X, y)

    federated = FederatedLinearRegression().fit(cut(sizes, X, y))

    assert abs(federated.score(X, y) - pooled.score(X, y)) < 1e-6
    # Beyond what is promised, and what the README says of these data.
    assert_same_model(federated, pooled, rtol=1e-9)


@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_defaults_reach_the_pooled_score_on_features_of_all_scales(diabetes, cut, mean):
    X, y = diabetes
    rescaled = mean + X * 20 * (np.logspace(-6, 6, 10) if mean == 0 else 1.0)

    federated = fit(cut(UNEVEN[5], rescaled, y))

    assert abs(federated.score(rescaled, y) - LinearRegression().fit(X, y).score(X, y)) < 1e-6


@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -1e9, 1e-20])
def test_a_constant_column_gets_no_coefficient_and_breaks_nothing(diabetes, cut, constant):
    X, y = diabetes
    with_constant = np.insert(X, 4, constant, axis=1)

    federated = fit(cut(UNEVEN[5], with_constant, y))

    assert federated.coef_[4] == 0.0
    assert_same_model(
        fit(cut(UNEVEN[5], X, y)),
        type("", (), {"coef_": np.delete(federated.coef_, 4), "intercept_": federated.intercept_}),
        rtol=1e-9,
    )


def test_a_column_that_varies_at_one_client_only_counts(diabetes, cut):
    X, y = diabetes[0].copy(), diabetes[1]
    X[40:, 4] = 0.5

    federated = fit(cut(UNEVEN[3], X, y), tol=1e-10)

    assert_same_model(federated, LinearRegression().fit(X, y))


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_constant_target(diabetes, cut, fit_intercept):
    X, _ = diabetes

    federated = fit(cut(UNEVEN[3], X, np.full(442, 0.1)), fit_intercept=fit_intercept)

    pooled = LinearRegression(fit_intercept=fit_intercept).fit(X, np.full(442, 0.1))
    np.testing.assert_allclose(federated.predict(X), pooled.predict(X), rtol=1e-6, atol=1e-9)


def test_columns_of_zeros_without_intercept():
    shards = [(np.zeros((5, 2)), np.arange(5.0))] * 3

    federated = fit(shards, fit_intercept=False, precondition=False)

    np.testing.assert_array_equal(federated.coef_, [0.0, 0.0])
    assert federated.intercept_ == 0.0


@pytest.mark.parametrize("precondition", [True, False])
def test_more_features_than_rows_give_the_solution_of_least_norm(precondition):
    """In standardised features; without, of coefficients and intercept in the user's units."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(9, 30)) * generator.uniform(1, 5, 30), generator.normal(size=9)

    federated = FederatedLinearRegression(key_length=2048, precondition=precondition).fit(X, y)

    np.testing.assert_allclose(federated.predict(X), y, atol=1e-9)
    if precondition:
        expected = np.linalg.pinv((X - X.mean(axis=0)) / X.std(axis=0)) @ y / X.std(axis=0)
    else:
        expected = (np.linalg.pinv(np.c_[X, np.ones(9)]) @ y)[:-1]
    np.testing.assert_allclose(federated.coef_, expected, rtol=1e-6)


def test_tol_none_makes_exactly_max_iter_iterations_and_no_warning(diabetes, cut):
    federated = fit(cut(UNEVEN[3], *diabetes), tol=None, max_iter=9)

    assert federated.n_iter_ == 9
    assert federated.n_rounds_ == 11


@pytest.mark.parametrize(
    ("precondition", "remedy"), [(True, r"\.$"), (False, "precondition=True")]
)
def test_warns_where_the_tolerance_was_not_met(diabetes, cut, precondition, remedy):
    with pytest.warns(
        ConvergenceWarning, match=f"did not reach tol=1e-06 in max_iter=5 .*max_iter.*{remedy}"
    ) as record:
        fit(cut(UNEVEN[3], *diabetes), max_iter=5, precondition=precondition)

    assert record[0].filename == __file__


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_n_jobs_does_not_change_the_result(diabetes, monkeypatch, n_jobs):
    monkeypatch.setattr(cores, "MIN_FOR_PROCESSES", 2)
    one = FederatedLinearRegression(key_length=2048, max_iter=4, tol=None).fit(*diabetes)

    est = FederatedLinearRegression(key_length=2048, max_iter=4, tol=None, n_jobs=n_jobs)

    np.testing.assert_array_equal(est.fit(*diabetes).coef_, one.coef_)
    assert est.intercept_ == one.intercept_
    assert est.n_rounds_ == one.n_rounds_


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("solver", ["gradient_descent", "conjugate_gradient"])
def test_verbose_prints_a_line_an_iteration(diabetes, cut, capsys, solver, precondition):
    federated = fit(
        cut(UNEVEN[3], *diabetes),
        solver=solver,
        precondition=precondition,
        learning_rate=0.2 if solver == "gradient_descent" else "auto",
        max_iter=4,
        tol=None,
        verbose=1,
    )

    lines = capsys.readouterr().out.splitlines()
    # 11 numbers, 31 slots of 64 bits or 15 of 128 in 2048 bits, from each of three clients.
    travelled = 3 * (46 + 512)
    for i, (line, norm) in enumerate(zip(lines, federated.gradient_norms_, strict=True), 1):
        start = f"[FederatedLinearRegression] iteration {i}: gradient norm {norm:.3e}, "
        assert re.fullmatch(re.escape(f"{start}{travelled} bytes, ") + r"\d+\.\d{3} s", line)


def test_verbose_prints_one_line_of_the_exact_solver(diabetes, cut, capsys):
    fit(cut(UNEVEN[3], *diabetes), solver="normal_equations", verbose=1)

    travelled = 3 * (46 + 20 * 512)  # 79 numbers, 4 a ciphertext
    line = rf"\[FederatedLinearRegression\] iteration 1: {travelled} bytes, \d+\.\d{{3}} s\n"
    assert re.fullmatch(line, capsys.readouterr().out)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("solver", ["gradient_descent", "conjugate_gradient"])
def test_norms_are_those_of_the_gradient_in_standardised_features(
    diabetes, cut, solver, fit_intercept
):
    X, y = diabetes
    federated = fit(cut(UNEVEN[3], X, y), solver=solver, fit_intercept=fit_intercept)

    norms = federated.gradient_norms_
    Z = X / np.sqrt(np.mean(X**2, axis=0))  # these columns have mean 0
    t = y - y.mean() if fit_intercept else y
    at_zero = np.linalg.norm(Z.T @ t / len(t)) / np.sqrt(np.mean(t**2))
    assert norms[0] == pytest.approx(at_zero, rel=1e-9)
    assert norms.shape == (federated.n_iter_,)
    assert norms.min() <= 1e-6 * norms[0]


def test_local_start_is_the_protocol_of_the_study(diabetes, cut):
    """By hand: steps alone, then common steps, in plain NumPy."""
    X, y = diabetes
    shards = cut(UNEVEN[3], X, y)
    parameters = {"learning_rate": 0.9, "max_iter": 20, "tol": None, "init": "local"}

    federated = fit(shards, precondition=False, **parameters)

    columns = [np.c_[X, np.ones(len(y))] for X, y in shards]
    targets = [y for _, y in shards]
    models = np.zeros((3, 11))
    for _ in range(20):
        for model, A, b in zip(models, columns, targets, strict=True):
            model[:] -= 0.9 * A.T @ (A @ model - b) / len(b)
    for _ in range(20):
        models -= 0.9 * sum(
            A.T @ (A @ model - b) / 442
            for model, A, b in zip(models, columns, targets, strict=True)
        )
    np.testing.assert_allclose(federated.client_coef_, models[:, :-1], rtol=1e-9)
    np.testing.assert_allclose(federated.client_intercept_, models[:, -1], rtol=1e-9)
    np.testing.assert_allclose(federated.coef_, models[:, :-1].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(federated.intercept_, models[:, -1].mean(), rtol=1e-9)
    assert federated.n_rounds_ == 1 + 20 + 1


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_local_start_works_in_standardised_features_too(diabetes, cut, fit_intercept):
    X, y = diabetes
    federated = fit(
        cut(UNEVEN[3], X, y),
        learning_rate=0.1,
        max_iter=30,
        tol=None,
        init="local",
        fit_intercept=fit_intercept,
    )

    assert federated.client_coef_.shape == (3, 10)
    assert federated.client_intercept_.shape == (3,)
    assert (federated.client_intercept_ != 0).all() == fit_intercept
    if fit_intercept:
        assert 0.3 < federated.score(X, y) < LinearRegression().fit(X, y).score(X, y)


@pytest.mark.parametrize("labelled", [False, True])
def test_no_copy_of_the_rows_is_made(labelled):
    X = np.random.default_rng(0).normal(size=(100_000, 50))
    y = X.sum(axis=1)
    labels = np.repeat(range(5), 20_000) if labelled else None
    est = FederatedLinearRegression(key_length=2048, tol=None, max_iter=2, n_clients=5)

    tracemalloc.start()
    try:
        est.fit(X, y, clients=labels)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < X.nbytes / 4


def exact_ridge(X, y, alpha):
    """Solve the centered normal equations with fifty digits."""
    with mpmath.workdps(50):
        A, b = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        n, p = X.shape
        for j in range(p):
            mean = mpmath.fsum(A[:, j]) / n
            for i in range(n):
                A[i, j] -= mean
        b -= mpmath.fsum(b) / n * mpmath.ones(n, 1)
        return np.array(
            list(mpmath.lu_solve(A.T * A + alpha * mpmath.eye(p), A.T * b)), dtype=float
        )
