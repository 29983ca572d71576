"""Rank, least norm and edges; that the minimum is reached is tested with the other solvers."""

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.linalg import LinAlgWarning
from sklearn.linear_model import LinearRegression, Ridge

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import FederatedLeastSquares, OwnSum, observe
from sklearn_fedphe.solvers import NormalEquationsSolver

pytestmark = pytest.mark.usefixtures("known_key")


def solve(X, y, weights=None, *, alpha=0.0, fit_intercept=True):
    objective = FederatedLeastSquares(
        OwnSum(LeastSquares(np.asarray(X, float), y, weights)),
        np.shape(X)[1],
        fit_intercept=fit_intercept,
        precondition=True,
        alpha=alpha,
        weighted=weights is not None,
    )
    return NormalEquationsSolver().minimize(objective)


def fit(X, y, **parameters):
    est = FederatedLinearRegression(solver="normal_equations", key_length=2048, **parameters)
    return est.fit(X, y)


def least_norm(X, y, rank):
    """The solution of least norm in columns of unit length, by singular values."""
    Z = X - X.mean(axis=0)
    lengths = np.linalg.norm(Z, axis=0)
    lengths[lengths < 1e-14] = np.inf  # rounding
    U, s, Vt = np.linalg.svd(Z / lengths, full_matrices=False)
    return Vt[:rank].T @ (U[:, :rank].T @ (y - y.mean()) / s[:rank]) / lengths


DEPENDENT = {
    "a sum": (lambda X: X[:, 0] + X[:, 1], {0, 1, 4}),
    "a multiple": (lambda X: X[:, 2] / 3, {2, 4}),
    "a copy": (lambda X: X[:, 3], {3, 4}),
    "a constant": (lambda X: np.full(len(X), 0.1), {4}),
    "a constant but for its last bit": (lambda X: 0.1 + (X[:, 0] > 0) * 2.0**-56, {4}),
}


