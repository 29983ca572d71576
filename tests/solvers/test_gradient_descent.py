import numpy as np
import pytest

from sklearn_fedphe.solvers import GradientDescent
from sklearn_fedphe.solvers.extrapolation import extrapolate

PROBLEMS = {
    "one unknown": [3.0],
    "alike": [1.0, 1.0, 1.0],
    "spread": [1e-3, 1e-2, 0.1, 1.0, 10.0],
    "tiny": [1e-12, 2e-12, 3e-12],
    "huge": [1e9, 5e9, 2e10],
    "deficient": [0.0, 0.0, 0.5, 1.0],
}


@pytest.mark.parametrize("eigenvalues", PROBLEMS.values(), ids=PROBLEMS)
def test_finds_the_minimum(quadratic, eigenvalues):
    objective = quadratic(eigenvalues)

    solution = GradientDescent("auto", 500, 1e-12).minimize(objective)

    assert solution.converged
    assert solution.n_iter == len(objective.points)
    # From the origin, the directions without curvature are never entered.
    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-7, atol=1e-9)


def test_fixed_step_is_what_it_says(quadratic):
    objective = quadratic([1.0, 4.0])

    solution = GradientDescent(0.1, 7, None).minimize(objective)

    expected = np.zeros(2)
    for _ in range(7):
        expected = expected - 0.1 * objective.hessian @ (expected - objective.minimum)
    np.testing.assert_allclose(solution.point, expected, rtol=1e-14)
    assert not solution.converged
    assert solution.n_iter == len(objective.points) == 7


def test_takes_few_rounds_on_diabetes(quadratic, diabetes):
    X, y = diabetes
    Z = np.c_[(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(y))]
    objective = quadratic(np.ones(11))
    objective.hessian = Z.T @ Z / len(y)
    objective.minimum = np.linalg.lstsq(Z, y, rcond=None)[0]

    solution = GradientDescent("auto", 1000, 1e-6).minimize(objective)

    assert solution.converged
    assert solution.n_iter <= 26


def test_last_bits_of_the_gradients_do_not_decide_where_it_ends(quadratic):
    """Other shards make other roundings, which steps of varying length amplify."""
    objective = quadratic(np.logspace(-3, 0, 12))
    generator = np.random.default_rng(1)

    def rounded(point):
        noise = 1e-15 * generator.normal(size=12)
        return objective.hessian @ (point - objective.minimum) * (1 + noise)

    solver = GradientDescent("auto", 1000, 1e-6)
    solutions = []
    for _ in range(5):
        objective.gradient = rounded
        solutions.append(solver.minimize(objective))

    for solution in solutions:
        assert solution.n_iter > 10
        np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-8)


@pytest.mark.parametrize("condition", [1e4, 1e6, 1e8])
def test_converges_where_steps_alone_would_not(quadratic, condition):
    objective = quadratic(np.logspace(-np.log10(condition), 0, 30))

    solution = GradientDescent("auto", 1000, 1e-10).minimize(objective)

    assert solution.converged
    assert solution.n_iter < 150
    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-10 * condition)


def test_goes_on_from_the_tolerance_to_where_the_gradients_put_the_minimum(quadratic):
    objective = quadratic(np.logspace(-3, 0, 12))

    solution = GradientDescent("auto", 1000, 1e-3).minimize(objective)

    norms = [
        np.linalg.norm(objective.hessian @ (point - objective.minimum))
        for point in objective.points
    ]
    met = next(i for i, norm in enumerate(norms, 1) if norm <= 1e-3 * norms[0])
    assert 5 < solution.n_iter - met <= 10
    assert min(norms) < 1e-6 * norms[met - 1]


def test_an_iteration_beyond_the_limit_is_not_made(quadratic):
    needed = GradientDescent("auto", 1000, 1e-3).minimize(quadratic(np.logspace(-3, 0, 12))).n_iter
    objective = quadratic(np.logspace(-3, 0, 12))

    solution = GradientDescent("auto", needed - 3, 1e-3).minimize(objective)

    assert solution.converged
    assert solution.n_iter == len(objective.points) == needed - 3


def test_a_fixed_step_stops_at_the_tolerance(quadratic):
    objective = quadratic([1.0, 4.0])

    solution = GradientDescent(0.2, 1000, 1e-3).minimize(objective)

    norms = [
        np.linalg.norm(objective.hessian @ (point - objective.minimum))
        for point in objective.points
    ]
    assert solution.converged
    assert norms[-1] <= 1e-3 * norms[0] < norms[-2]
    np.testing.assert_array_equal(solution.point, objective.points[-1])


def test_extrapolation_finds_the_minimum_from_enough_gradients(quadratic):
    objective = quadratic([0.1, 1.0, 2.0, 7.0])
    points = list(np.random.default_rng(2).normal(size=(5, 4)))
    gradients = [objective.hessian @ (point - objective.minimum) for point in points]

    np.testing.assert_allclose(extrapolate(points, gradients), objective.minimum, rtol=1e-9)


