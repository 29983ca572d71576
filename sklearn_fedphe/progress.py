"""A fit's rounds as they end: a line each, a history of gradient norms, a task of callbacks."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from .callbacks import FitTask
from .protocol import SecureSums
from .typing import FloatArray

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression

ModelAt: TypeAlias = Callable[[FloatArray, int], dict[str, Any]]
"""Fitted attributes of the model that a solver has at a point, after so many rounds."""


class Progress:
    """Watches the solver of one fit; keeps totals and what follows from them.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        For `verbose`.
    task : FitTask
        Its callbacks hear of every round.
    sums : SecureSums
        Counts the bytes that travel.
    model_at : callable or None
        None where no model is known before the fit ends.

    Attributes
    ----------
    gradient_norms : list of float
        One a round, of rounds that have one.
    stopped : bool
        Whether a callback stopped the fit.
    """

    def __init__(
        self,
        estimator: FederatedLinearRegression,
        task: FitTask,
        sums: SecureSums,
        model_at: ModelAt | None,
    ) -> None:
        self.gradient_norms: list[float] = []
        self.stopped = False
        self._estimator = estimator
        self._task = task
        self._sums = sums
        self._model_at = model_at
        self._n_rounds = 0
        self._bytes_before = 0
        self._started = 0.0

    def begin_round(self) -> None:
        """Note what there was before it."""
        self._task.begin_round()
        self._bytes_before = self._sums.running_sum_bytes
        self._started = time.perf_counter()

    def end_round(
        self, gradient_norm: float | None = None, point: FloatArray | None = None
    ) -> bool:
        """Print, remember and pass on what a round found.

        Returns
        -------
        bool
            Whether a callback wants the fit to stop here.
        """
        self._n_rounds += 1
        if gradient_norm is not None:
            self.gradient_norms.append(gradient_norm)
        if self._estimator.verbose:
            self._print(gradient_norm)
        model = None
        if self._model_at is not None and point is not None:
            model = partial(self._model_at, point, self._n_rounds)
        self.stopped = self._task.end_round(model)
        return self.stopped

    def _print(self, gradient_norm: float | None) -> None:
        norm = "" if gradient_norm is None else f"gradient norm {gradient_norm:.3e}, "
        travelled = self._sums.running_sum_bytes - self._bytes_before
        seconds = time.perf_counter() - self._started
        print(
            f"[{type(self._estimator).__name__}] iteration {self._n_rounds}: {norm}"
            f"{travelled} bytes, {seconds:.3f} s"
        )