@pytest.mark.parametrize(("column", "expected"), DEPENDENT.values(), ids=DEPENDENT)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_dependence_that_only_rounding_broke_lowers_the_rank(column, expected, weighted):
    generator = np.random.default_rng(1)
    X = generator.normal(size=(50, 4))
    X = np.column_stack([X, column(X)])
    y = generator.normal(size=50)

    solution = solve(X, y, np.ones(50) if weighted else None)

    assert solution.rank == 4
    assert set(solution.dependent) == expected
    assert solution.inverse_products is None
    np.testing.assert_allclose(solution.point[:5], least_norm(X, y, 4), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("excess", [2.0**-30, 2.0**-36])
def test_a_dependence_that_data_broke_is_data(excess):
    generator = np.random.default_rng(2)
    X = generator.normal(size=(50, 3))
    X[:, 2] = X[:, 0] + excess * generator.normal(size=50)
    y = generator.normal(size=50)

    solution = solve(X, y)

    with mpmath.workdps(50):
        Z = mpmath.matrix(np.column_stack([X, np.ones(50)]).tolist())
        exact = mpmath.lu_solve(Z.T * Z, Z.T * mpmath.matrix(y.tolist()))
    assert solution.rank == 3
    assert len(solution.dependent) == 0
    np.testing.assert_allclose(solution.point, [float(v) for v in exact], rtol=1e-14)


def test_more_columns_than_rows_are_fitted_with_least_norm():
    generator = np.random.default_rng(3)
    X, y = generator.normal(size=(8, 20)), generator.normal(size=8)

    solution = solve(X, y)

    assert solution.rank == 7
    np.testing.assert_allclose(solution.point[:20], least_norm(X, y, 7), rtol=1e-10)


@pytest.mark.parametrize("alpha", [1e-300, 1e-30, 1e-26, 1e-3])
def test_a_penalty_determines_what_dependent_columns_do_not(alpha):
    x = np.random.default_rng(4).normal(size=30)

    solution = solve(np.column_stack([x, 4 * x]), x + 1.0, alpha=alpha)

    assert solution.rank == 1
    np.testing.assert_allclose(solution.point, [1 / 17, 4 / 17, 1.0], rtol=1e-3)
    np.testing.assert_allclose(4 * solution.point[0], solution.point[1], rtol=1e-15)


def test_a_penalised_fit_warns_of_no_dependence():
    X = np.random.default_rng(4).normal(size=(30, 2))[:, [0, 1, 0]]

    est = fit(X, X[:, 0], alpha=0.5)

    assert est.rank_ == 2


@pytest.mark.parametrize("alpha", [np.int64(2), np.float32(2), np.longdouble(2), True + 1])
@pytest.mark.parametrize("fit_intercept", [np.True_, np.False_])
def test_numbers_of_any_type_are_taken(alpha, fit_intercept):
    X = np.random.default_rng(4).normal(size=(30, 2))

    est = fit(X, X[:, 0], alpha=alpha, fit_intercept=fit_intercept)

    expected = Ridge(alpha=2.0, fit_intercept=bool(fit_intercept)).fit(X, X[:, 0])
    np.testing.assert_allclose(est.coef_, expected.coef_, rtol=1e-9, atol=1e-12)
    unpenalised = fit(X, X[:, 1] ** 2, fit_intercept=fit_intercept)
    assert ("intercept" in unpenalised.summary().names) == fit_intercept


def test_digits_far_behind_a_mean_are_data():
    X = (2.0**50 + np.arange(10))[:, np.newaxis]

    assert fit(X, np.arange(10.0)).coef_ == [1.0]


def test_a_fit_that_is_all_but_perfect_is_not_taken_for_perfect():
    a, u = 2.0**-36, 2.0**-92
    X = [[2**90, 2**90], [2**90, 2**90 * (1 + a)], [u, 0], [0, u], [u, u]]
    y = [2**91, 2**91 + 2**90 * a, 1.5 * u, u, -u]

    X, y = np.array(X, dtype=float), np.array(y, dtype=float)

    solution = solve(X, y, fit_intercept=False)

    with mpmath.workdps(300):
        Z, target = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        residual = target - Z * mpmath.lu_solve(Z.T * Z, Z.T * target)
        expected = float(mpmath.fsum(value**2 for value in residual))
    assert expected > 0
    np.testing.assert_allclose(solution.residual_ss, expected, rtol=1e-14)


def test_rows_of_no_weight_may_hold_anything():
    X = np.random.default_rng(4).normal(size=(30, 2))
    y, weights = X.sum(axis=1) ** 2, np.ones(30)
    weights[:3] = 0
    expected = fit(X[3:], y[3:]).coef_
    X[0], X[1], y[2] = 1e-300, 1e300, 1e308

    est = FederatedLinearRegression(solver="normal_equations", key_length=2048)
    est.fit(X, y, sample_weight=weights)

    np.testing.assert_allclose(est.coef_, expected, rtol=1e-14)


def test_nothing_that_varies_leaves_the_mean():
    solution = solve(np.full((5, 2), 7.0), np.array([1.0, 2.0, 3.0, 4.0, 5.5]))

    assert solution.point.tolist() == [0.0, 0.0, 3.1]
    assert solution.rank == 0
    assert solution.dependent.tolist() == [0, 1]
    assert solution.residual_ss == solution.total_ss == 12.2


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_perfect_fit_leaves_exactly_nothing(fit_intercept):
    X = np.random.default_rng(5).integers(-9, 9, size=(20, 3)).astype(np.float64)

    solution = solve(X, X @ [1.0, 2.0, 0.0] + 4.0 * fit_intercept, fit_intercept=fit_intercept)

    assert solution.point.tolist() == [1.0, 2.0, 0.0, 4.0][: 3 + fit_intercept]
    assert solution.residual_ss == 0.0


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_inverse_products_are_those_of_numpy(fit_intercept):
    X = np.random.default_rng(6).normal(size=(40, 3)) + 5.0

    solution = solve(X, X[:, 0], fit_intercept=fit_intercept)

    Z = np.column_stack([X, np.ones((40, int(fit_intercept)))])
    np.testing.assert_allclose(solution.inverse_products, np.linalg.inv(Z.T @ Z), rtol=1e-9)


def test_never_less_accurate_than_the_pooled_fit():
    generator = np.random.default_rng(7)
    for exponent in range(0, 9, 2):
        X = generator.normal(size=(60, 3)) + 10.0**exponent
        y = X @ [1.0, -1.0, 0.5] + generator.normal(size=60)
        with mpmath.workdps(50):
            Z = mpmath.matrix(np.column_stack([X, np.ones(60)]).tolist())
            exact = mpmath.lu_solve(Z.T * Z, Z.T * mpmath.matrix(y.tolist()))
        exact = np.array([float(value) for value in exact])[:3]

        ours = fit(X, y).coef_
        pooled = LinearRegression().fit(X, y).coef_

        np.testing.assert_allclose(ours, exact, rtol=1e-15)
        assert np.abs(ours - exact).max() <= np.abs(pooled - exact).max() + 1e-16


def test_one_trip_of_the_ring_is_all(diabetes):
    seen = []
    with observe(seen.append):
        est = fit(*diabetes)

    assert est.n_rounds_ == est.n_iter_ == 1
    assert {message.round for message in seen} == {1}
    sums = [message for message in seen if message.kind == "running sum"]
    assert [len(m.payload) for m in sums] == [46 + 20 * 512] * 3  # 79 numbers, 4 a ciphertext


@pytest.mark.parametrize("name", ["X", "y"])
@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (1e200, r"a value of up to 2\*\*\d+ where this ring carries less than 2\*\*218"),
        (1e-200, r"products of a value with digits below 2\*\*-145"),
    ],
)
def test_too_wide_a_range_is_an_error_that_names_the_client(cut, name, value, problem):
    X, y = np.random.default_rng(8).normal(size=(2, 12))
    {"X": X, "y": y}[name][5] = value

    with pytest.raises(OverflowError, match=f"client 1 would send {problem}; rescale X or y"):
        fit(cut([4, 4, 4], X[:, np.newaxis], y), None)


