"""How a fit converged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..linear_model import FederatedLinearRegression
from ..typing import FloatArray
from .drawing import axes_or_new, check_drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase
    from matplotlib.lines import Line2D


class ConvergenceDisplay:
    """The gradient's norm by iteration, on a logarithmic axis.

    Parameters
    ----------
    gradient_norms : ndarray of shape (n_iter,)
        One an iteration.
    estimator_name : str or None, default=None
        For the legend. None: there is none.

    Attributes
    ----------
    line_ : matplotlib Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> from sklearn_fedphe.displays import ConvergenceDisplay
    >>> est = FederatedLinearRegression().fit(*load_diabetes(return_X_y=True))
    >>> display = ConvergenceDisplay.from_estimator(est)
    >>> display.ax_.get_yscale()
    'log'
    """

    line_: Line2D
    ax_: Axes
    figure_: FigureBase

    def __init__(self, *, gradient_norms: FloatArray, estimator_name: str | None = None) -> None:
        self.gradient_norms = gradient_norms
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator: FederatedLinearRegression,
        *,
        ax: Axes | None = None,
        name: str | None = None,
        **line_kwargs: Any,
    ) -> ConvergenceDisplay:
        """Draw how a fit converged.

        Parameters
        ----------
        estimator : FederatedLinearRegression
            Fitted by "gradient_descent" or "conjugate_gradient".
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        name : str or None, default=None
            For the legend. None: the name of the estimator's class.
        **line_kwargs : dict
            Passed on to matplotlib's ``plot``.

        Returns
        -------
        ConvergenceDisplay

        Raises
        ------
        TypeError
            If `estimator` is no `FederatedLinearRegression`.
        ValueError
            If it is not fitted, or by a solver that takes no gradients.
        """
        check_drawable(estimator)
        if not hasattr(estimator, "gradient_norms_"):
            raise ValueError(
                f"solver={estimator.solver!r} took no gradients, so there are no norms to draw; "
                "fit with solver='gradient_descent' or 'conjugate_gradient'."
            )
        name = type(estimator).__name__ if name is None else name
        display = cls(gradient_norms=estimator.gradient_norms_, estimator_name=name)
        return display.plot(ax, **line_kwargs)

    def plot(
        self, ax: Axes | None = None, *, name: str | None = None, **line_kwargs: Any
    ) -> ConvergenceDisplay:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        name : str or None, default=None
            For the legend. None: `estimator_name`.
        **line_kwargs : dict
            Passed on to matplotlib's ``plot``.

        Returns
        -------
        ConvergenceDisplay
            This one.
        """
        self.ax_ = axes_or_new(ax)
        from matplotlib.ticker import MaxNLocator

        self.figure_ = self.ax_.figure
        label = self.estimator_name if name is None else name
        iterations = np.arange(1, len(self.gradient_norms) + 1)
        style = {"label": label} | line_kwargs
        (self.line_,) = self.ax_.plot(iterations, self.gradient_norms, **style)
        scale = "log" if np.any(self.gradient_norms) else "linear"  # log has no zero
        self.ax_.set(xlabel="Iteration", ylabel="Norm of the gradient", yscale=scale)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        if style["label"] is not None:
            self.ax_.legend()
        return self