def test_extrapolation_is_no_worse_than_any_point_it_has(quadratic):
    objective = quadratic(np.ones(9))
    points = list(np.random.default_rng(2).normal(size=(4, 9)))
    gradients = [objective.hessian @ (point - objective.minimum) for point in points]

    found = objective.hessian @ (extrapolate(points, gradients) - objective.minimum)

    assert np.linalg.norm(found) <= min(map(np.linalg.norm, gradients))


def test_without_tolerance_makes_every_iteration(quadratic):
    objective = quadratic([1.0, 2.0])

    solution = GradientDescent("auto", 40, None).minimize(objective)

    assert solution.n_iter == len(objective.points) == 40
    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-12)


def test_stops_where_the_gradient_cannot_be_told_from_zero(quadratic):
    objective = quadratic([1.0, 2.0])
    objective.resolution = 10.0 * np.linalg.norm(objective.hessian @ objective.minimum)

    solution = GradientDescent("auto", 40, 1e-30).minimize(objective)

    assert solution.converged
    assert solution.n_iter == 1


def test_unconverged_steps_of_varying_length_return_the_best_point(quadratic):
    went_up = 0
    for max_iter in range(3, 40):
        objective = quadratic(np.logspace(-6, 0, 30))

        solution = GradientDescent("auto", max_iter, 1e-14).minimize(objective)

        norms = [
            np.linalg.norm(objective.hessian @ (point - objective.minimum))
            for point in objective.points
        ]
        assert not solution.converged
        np.testing.assert_array_equal(solution.point, objective.points[np.argmin(norms)])
        went_up += min(norms) < norms[-1]
    assert went_up > 3


@pytest.mark.parametrize("learning_rate", [0.5001, 0.51, 1.0, 1e6])
def test_names_a_learning_rate_that_diverges(quadratic, learning_rate):
    with pytest.raises(
        ValueError, match=rf"learning_rate={learning_rate} diverges: by iteration"
    ) as error:
        GradientDescent(learning_rate, 1000, 1e-6).minimize(quadratic([1.0, 4.0]))

    assert "norm grew from" in str(error.value)
    assert "Use a smaller one, or learning_rate='auto'" in str(error.value)


def test_names_a_learning_rate_that_leaves_the_range_of_numbers(quadratic):
    objective = quadratic([1.0, 4.0])

    def gradient(point):
        if point.any():
            raise OverflowError("client 'B' would send too much")
        return objective.hessian @ (point - objective.minimum)

    objective.gradient = gradient

    with pytest.raises(
        ValueError, match=r"learning_rate=5.0 diverges: .* left the range"
    ) as error:
        GradientDescent(5.0, 10, None).minimize(objective)
    assert isinstance(error.value.__cause__, OverflowError)
    with pytest.raises(OverflowError, match="client 'B'"):
        GradientDescent("auto", 10, None).minimize(objective)


def test_names_a_learning_rate_that_gives_no_number(quadratic):
    objective = quadratic([1.0])
    objective.gradient = lambda point: np.full(1, np.nan if point.any() else 1.0)

    with pytest.raises(ValueError, match=r"learning_rate=0.1 diverges: .* grew from 1 to nan"):
        GradientDescent(0.1, 10, None).minimize(objective)


def test_a_step_that_converges_may_rest_at_the_rounding_of_its_gradients(quadratic):
    objective = quadratic([1.0, 3.0])
    generator = np.random.default_rng(0)
    objective.gradient = lambda point: (
        quadratic.gradient(objective, point) + 1e-13 * generator.normal(size=2)
    )

    solution = GradientDescent(0.5, 300, None).minimize(objective)

    np.testing.assert_allclose(solution.point, objective.minimum, rtol=1e-9)


def test_does_not_blame_the_learning_rate_for_a_start_out_of_range(quadratic):
    objective = quadratic([1.0])

    def gradient(_):
        raise OverflowError("client 'B' would send too much")

    objective.gradient = gradient

    with pytest.raises(OverflowError, match="client 'B'"):
        GradientDescent(0.1, 10, None).minimize(objective)


@pytest.mark.parametrize("learning_rate", ["auto", 0.3])
@pytest.mark.parametrize("tol", [1e-6, None])
def test_is_watched_at_every_round(quadratic, watcher, learning_rate, tol):
    objective = quadratic([1.0, 2.0])

    solution = GradientDescent(learning_rate, 40, tol, watcher).minimize(objective)

    assert watcher.begun == len(watcher.norms) == solution.n_iter
    np.testing.assert_array_equal(watcher.points[-1], solution.point)
    assert watcher.norms == [
        np.linalg.norm(objective.hessian @ (point - objective.minimum))
        for point in objective.points
    ]


@pytest.mark.parametrize("learning_rate", ["auto", 0.3])
@pytest.mark.parametrize("n_iter", [1, 3, 6])
def test_stops_where_who_watches_asks_for_it(quadratic, watcher, learning_rate, n_iter):
    watcher.stop_after = n_iter
    spread = np.logspace(-3, 0, 12)

    solution = GradientDescent(learning_rate, 40, 1e-12, watcher).minimize(quadratic(spread))

    assert solution.n_iter == n_iter
    assert not solution.converged
    short = GradientDescent(learning_rate, n_iter, None).minimize(quadratic(spread))
    np.testing.assert_array_equal(solution.point, short.point)