@pytest.mark.parametrize("value", [2.0**93, 2.0**-93 * (1 + 2.0**-52)])
def test_the_documented_range_is_carried(value):
    X = np.array([[1.0], [2.0], [4.0], [-1.0], [8.0], [-2.0], [1.0], [1.0], [1.0]]) * value / 8
    X *= 8 if value < 1 else 1

    assert fit(X, -X[:, 0]).coef_ == [-1.0]


def test_frames_name_their_dependent_columns():
    X = pd.DataFrame(np.random.default_rng(9).normal(size=(30, 2)), columns=["a", "b"])
    X["twice b"] = 2 * X["b"]

    est = FederatedLinearRegression(solver="normal_equations", key_length=2048)
    text = "columns 'b', 'twice b' depend .* rank is 2 of 3"
    with pytest.warns(LinAlgWarning, match=text) as record:
        est.fit(X, X["a"])

    assert record[0].filename == __file__
    assert est.rank_ == 2


def test_clients_with_and_without_weights_go_together(cut):
    generator = np.random.default_rng(10)
    X, y = generator.normal(size=(30, 2)), generator.normal(size=30)
    weights = np.r_[np.ones(10), generator.uniform(0, 2, size=10), np.ones(10)]
    first, second, third = cut([10, 10, 10], X, y)

    est = fit([first, (*second, weights[10:20]), third], None)

    pooled = LinearRegression().fit(X, y, weights)
    np.testing.assert_allclose(est.coef_, pooled.coef_, rtol=1e-11)


@pytest.mark.parametrize("factor", [1e-23, 1e-12, 1.0, 1e11])
def test_a_common_factor_of_all_weights_costs_no_digit(factor):
    generator = np.random.default_rng(11)
    X, weights = generator.normal(size=(30, 2)), generator.uniform(0.5, 1, size=30)
    y = generator.normal(size=30)

    est = FederatedLinearRegression(solver="normal_equations", key_length=2048)
    coef = est.fit(X, y, sample_weight=weights * factor).coef_

    expected = est.fit(X, y, sample_weight=weights).coef_
    np.testing.assert_allclose(coef, expected, rtol=1e-14)


def test_weights_too_small_for_exact_products_are_an_error_with_the_remedy():
    X, y = np.random.default_rng(12).normal(size=(2, 12))

    est = FederatedLinearRegression(solver="normal_equations", key_length=2048)
    text = r"sample weight with digits below 2\*\*-130; rescale X, y or sample_weight"
    with pytest.raises(OverflowError, match=text):
        est.fit(X[:, np.newaxis], y, sample_weight=np.full(12, 1e-30))
