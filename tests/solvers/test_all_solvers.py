"""Every solver on every problem, in the clear and encrypted, against 50 digits."""

import mpmath
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import FederatedLeastSquares, OwnSum, form_ring
from sklearn_fedphe.solvers import (
    ConjugateGradient,
    ExactSolution,
    GradientDescent,
    NormalEquationsSolver,
)

pytestmark = pytest.mark.usefixtures("known_key")


def diabetes(_):
    return load_diabetes(return_X_y=True)


def one_column(generator):
    return generator.normal(size=(40, 1)), generator.normal(size=40)


def noise(generator):
    return generator.normal(size=(60, 6)), generator.normal(size=60)


def large_means(generator):
    X = generator.normal(size=(60, 3)) + 1e8
    return X, X @ [1.0, -2.0, 3.0] + generator.normal(size=60)


def hilbert_like(generator):
    t = generator.uniform(size=60)
    X = np.column_stack([1 / (t + i + 1) for i in range(4)])
    return X, X.sum(axis=1) + 0.01 * generator.normal(size=60)


def units_far_apart(generator):
    X = generator.normal(size=(60, 4)) * [1e-12, 1e-3, 1e6, 1e12]
    return X, 1e9 * generator.normal(size=60)


# How far predictions may be from those of the minimum, as a part of what is fitted.
SOLVERS = {
    "gradient descent": (GradientDescent("auto", 2000, 1e-9), 1e-6),
    "conjugate gradient": (ConjugateGradient(2000, 1e-9), 1e-6),
    "normal equations": (NormalEquationsSolver(), 1e-7),
}
PROBLEMS = [diabetes, one_column, noise, large_means, hilbert_like, units_far_apart]


def by_mpmath(X, y, weights, alpha, fit_intercept):
    """Coefficients, then the intercept if there is one."""
    with mpmath.workdps(50):
        Z = mpmath.matrix(np.column_stack([X, np.ones((len(X), int(fit_intercept)))]).tolist())
        W = mpmath.diag(np.ones(len(y)).tolist() if weights is None else weights.tolist())
        penalty = mpmath.diag([alpha] * X.shape[1] + [0] * fit_intercept)
        gram = Z.T * W * Z + penalty
        solution = mpmath.lu_solve(gram, Z.T * W * mpmath.matrix(y.tolist()))
        return np.array([float(value) for value in solution])


def objective(rows, key_length, *, weighted, **model):
    if key_length is None:
        X, y, w = (np.concatenate(parts) for parts in zip(*rows, strict=True))
        sums = OwnSum(LeastSquares(X, y, w if weighted else None))
    else:
        clients = {
            i: LeastSquares(X, y, w if weighted else None) for i, (X, y, w) in enumerate(rows)
        }
        sums = form_ring(clients, key_length)
    p = rows[0][0].shape[1]
    return FederatedLeastSquares(sums, p, precondition=True, weighted=weighted, **model)


@pytest.mark.parametrize("key_length", [None, 2048], ids=["plain", "encrypted"])
@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize(("alpha", "fit_intercept"), [(0.0, True), (0.7, True), (0.0, False)])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(("solver", "accuracy"), SOLVERS.values(), ids=SOLVERS)
def test_reaches_the_minimum(
    solver, accuracy, problem, alpha, fit_intercept, weighted, key_length
):
    generator = np.random.default_rng(0)
    X, y = problem(generator)
    X, y = X[:60], y[:60]
    weights = generator.uniform(0.1, 3.0, size=len(y))
    cuts = [len(y) // 5, len(y) // 2]
    rows = list(zip(*(np.split(part, cuts) for part in (X, y, weights)), strict=True))
    model = {"alpha": alpha, "fit_intercept": fit_intercept}
    expected = by_mpmath(X, y, weights if weighted else None, **model)

    of = objective(rows, key_length, weighted=weighted, **model)
    solution = solver.minimize(of)

    point = solution.point
    if not isinstance(solution, ExactSolution):
        coef, intercept = of.to_raw(point)
        point = np.append(coef, [intercept] * fit_intercept)
    assert solution.converged
    columns = np.column_stack([X, np.ones((len(X), int(fit_intercept)))])
    size = np.abs(y - fit_intercept * y.mean()).max()
    assert np.abs(columns @ (point - expected)).max() <= accuracy * size
    if isinstance(solution, ExactSolution):
        np.testing.assert_allclose(point, expected, rtol=1e-14)
