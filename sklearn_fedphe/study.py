"""The reference study: three hospitals and the diabetes data, each alone and all together.

442 patients of scikit-learn's diabetes data are shuffled, 50 are drawn to test on, and 390
of the others make three hospitals of 130. Each hospital takes steps of gradient descent on
its own patients; then all take as many common steps, each from where it had come to.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error

from .linear_model import FederatedLinearRegression
from .protocol import Message, observe
from .protocol.messages import n_ciphertexts
from .protocol.queries import GradientQuery
from .protocol.reading import read_query, read_total
from .typing import FloatArray

HOSPITALS = ("Hospital 1", "Hospital 2", "Hospital 3")
N_PATIENTS = 130
N_TEST = 50
LEARNING_RATE = 1.3
"""On the mean gradient of 130 patients: 0.01 on the sum."""


@dataclass(frozen=True)
class Traffic:
    """What travelled during a fit.

    Parameters
    ----------
    rounds : int
        Secure sums.
    ciphertexts : int
        Sent from client to client and to the key holder.
    encrypted_bytes, public_bytes : int
        Running sums; queries and totals.
    seconds : float
        Time of the whole fit, key generation included.
    """

    rounds: int
    ciphertexts: int
    encrypted_bytes: int
    public_bytes: int
    seconds: float


@dataclass(frozen=True)
class Study:
    """What the study found; errors are mean squared errors on the test patients.

    Parameters
    ----------
    error_by_round : ndarray of shape (max_iter + 1, 3)
        Of each hospital's model after each common step; the first row is that of the
        models that the hospitals trained alone.
    error_default : float
        Of `FederatedLinearRegression` with its defaults on the same hospitals.
    error_pooled : float
        Of scikit-learn's `LinearRegression` on the pooled patients.
    traffic, traffic_default : Traffic
        Of the common steps and of the fit with defaults.
    """

    error_by_round: FloatArray
    error_default: float
    error_pooled: float
    traffic: Traffic
    traffic_default: Traffic


def split_diabetes() -> tuple[dict[str, tuple[FloatArray, FloatArray]], FloatArray, FloatArray]:
    """Return the hospitals' shards, and X and y of the test patients."""
    X, y = load_diabetes(return_X_y=True)
    # The legacy generator, for the figures of the study to come out: nothing secret here.
    generator = np.random.RandomState(42)
    order = generator.permutation(len(y))
    X, y = X[order], y[order]
    test = generator.choice(len(y), size=N_TEST, replace=False)
    rest = np.delete(np.arange(len(y)), test)
    shards = {
        name: (X[rest[i : i + N_PATIENTS]], y[rest[i : i + N_PATIENTS]])
        for name, i in zip(HOSPITALS, range(0, len(rest), N_PATIENTS), strict=False)
    }
    return shards, X[test], y[test]


def run_study(max_iter: int, key_length: int) -> Study:
    """Run the study with `max_iter` steps alone and as many together, all encrypted."""
    shards, X_test, y_test = split_diabetes()
    together = FederatedLinearRegression(
        learning_rate=LEARNING_RATE,
        max_iter=max_iter,
        tol=None,
        init="local",
        precondition=False,
        key_length=key_length,
    )
    messages, traffic = _fit(together, shards)
    default = FederatedLinearRegression(key_length=key_length)
    _, traffic_default = _fit(default, shards)
    pooled = LinearRegression().fit(
        *(np.concatenate(part) for part in zip(*shards.values(), strict=True))
    )
    displacements = _displacements(messages, together)
    coefs = together.client_coef_ - displacements[-1, :-1]
    intercepts = together.client_intercept_ - displacements[-1, -1]
    errors = [
        [
            mean_squared_error(y_test, X_test @ (coef + moved[:-1]) + intercept + moved[-1])
            for coef, intercept in zip(coefs, intercepts, strict=True)
        ]
        for moved in displacements
    ]
    return Study(
        np.array(errors),
        mean_squared_error(y_test, default.predict(X_test)),
        mean_squared_error(y_test, pooled.predict(X_test)),
        traffic,
        traffic_default,
    )


def _fit(
    estimator: FederatedLinearRegression, shards: dict[str, Any]
) -> tuple[list[Message], Traffic]:
    messages: list[Message] = []
    start = time.perf_counter()
    with observe(messages.append):
        estimator.fit(shards)
    seconds = time.perf_counter() - start
    sums = [message.payload for message in messages if message.kind == "running sum"]
    encrypted_bytes = sum(map(len, sums))
    return messages, Traffic(
        rounds=estimator.n_rounds_,
        ciphertexts=sum(n_ciphertexts(payload, estimator.key_length) for payload in sums),
        encrypted_bytes=encrypted_bytes,
        public_bytes=sum(len(message.payload) for message in messages) - encrypted_bytes,
        seconds=seconds,
    )


def _displacements(messages: list[Message], estimator: FederatedLinearRegression) -> FloatArray:
    """Where the steps led, from what was broadcast: shape (max_iter + 1, n_features + 1)."""
    heard = [message.payload for message in messages if message.receiver == HOSPITALS[0]]
    queries = [read_query(data, estimator.n_features_in_) for data in heard[::2]]
    points = [
        np.append(*query.frame.to_raw(query.point))
        for query in queries
        if isinstance(query, GradientQuery)
    ]
    mean_start = read_total(heard[-1]) / len(HOSPITALS)
    return np.array([*points, np.append(estimator.coef_, estimator.intercept_) - mean_start])
