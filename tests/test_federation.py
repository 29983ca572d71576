from contextlib import contextmanager

import numpy as np
import pytest

from sklearn_fedphe import FederatedLinearRegression, FederatedStandardScaler
from sklearn_fedphe.evaluation import evaluate, own_scores
from sklearn_fedphe.federation import Federation, Session
from sklearn_fedphe.local_federation import LocalFederation
from sklearn_fedphe.shards import check_shards
from sklearn_fedphe.tables import stack_shards


class Elsewhere(LocalFederation):
    """Clients that keep the models they came from, as those on other machines do."""

    def __init__(self, shards):
        checked = check_shards(FederatedLinearRegression(), shards)
        super().__init__(checked, simulated=False)
        self.plans, self.ended = [], 0

    @contextmanager
    def session(self, plan):
        self.plans.append(plan)
        try:
            with super().session(plan) as session:
                yield Session(session.sums)
        finally:
            self.ended += 1


@pytest.fixture
def shards(diabetes, cut):
    return dict(zip("ABC", cut([120, 80, 242], *diabetes), strict=True))


SETTINGS = [
    {},
    {"solver": "conjugate_gradient", "alpha": 0.1},
    {"solver": "normal_equations", "fit_intercept": False},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: settings.get("solver"))
def test_a_fit_over_a_federation_is_the_fit_to_its_shards(shards, settings):
    est = FederatedLinearRegression(key_length=2048, **settings)
    expected = vars(est.fit(shards)).copy()
    federation = Elsewhere(shards)
    found = vars(FederatedLinearRegression(key_length=2048, **settings).fit(federation))
    assert found.keys() == expected.keys()
    for name in expected:
        if name != "_summary_":
            np.testing.assert_array_equal(found[name], expected[name])
    assert federation.ended == 1
    if settings.get("solver") == "normal_equations":
        assert str(est.summary()) == str(expected["_summary_"])


def test_clients_elsewhere_keep_the_models_they_started_from(shards):
    est = FederatedLinearRegression(
        init="local", tol=None, max_iter=3, learning_rate=0.1, key_length=2048
    )
    federation = Elsewhere(shards)
    expected = vars(est.fit(shards)).copy()
    est.fit(federation)
    np.testing.assert_array_equal(est.coef_, expected["coef_"])
    assert est.intercept_ == expected["intercept_"]
    assert "client_coef_" in expected
    assert not hasattr(est, "client_coef_")
    assert not hasattr(est, "client_intercept_")
    (plan,) = federation.plans
    assert (plan.own_steps.learning_rate, plan.own_steps.max_iter) == (0.1, 3)
    assert (plan.key_length, plan.rules.n_parameters) == (2048, 11)


def test_a_session_ends_where_a_fit_fails(shards):
    federation = Elsewhere(shards)
    with pytest.raises(ValueError, match="diverge"):
        FederatedLinearRegression(learning_rate=1e6, key_length=2048).fit(federation)
    assert federation.ended == 1


@pytest.mark.parametrize("name", ["y", "clients", "sample_weight", "groups"])
def test_nothing_comes_beside_a_federation(shards, name):
    with pytest.raises(
        ValueError,
        match=f"^{name} came beside a federation, whose owners hold rows, targets and all there "
        "is to say of them: pass it alone.$",
    ):
        FederatedLinearRegression().fit(Elsewhere(shards), **{name: [1]})


@pytest.mark.parametrize(
    "wants_rows",
    [
        lambda est, federation: est.score(federation),
        lambda est, federation: est.predict(federation),
        lambda _, federation: FederatedStandardScaler().fit(federation),
        evaluate,
        own_scores,
        lambda _, federation: stack_shards(federation),
    ],
    ids=["score", "predict", "scaler", "evaluate", "own_scores", "stack_shards"],
)
def test_a_federation_shows_no_rows(shards, diabetes, wants_rows):
    est = FederatedLinearRegression(key_length=2048).fit(*diabetes)
    with pytest.raises(
        TypeError,
        match=r"A federation \(Elsewhere\) came where rows are wanted, and its rows stay with "
        "their owners. Pass it to FederatedLinearRegression.fit, alone.",
    ):
        wants_rows(est, Elsewhere(shards))


def test_a_federation_is_an_abstraction():
    with pytest.raises(TypeError, match="members"):
        Federation()
