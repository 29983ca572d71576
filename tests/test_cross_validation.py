"""Folds that mean something in a federation, by scikit-learn's own splitters."""

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from sklearn_fedphe import FederatedLinearRegression, FederatedStandardScaler

pytestmark = pytest.mark.usefixtures("known_key")

HOSPITALS = ["A", "B", "C", "D"]
ALONE = (
    r"groups came without clients, so that the rows would be cut in n_clients=3 blocks, whoever "
    r"holds them\. Pass the label of each row's client as clients=, .*if blocks are what you "
    r"want, keep groups from fit \(with metadata routing: set_fit_request\(groups=False\)\)\."
)


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def est():
    return FederatedLinearRegression(key_length=2048)


@pytest.fixture(scope="module")
def hospitals():
    labels = np.repeat(HOSPITALS, [100, 92, 130, 120])
    return np.random.default_rng(0).permutation(labels)


@pytest.fixture(scope="module")
def patients(hospitals):
    """Three rows of each hospital's are of one patient."""
    patients = np.empty(len(hospitals), dtype=int)
    for i, hospital in enumerate(HOSPITALS):
        rows = np.flatnonzero(hospitals == hospital)
        patients[rows] = 1000 * i + np.arange(len(rows)) // 3
    return patients


def pooled_scores(X, y, folds):
    return [
        LinearRegression().fit(X[train], y[train]).score(X[test], y[test]) for train, test in folds
    ]


@pytest.mark.usefixtures("routing")
def test_folds_within_every_client(est, diabetes, hospitals):
    X, y = diabetes
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, hospitals))

    result = cross_validate(
        est, X, y, params={"clients": hospitals}, cv=folds, return_estimator=True
    )

    assert [e.clients_.tolist() for e in result["estimator"]] == [HOSPITALS] * 3
    for _, test in folds:  # each hospital's rows in even parts
        counts = np.unique(hospitals[test], return_counts=True)[1]
        np.testing.assert_allclose(counts, [100 / 3, 92 / 3, 130 / 3, 40], atol=1)
    np.testing.assert_allclose(result["test_score"], pooled_scores(X, y, folds), atol=1e-6)


def leave_one_out(hospitals, routing):
    """What a cross-validator is passed: labels as groups, for it, and as clients, for the fit."""
    if routing:
        return {"params": {"clients": hospitals, "groups": hospitals}}
    return {"params": {"clients": hospitals}, "groups": hospitals}


def test_leaving_one_client_out(est, diabetes, hospitals, routing):
    X, y = diabetes

    result = cross_validate(
        est,
        X,
        y,
        cv=LeaveOneGroupOut(),
        return_estimator=True,
        **leave_one_out(hospitals, routing),
    )

    trained = [e.clients_.tolist() for e in result["estimator"]]
    assert trained == [[h for h in HOSPITALS if h != out] for out in HOSPITALS]
    folds = [(hospitals != out, hospitals == out) for out in HOSPITALS]
    np.testing.assert_allclose(result["test_score"], pooled_scores(X, y, folds), atol=1e-6)


@pytest.mark.usefixtures("routing")
def test_search_that_leaves_one_client_out(est, diabetes, hospitals):
    X, y = diabetes
    search = GridSearchCV(est, {"alpha": [0.0, 10.0]}, cv=LeaveOneGroupOut())

    search.fit(X, y, clients=hospitals, groups=hospitals)

    folds = [(hospitals != out, hospitals == out) for out in HOSPITALS]
    assert search.best_estimator_.clients_.tolist() == HOSPITALS
    assert search.best_params_ == {"alpha": 0.0}
    assert search.best_score_ == pytest.approx(np.mean(pooled_scores(X, y, folds)), abs=1e-6)


@pytest.mark.usefixtures("routing")
def test_patients_stay_together_and_clients_in_training(est, diabetes, hospitals, patients):
    X, y = diabetes
    splitter = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    folds = list(splitter.split(X, hospitals, groups=patients))

    result = cross_validate(
        est, X, y, params={"clients": hospitals}, cv=folds, return_estimator=True
    )

    assert [e.clients_.tolist() for e in result["estimator"]] == [HOSPITALS] * 3
    for train, test in folds:
        assert not set(patients[train]) & set(patients[test])
        assert set(hospitals[test]) == set(HOSPITALS)
    np.testing.assert_allclose(result["test_score"], pooled_scores(X, y, folds), atol=1e-6)


@pytest.mark.parametrize("estimator", [FederatedLinearRegression(), FederatedStandardScaler()])
def test_groups_alone_are_refused(estimator, diabetes, hospitals):
    X, y = diabetes

    with pytest.raises(ValueError, match=ALONE):
        estimator.fit(X, y, groups=hospitals)


def test_groups_beside_clients_change_nothing(est, diabetes, hospitals, patients):
    X, y = diabetes

    with_groups = clone(est).fit(X, y, clients=hospitals, groups=patients)

    np.testing.assert_array_equal(with_groups.coef_, est.fit(X, y, clients=hospitals).coef_)


def test_groups_of_clients_split_shards(est, diabetes, cut, routing):
    shards, regions = cut([60, 90, 80, 70, 72, 70], *diabetes), [0, 0, 1, 1, 2, 2]
    groups = {"params": {"groups": regions}} if routing else {"groups": regions}

    result = cross_validate(est, shards, cv=GroupKFold(3), return_estimator=True, **groups)

    assert [e.n_clients_ for e in result["estimator"]] == [4, 4, 4]


def test_routing_hands_lone_groups_to_the_fit_that_refuses_them(est, diabetes, hospitals):
    X, y = diabetes
    pipeline = make_pipeline(FederatedStandardScaler(key_length=2048), est)
    with sklearn.config_context(enable_metadata_routing=True):
        for estimator in (est, pipeline):
            with pytest.raises(ValueError, match=ALONE):
                cross_val_score(
                    estimator, X, y, params={"groups": hospitals}, cv=LeaveOneGroupOut()
                )
        with pytest.raises(ValueError, match=ALONE):
            GridSearchCV(est, {"alpha": [0.0]}, cv=GroupKFold(3)).fit(X, y, groups=hospitals)


def test_with_routing_blocks_can_be_asked_for_beside_groups(est, diabetes, patients):
    with sklearn.config_context(enable_metadata_routing=True):
        result = cross_validate(
            est.set_fit_request(groups=False),
            *diabetes,
            params={"groups": patients},
            cv=GroupKFold(3),
            return_estimator=True,
        )

    assert [e.clients_.tolist() for e in result["estimator"]] == [[0, 1, 2]] * 3


def test_without_routing_the_fit_never_hears_of_groups(est, diabetes, hospitals):
    """The guide says so: other clients take part than those that the groups are of."""
    result = cross_validate(
        est, *diabetes, groups=hospitals, cv=LeaveOneGroupOut(), return_estimator=True
    )

    assert [e.clients_.tolist() for e in result["estimator"]] == [[0, 1, 2]] * 4
