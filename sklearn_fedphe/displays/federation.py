"""What each client gains from the federation."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mean_squared_error

from ..linear_model import FederatedLinearRegression
from ..shards import labelled, naming
from ..typing import FloatArray
from .drawing import axes_or_new, check_drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import FigureBase
    from matplotlib.lines import Line2D


class FederationDisplay:
    """Test error of each client's model trained alone, and of the federated model.

    Parameters
    ----------
    clients : list
        Labels of the clients.
    errors_alone : ndarray of shape (n_clients,)
        Mean squared error of the model that each fits to its own rows alone.
    error_federated : float
        Mean squared error of the federated model.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        Of the clients.
    line_ : matplotlib Line2D
        Of the federated model.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> from sklearn_fedphe.displays import FederationDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> shards = {"A": (X[:130], y[:130]), "B": (X[130:260], y[130:260]),
    ...           "C": (X[260:390], y[260:390])}
    >>> est = FederatedLinearRegression().fit(shards)
    >>> display = FederationDisplay.from_estimator(est, X[390:], y[390:], shards=shards)
    >>> len(display.bars_)
    3
    """

    bars_: BarContainer
    line_: Line2D
    ax_: Axes
    figure_: FigureBase

    def __init__(
        self, *, clients: list[Hashable], errors_alone: FloatArray, error_federated: float
    ) -> None:
        self.clients = clients
        self.errors_alone = errors_alone
        self.error_federated = error_federated

    @classmethod
    def from_estimator(
        cls,
        estimator: FederatedLinearRegression,
        X: Any,
        y: ArrayLike,
        *,
        shards: Any,
        ax: Axes | None = None,
        **bar_kwargs: Any,
    ) -> FederationDisplay:
        """Fit each client's own model in the clear, and draw the errors of all on held-out rows.

        Alone, a client fits scikit-learn's `LinearRegression`, or with a penalty `Ridge`, of
        the estimator's `alpha` and `fit_intercept`: the minimum over its own rows, however
        early the federated fit stopped. Its errors are compared on one set of rows, so
        whoever draws this holds those, and all shards, in the clear.

        Parameters
        ----------
        estimator : FederatedLinearRegression
            Fitted. With ``init="local"``, the mean of the clients' models is drawn.
        X : array-like of shape (n_samples, n_features)
            Rows that no client has.
        y : array-like of shape (n_samples,)
            Their targets.
        shards : list, tuple, iterator or dict of (X, y) or (X, y, sample_weight)
            What the estimator was fitted to.
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        **bar_kwargs : dict
            Passed on to matplotlib's ``bar``.

        Returns
        -------
        FederationDisplay

        Raises
        ------
        TypeError
            If `estimator` is no `FederatedLinearRegression`.
        ValueError
            If it is not fitted, or the shards are those of other clients.
        """
        check_drawable(estimator)
        given = labelled(shards)
        if set(given) != set(estimator.clients_.tolist()):
            raise ValueError(
                f"shards are those of the clients {list(given)}, and the estimator was fitted to "
                f"those of {estimator.clients_.tolist()}; pass the same shards."
            )
        errors = []
        for label, shard in given.items():
            with naming(label):
                errors.append(mean_squared_error(y, _alone(estimator).fit(*shard).predict(X)))
        display = cls(
            clients=list(given),
            errors_alone=np.array(errors),
            error_federated=float(mean_squared_error(y, estimator.predict(X))),
        )
        return display.plot(ax, **bar_kwargs)

    def plot(self, ax: Axes | None = None, **bar_kwargs: Any) -> FederationDisplay:
        """Draw it: a bar a client, and a dashed line.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        **bar_kwargs : dict
            Passed on to matplotlib's ``bar``.

        Returns
        -------
        FederationDisplay
            This one.
        """
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        style = {"label": "alone"} | bar_kwargs
        self.bars_ = self.ax_.bar(list(map(str, self.clients)), self.errors_alone, **style)
        self.line_ = self.ax_.axhline(
            self.error_federated, color="C1", linestyle="--", label="federated"
        )
        self.ax_.set(xlabel="Client", ylabel="Mean squared error, test rows")
        self.ax_.legend()
        return self


def _alone(estimator: FederatedLinearRegression) -> LinearRegression | Ridge:
    if estimator.alpha:
        return Ridge(estimator.alpha, fit_intercept=estimator.fit_intercept)
    return LinearRegression(fit_intercept=estimator.fit_intercept)
