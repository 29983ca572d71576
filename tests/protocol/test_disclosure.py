"""Clients and federation refuse what would show rows, and say why."""

import numpy as np
import pytest

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.least_squares import LeastSquares
from sklearn_fedphe.protocol import KEY_HOLDER, DisclosureRules, form_ring, observe
from sklearn_fedphe.protocol.queries import GramQuery, Slots, SquaresQuery, SumsQuery

pytestmark = pytest.mark.usefixtures("known_key")

SOLVERS = ["gradient_descent", "conjugate_gradient", "normal_equations"]


def shards(sizes, n_features=2):
    generator = np.random.default_rng(0)
    return {
        name: (generator.normal(size=(size, n_features)), generator.normal(size=size))
        for name, size in zip("ABCDEFG", sizes, strict=False)
    }


def fit(sizes, n_features=2, **parameters):
    seen = []
    with observe(seen.append):
        try:
            est = FederatedLinearRegression(key_length=2048, **parameters)
            return est.fit(shards(sizes, n_features)), seen
        except ValueError as error:
            return str(error), seen


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_client_of_few_rows_refuses_before_anything_is_sent(solver):
    text, seen = fit([10, 2, 10], solver=solver)

    assert text == (
        "client 'B' refuses to take part: it has fewer rows than min_rows=3. Leave it out, or "
        "lower min_rows if that is agreed."
    )
    assert not seen


def test_rows_of_no_weight_do_not_count():
    data = shards([10, 10, 10])
    data["C"] += (np.r_[np.zeros(8), 1, 1],)

    with pytest.raises(ValueError, match=r"client 'C' refuses .* has fewer rows than min_rows=3"):
        FederatedLinearRegression(key_length=2048).fit(data)


def test_a_client_refuses_with_too_few_rows_for_the_parameters():
    text, seen = fit([9, 8, 10], min_rows_per_parameter=3)

    assert text == (
        "client 'B' refuses to take part: it has fewer rows for 3 parameters than "
        "min_rows_per_parameter=3 asks for. Use fewer features, leave it out, or lower "
        "min_rows_per_parameter if that is agreed."
    )
    assert not seen
    assert fit([9, 8, 10], min_rows_per_parameter=8 / 3)[0].n_clients_ == 3
    assert fit([9, 8, 10], min_rows_per_parameter=3, fit_intercept=False)[0].n_clients_ == 3


@pytest.mark.parametrize("precondition", [True, False])
@pytest.mark.parametrize("solver", SOLVERS)
def test_more_parameters_than_rows_are_refused_and_no_total_is_told(solver, precondition):
    text, seen = fit([3, 3, 4], 10, solver=solver, precondition=precondition)

    assert text == (
        "The federation refuses a model of 11 parameters on fewer rows in all: totals over so few "
        "would tell the rows. Use fewer features."
    )
    assert KEY_HOLDER not in [m.sender for m in seen if m.kind == "total"]
    assert fit([3, 3, 5], 10, solver=solver, max_iter=1, tol=None)[0].n_features_in_ == 10


@pytest.mark.filterwarnings("ignore:The columns:scipy.linalg.LinAlgWarning")
@pytest.mark.parametrize("solver", SOLVERS)
def test_blocks_of_one_table_are_nobodys(solver):
    X, y = shards([5], 10)["A"]

    est = FederatedLinearRegression(key_length=2048, solver=solver).fit(X, y)

    np.testing.assert_allclose(est.predict(X), y, atol=1e-7)


@pytest.mark.parametrize(
    "query", [SumsQuery(), SquaresQuery(np.zeros(2), 0.0), GramQuery(Slots.EXACT)]
)
def test_the_key_holder_counts_rows_before_it_tells_a_total(query):
    rows = {name: LeastSquares(X, y) for name, (X, y) in shards([1, 2, 3]).items()}

    ring = form_ring(rows, 2048, rules=DisclosureRules(7))
    ask = ring.exact_sum if isinstance(query, GramQuery) else ring.sum

    with pytest.raises(ValueError, match="a model of 7 parameters on fewer rows in all"):
        ask(query)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"min_rows": 0}, "min_rows == 0, must be >= 1"),
        ({"min_rows_per_parameter": -1.0}, "min_rows_per_parameter == -1.0, must be >= 0"),
        ({"min_rows_per_parameter": np.inf}, "min_rows_per_parameter=inf is not finite"),
    ],
)
def test_limits_are_checked(parameters, text):
    assert text in fit([3, 3, 3], **parameters)[0]
