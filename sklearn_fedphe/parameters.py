"""Checks of the estimators' parameters, before anything else is done."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_scalar

from .crypto.key_generation import MIN_KEY_LENGTH
from .privacy import GaussianPrivacy
from .protocol import MIN_CLIENTS
from .solvers import SOLVERS

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression
    from .preprocessing import FederatedStandardScaler

INITS = ("zeros", "local")


def check_parameters(estimator: FederatedLinearRegression) -> None:
    """Check every parameter.

    Raises
    ------
    TypeError, ValueError
        With the parameter's name, what came, and what would do.
    """
    _check_choice("solver", estimator.solver, SOLVERS)
    _check_choice("init", estimator.init, INITS)
    _check_flags(estimator, "fit_intercept", "precondition")
    _check_integers(estimator, max_iter=1, verbose=0)
    _check_real("alpha", estimator.alpha)
    _check_real("min_rows_per_parameter", estimator.min_rows_per_parameter)
    if estimator.tol is not None:
        _check_real("tol", estimator.tol)
    _check_learning_rate(estimator.learning_rate)
    _check_federation(estimator)
    if estimator.init == "local":
        _check_local(estimator)
    if estimator.privacy is not None:
        _check_privacy(estimator)


def check_scaler_parameters(scaler: FederatedStandardScaler) -> None:
    """Check every parameter.

    Raises
    ------
    TypeError, ValueError
        With the parameter's name, what came, and what would do.
    """
    _check_flags(scaler, "with_mean", "with_std")
    _check_federation(scaler)


def _check_federation(estimator: FederatedLinearRegression | FederatedStandardScaler) -> None:
    _check_integers(estimator, n_clients=MIN_CLIENTS, min_rows=1)
    _check_key_length(estimator.key_length)
    _check_n_jobs(estimator.n_jobs)


def _check_flags(estimator: object, *names: str) -> None:
    for name in names:
        check_scalar(getattr(estimator, name), name, (bool, np.bool_))


def _check_integers(estimator: object, **least: int) -> None:
    for name, min_val in least.items():
        check_scalar(getattr(estimator, name), name, Integral, min_val=min_val)


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}={value!r} does not exist; choose one of: {listed}.")


def _check_real(name: str, value: Any, include_boundaries: str = "left") -> None:
    check_scalar(value, name, Real, min_val=0, include_boundaries=include_boundaries)
    try:
        finite = math.isfinite(value)
    except OverflowError:  # an integer past the range of floats
        finite = False
    if not finite:
        raise ValueError(f"{name}={value} is not finite; pass a finite number.")


def _check_learning_rate(learning_rate: Any) -> None:
    if isinstance(learning_rate, str):
        if learning_rate != "auto":
            raise ValueError(f"learning_rate={learning_rate!r}: pass 'auto' or a positive number.")
    else:
        _check_real("learning_rate", learning_rate, include_boundaries="neither")


def _check_key_length(key_length: Any) -> None:
    check_scalar(key_length, "key_length", Integral)
    if key_length < MIN_KEY_LENGTH or key_length % 2:
        raise ValueError(
            f"key_length={key_length}: a key has an even number of bits, at least "
            f"{MIN_KEY_LENGTH} (NIST SP 800-57: 112-bit security; 1024 bits give about 80). "
            "Use 2048, or 3072 for 128-bit security."
        )


def _check_n_jobs(n_jobs: Any) -> None:
    if n_jobs is not None:
        check_scalar(n_jobs, "n_jobs", Integral)
        if n_jobs == 0:
            raise ValueError(
                "n_jobs=0: pass None or 1 for one core, -1 for all, or how many to use."
            )


def _check_privacy(estimator: FederatedLinearRegression) -> None:
    if not isinstance(estimator.privacy, GaussianPrivacy):
        raise TypeError(
            f"privacy={estimator.privacy!r}: pass None, or GaussianPrivacy(epsilon=..., "
            "delta=..., bounds_X=..., bounds_y=...)."
        )
    if estimator.solver != "normal_equations":
        raise ValueError(
            f"privacy with solver={estimator.solver!r}: each of its rounds would need noise of "
            "its own; pass solver='normal_equations', which has one."
        )


def _check_local(estimator: FederatedLinearRegression) -> None:
    if estimator.solver != "gradient_descent":
        raise ValueError(
            f"init='local' makes no sense with solver={estimator.solver!r}, which goes to the "
            "minimum wherever it starts; pass solver='gradient_descent' or init='zeros'."
        )
    if estimator.tol is not None:
        raise ValueError(
            f"init='local' makes no sense with tol={estimator.tol}: at the clients' own "
            "converged models all gradients vanish, and nothing is left to learn together. "
            "Stop early: pass tol=None and a small max_iter."
        )
    if estimator.alpha != 0:
        raise ValueError(
            f"init='local' makes no sense with alpha={estimator.alpha}: every client ends with "
            "coefficients of its own, and there is no common vector to penalise. Pass alpha=0 "
            "or init='zeros'."
        )
