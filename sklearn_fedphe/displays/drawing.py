"""What is drawn, and where; matplotlib is imported only once something is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from ..linear_model import FederatedLinearRegression

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def check_drawable(estimator: object) -> None:
    """Refuse what is no fitted `FederatedLinearRegression`."""
    if not isinstance(estimator, FederatedLinearRegression):
        raise TypeError(
            f"{type(estimator).__name__} came where a FederatedLinearRegression is drawn; of a "
            "pipeline or a search pass the one inside."
        )
    check_is_fitted(estimator)


def axes_or_new(ax: Axes | None) -> Axes:
    """Return the axes, or those of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays need matplotlib: pip install 'sklearn_fedphe[plot]'."
        ) from error
    _, ax = plt.subplots()
    return ax
