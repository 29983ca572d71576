import numpy as np
import pytest

from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import FederatedLeastSquares, OwnSum
from sklearn_fedphe.protocol.parties import answer


class PlainSum:
    """What a ring gives, without encryption."""

    def __init__(self, *clients):
        self._clients = clients
        self.n_clients = len(clients)

    def sum(self, query):
        return sum(answer(query, client) for client in self._clients)


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

    def value(point):
        coef, intercept = objective.frame.to_raw(point)
        loss = weights @ (X @ coef + intercept - y) ** 2 + alpha * coef @ coef
        return loss / (2 * weights.sum()) / objective.frame.target_scale**2

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


@pytest.mark.parametrize(("precondition", "fraction_bits"), [(True, 48), (False, 64)])
def test_resolution_is_what_rounding_can_amount_to(pooled, precondition, fraction_bits):
    X, y, _ = pooled
    sums = PlainSum(*(LeastSquares(X[i::5], y[i::5]) for i in range(5)))
    objective = FederatedLeastSquares(
        sums, 3, fit_intercept=True, precondition=precondition, alpha=0.0
    )

    assert objective.resolution == pytest.approx(5 * 2.0 ** -(fraction_bits + 1) * 2.0)
