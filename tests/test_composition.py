"""Pipelines, cross-validation, search, cloning and pickling, with shards and with clients=."""

import pickle

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_fedphe import FederatedLinearRegression

pytestmark = pytest.mark.usefixtures("known_key")


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def est():
    return FederatedLinearRegression(key_length=2048)


@pytest.fixture
def labels():
    return np.repeat(["A", "B", "C", "D"], [100, 92, 130, 120])


@pytest.fixture
def shards(diabetes, cut):
    return cut([60, 90, 80, 70, 72, 70], *diabetes)


@pytest.mark.usefixtures("routing")
def test_cross_validation_of_rows_passes_the_clients_on(est, diabetes, labels):
    X, y = diabetes
    folds = StratifiedKFold(4, shuffle=True, random_state=0).split(X, labels)
    folds = list(folds)

    result = cross_validate(est, X, y, params={"clients": labels}, cv=folds, return_estimator=True)

    assert all(e.clients_.tolist() == ["A", "B", "C", "D"] for e in result["estimator"])
    expected = cross_val_score(LinearRegression(), X, y, cv=folds)
    np.testing.assert_allclose(result["test_score"], expected, atol=1e-6)


@pytest.mark.usefixtures("routing")
def test_cross_validation_of_shards_leaves_clients_out(est, shards):
    result = cross_validate(est, shards, cv=KFold(3), return_estimator=True)

    assert [e.n_clients_ for e in result["estimator"]] == [4, 4, 4]
    for i, score in enumerate(result["test_score"]):
        held_out = shards[2 * i : 2 * i + 2]
        X, y = (
            np.concatenate(part)
            for part in zip(*(s for s in shards if not any(s is h for h in held_out)), strict=True)
        )
        X_test, y_test = (np.concatenate(part) for part in zip(*held_out, strict=True))
        expected = LinearRegression().fit(X, y).score(X_test, y_test)
        assert score == pytest.approx(expected, abs=1e-6)


@pytest.mark.usefixtures("routing")
def test_too_few_clients_left_to_train_on_is_said(est, diabetes, labels):
    X, y = diabetes
    labels = np.where(labels == "D", "C", labels)

    with pytest.raises(
        ValueError, match=r"2 clients are here \(\['A', 'B'\]\), and at least 3 .*If cross-valid"
    ):
        cross_val_score(
            est,
            X,
            y,
            params={"clients": labels},
            cv=GroupKFold(3).split(X, y, labels),
            error_score="raise",
        )


@pytest.mark.usefixtures("routing")
def test_grid_search_over_rows(est, diabetes, labels):
    X, y = diabetes
    grid = {"alpha": [0.0, 0.1, 10.0]}

    search = GridSearchCV(est, grid, cv=3).fit(X, y, clients=labels)

    pooled = GridSearchCV(RidgeOrNot(), grid, cv=3).fit(X, y)
    assert search.best_estimator_.clients_.tolist() == ["A", "B", "C", "D"]
    assert search.best_params_ == pooled.best_params_
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], pooled.cv_results_["mean_test_score"], atol=1e-6
    )


@pytest.mark.usefixtures("routing")
def test_grid_search_over_shards(est, shards):
    search = GridSearchCV(est, {"alpha": [0.0, 10.0]}, cv=3).fit(shards)

    assert search.best_params_ == {"alpha": 0.0}
    assert search.best_estimator_.n_clients_ == 6
    assert search.score(shards) == pytest.approx(search.best_estimator_.score(shards))


@pytest.mark.usefixtures("routing")
def test_pipeline_passes_shards_on(est, shards):
    pipeline = make_pipeline(est).fit(shards)

    assert pipeline[-1].n_clients_ == 6
    assert pipeline.score(shards) == pytest.approx(est.fit(shards).score(shards))


def test_pipeline_passes_clients_on(est, diabetes, labels, routing):
    X, y = diabetes
    pipeline = make_pipeline(StandardScaler(), est)
    parameters = {"clients": labels}
    if not routing:
        parameters = {"federatedlinearregression__clients": labels}

    pipeline.fit(X, y, **parameters)

    assert pipeline[-1].clients_.tolist() == ["A", "B", "C", "D"]
    np.testing.assert_allclose(
        pipeline.predict(X), LinearRegression().fit(X, y).predict(X), rtol=1e-6
    )
    scores = cross_val_score(
        pipeline, X, y, params=parameters, cv=StratifiedKFold(3).split(X, labels)
    )
    assert scores.shape == (3,)


def test_clone_keeps_the_parameters_and_nothing_else(est, diabetes):
    est.set_params(alpha=3.0, solver="gradient_descent").fit(*diabetes)

    copy = clone(est)

    assert copy.get_params() == est.get_params()
    assert vars(copy).keys() == est.get_params().keys()


def test_pickle_keeps_the_model_and_no_number_of_the_key(est, diabetes, known_key):
    X, y = diabetes
    data = pickle.dumps(est.fit(X, y))

    np.testing.assert_array_equal(pickle.loads(data).predict(X), est.predict(X))
    key = known_key._key
    for number in (key.p, key.q, int(known_key.public_key.n)):
        size = (number.bit_length() + 7) // 8
        for written in (
            number.to_bytes(size, "big"),
            number.to_bytes(size, "little"),
            str(number).encode(),
            f"{number:x}".encode(),
            f"{number:X}".encode(),
        ):
            assert written not in data


class RidgeOrNot(LinearRegression):
    """Ridge, but for alpha = 0, where scikit-learn asks for LinearRegression."""

    def __init__(self, *, alpha=0.0):
        super().__init__()
        self.alpha = alpha

    def fit(self, X, y):
        if self.alpha == 0:
            return super().fit(X, y)
        mean, target_mean = X.mean(axis=0), y.mean()
        gram = (X - mean).T @ (X - mean) + self.alpha * np.eye(X.shape[1])
        self.coef_ = np.linalg.solve(gram, (X - mean).T @ (y - target_mean))
        self.intercept_ = target_mean - mean @ self.coef_
        return self
