import numpy as np
import pytest

from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import FederatedLeastSquares, OwnSum
from sklearn_fedphe.protocol.answers import answer


class PlainSum:
    """What a ring gives, without encryption, each client's answer off by `off`."""

    off = 0.0

    def __init__(self, *clients):
        self._clients = clients
        self.n_clients = len(clients)

    def sum(self, query):
        return sum(answer(query, client) + self.off for client in self._clients)


@pytest.fixture
def pooled():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 3)) * [1, 100, 0.01] + [5, 0, -3]
    return X, generator.normal(size=60), generator.uniform(size=60)


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 2.0])
def test_gradient_is_the_derivative_of_what_ridge_minimises(
    pooled, precondition, fit_intercept, alpha
):
    X, y, weights = pooled
    sums = PlainSum(*(LeastSquares(X[i::3], y[i::3], weights[i::3]) for i in range(3)))
    objective = FederatedLeastSquares(
        sums, 3, fit_intercept=fit_intercept, precondition=precondition, alpha=alpha
    )

    mean = np.average(y, weights=weights) if fit_intercept else 0.0
    unit = np.average((y - mean) ** 2, weights=weights) if precondition else 1.0

    def value(point):
        coef, intercept = objective.to_raw(point)
        loss = weights @ (X @ coef + intercept - y) ** 2 + alpha * coef @ coef
        return loss / (2 * weights.sum()) / unit

    point = np.random.default_rng(1).normal(size=3 + fit_intercept)
    directions = np.eye(len(point))
    expected = [(value(point + 0.5 * d) - value(point - 0.5 * d)) for d in directions]
    np.testing.assert_allclose(objective.gradient(point), expected, rtol=1e-9, atol=1e-9)

    # On a quadratic, differences of gradients are the Hessian's columns.
    hessian = [objective.gradient(d) - objective.gradient(0 * d) for d in directions]
    assert objective.curvature_bound() == pytest.approx(np.trace(hessian))
    assert objective.n_unknowns == 3 + fit_intercept
    if precondition:
        np.testing.assert_allclose(np.diag(hessian), 1.0)


def test_own_sum_is_the_clients_answer(pooled):
    X, y, _ = pooled
    own = FederatedLeastSquares(
        OwnSum(LeastSquares(X, y)), 3, fit_intercept=True, precondition=False, alpha=0.0
    )
    point = np.arange(4.0)

    residual = X @ point[:3] + 3.0 - y
    np.testing.assert_allclose(
        own.gradient(point), np.append(residual @ X, residual.sum()) / 60, rtol=1e-12
    )


@pytest.mark.parametrize("precondition", [True, False])
def test_resolution_is_what_rounding_can_amount_to(pooled, precondition):
    """Bound the difference that half a unit in the last place of every slot makes."""
    X, y, _ = pooled
    y = 1e6 * y
    sums = PlainSum(*(LeastSquares(X[i::5], y[i::5]) for i in range(5)))
    objective = FederatedLeastSquares(
        sums, 3, fit_intercept=True, precondition=precondition, alpha=0.0
    )
    point = np.random.default_rng(2).normal(size=4)
    exact = objective.gradient(point)

    # Half of 2**-64 would be lost in float64: show it larger than life.
    sums.off = 0.5 * (2.0**-48 if precondition else 2.0**-20)
    enlarged = 1 if precondition else 2.0**44

    off = np.linalg.norm(objective.gradient(point) - exact)
    assert off == pytest.approx(enlarged * objective.resolution, rel=0.01)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_that_round_to_zero_are_refused(fit_intercept):
    sums = type("", (), {"n_clients": 3, "sum": lambda *_: np.zeros(5)})()
    objective = FederatedLeastSquares(
        sums, 2, fit_intercept=fit_intercept, precondition=True, alpha=0.0
    )

    with pytest.raises(ValueError, match="All sample weights together round to zero; multiply"):
        objective.curvature_bound()
