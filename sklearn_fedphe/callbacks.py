"""scikit-learn's callbacks, where they exist: a fit is a task, and each of its rounds one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

try:
    import sklearn.callback as framework
except ImportError:  # before scikit-learn 1.9
    framework = None

if TYPE_CHECKING:
    from .linear_model import FederatedLinearRegression

Fit = TypeVar("Fit", bound=Callable[..., Any])


class NoCallbackSupport:
    """Stands in for scikit-learn's mixin, and adds nothing."""


CallbackSupport: Any = getattr(framework, "CallbackSupportMixin", NoCallbackSupport)
"""What an estimator inherits `set_callbacks` from, if scikit-learn has it."""

Attributes: TypeAlias = Callable[[], dict[str, Any]]
"""Makes the fitted attributes of the model so far; called only if a callback asks for it."""


def with_callbacks(fit: Fit) -> Fit:
    """End the callbacks when a fit ends, in whatever way."""
    if framework is not None:
        managed: Fit = framework.with_callbacks(fit)
        return managed

    # As deep a stack as scikit-learn's own makes, which warnings count to find the caller.
    @functools.wraps(fit)
    def alone(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        return fit(estimator, *args, **kwargs)

    return alone  # type: ignore[return-value]  # wraps keeps the signature, unseen by the checker


class FitTask:
    """One fit, as callbacks hear of it: they are handed the model, and no row of anybody's.

    Rows would be those of all clients at once, which no party of a federation has.

    Parameters
    ----------
    estimator : FederatedLinearRegression
        Whose callbacks hear, if scikit-learn has callbacks.
    """

    def __init__(self, estimator: FederatedLinearRegression) -> None:
        self._estimator = estimator
        self._task: Any = None
        self._round: Any = None
        if framework is not None:
            rounds = 1 if estimator.solver == "normal_equations" else int(estimator.max_iter)
            self._task = estimator._init_callback_context(max_subtasks=rounds)
            self._task.call_on_fit_task_begin(estimator=estimator)

    def begin_round(self) -> None:
        """Begin a task within the fit's."""
        if self._task is not None:
            self._round = self._task.subcontext(task_name="round")
            self._round.call_on_fit_task_begin(estimator=self._estimator)

    def end_round(self, attributes: Attributes | None) -> bool:
        """End it.

        Parameters
        ----------
        attributes : callable or None
            Of the model so far. None: there is none to show.

        Returns
        -------
        bool
            Whether a callback wants the fit to stop here.
        """
        return self._round is not None and bool(
            self._round.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=attributes
            )
        )

    def end(self) -> None:
        """End the fit's task: the estimator is fitted."""
        if self._task is not None:
            self._task.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes={}
            )
