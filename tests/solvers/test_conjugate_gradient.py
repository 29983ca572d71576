import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.solvers import ConjugateGradient


@pytest.mark.parametrize(
    "eigenvalues",
    [[3.0], [1.0] * 3, [1e-3, 1e-2, 0.1, 1, 10], [1e-12, 2e-12], [1e9, 2e10], [0, 0, 0.5, 1]],
    ids=["one unknown", "alike", "spread", "tiny", "huge", "deficient"],
)
@pytest.mark.parametrize("tol", [1e-12, None])
def test_finds_the_minimum_in_a_product_for_each_distinct_eigenvalue(quadratic, eigenvalues, tol):
    objective = quadratic(eigenvalues)

    solution = ConjugateGradient(100, tol).minimize(objective)

    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-9, atol=1e-11)
    assert solution.converged
    assert solution.n_iter == len(objective.asked)
    assert objective.asked[0] == "gradient"
    if tol:
        assert objective.asked.count("product") == len(set(eigenvalues) - {0})


def test_ill_conditioned_problems_take_no_more_products_than_unknowns(quadratic):
    objective = quadratic(np.logspace(-8, 0, 40))

    solution = ConjugateGradient(1000, 1e-10).minimize(objective)

    assert objective.asked.count("product") <= 41
    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-3, atol=1e-3)


def test_stops_at_max_iter_and_says_that_it_did_not_converge(quadratic):
    solution = ConjugateGradient(3, 1e-9).minimize(quadratic(np.arange(1.0, 9.0)))

    assert solution.n_iter == 3
    assert not solution.converged


@pytest.mark.parametrize("eigenvalues", [np.arange(1.0, 9.0), [0, 0, 0.5, 1]])
def test_is_watched_at_every_round(quadratic, watcher, eigenvalues):
    objective = quadratic(eigenvalues)

    solution = ConjugateGradient(100, None, watcher).minimize(objective)

    assert watcher.begun == len(watcher.norms) == solution.n_iter
    np.testing.assert_array_equal(watcher.points[-1], solution.point)
    for norm, point in zip(watcher.norms, watcher.points, strict=True):
        residual = objective.hessian @ (point - objective.minimum)
        assert norm == pytest.approx(np.linalg.norm(residual), abs=1e-12)


def test_stops_where_who_watches_asks_for_it(quadratic, watcher):
    watcher.stop_after = 4

    solution = ConjugateGradient(100, 1e-9, watcher).minimize(quadratic(np.arange(1.0, 9.0)))

    assert solution.n_iter == 4
    np.testing.assert_array_equal(
        solution.point,
        ConjugateGradient(4, 1e-9).minimize(quadratic(np.arange(1.0, 9.0))).point,
    )


def test_nothing_is_asked_at_a_minimum(quadratic):
    objective = quadratic([1.0, 2.0])
    objective.minimum = np.zeros(2)

    solution = ConjugateGradient(9, None).minimize(objective)

    assert solution.n_iter == 1
    assert not solution.point.any()


def test_a_gradient_below_the_resolution_is_zero(quadratic):
    objective = quadratic([1.0, 2.0, 3.0])
    objective.resolution = 1e9

    assert ConjugateGradient(9, 1e-9).minimize(objective).n_iter == 1


@pytest.mark.parametrize("precondition", [True, False])
def test_diabetes_takes_at_most_twelve_products(diabetes, precondition):
    est = FederatedLinearRegression(
        solver="conjugate_gradient", key_length=2048, precondition=precondition, n_clients=5
    ).fit(*diabetes)

    assert est.n_iter_ <= 1 + 12
    pooled = LinearRegression().fit(*diabetes)
    np.testing.assert_allclose(est.coef_, pooled.coef_, rtol=1e-4)
    np.testing.assert_allclose(est.intercept_, pooled.intercept_, rtol=1e-4)


def test_many_features_take_two_products_more_than_there_are():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(400, 25)) @ generator.normal(size=(25, 25))
    y = generator.normal(size=400)

    est = FederatedLinearRegression(solver="conjugate_gradient", key_length=2048).fit(X, y)

    assert est.n_iter_ <= 1 + 27
    np.testing.assert_allclose(est.predict(X), LinearRegression().fit(X, y).predict(X), atol=1e-5)


def test_dependent_columns_converge_to_a_least_squares_solution(diabetes):
    X, y = diabetes
    X = np.column_stack([X, X[:, 0] - 2 * X[:, 3], np.ones(len(X))])

    est = FederatedLinearRegression(solver="conjugate_gradient", key_length=2048).fit(X, y)

    pooled = LinearRegression().fit(X, y)
    np.testing.assert_allclose(est.predict(X), pooled.predict(X), rtol=1e-5)
