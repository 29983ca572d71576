"""The scaler: features standardised by the mean and deviation over all clients' rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .documentation import DocumentationLink
from .least_squares import LeastSquares
from .parameters import check_scaler_parameters
from .protocol import DisclosureRules, form_ring, moments, without_locals
from .shards import (
    Shards,
    check_data,
    is_shards,
    labelled,
    members_of,
    naming,
    set_fitted,
)

_OWN_FLOATS: dict[str, Any] = {
    "dtype": [np.float64, np.float32],
    "copy": True,
    "force_writeable": True,
}
"""How a table is checked that is then changed in place."""


class _OfTables(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardises one table. scikit-learn wraps `transform` here, for `set_output`."""

    def transform(self, X: Any) -> Any:
        X = validate_data(self, X, reset=False, **_OWN_FLOATS)
        if self.with_mean:
            X -= self.mean_
        if self.with_std:
            X /= self.scale_
        return X

    def inverse_transform(self, X: Any) -> Any:
        # Names are not asked for: `transform` gives arrays without.
        X = check_array(X, input_name="X", estimator=self, **_OWN_FLOATS)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input."
            )
        if self.with_std:
            X *= self.scale_
        if self.with_mean:
            X += self.mean_
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class _OfTablesAndShards(BaseEstimator):
    """Takes shards apart before a table's methods, which `set_output` has wrapped, see them."""

    def transform(self, X: Any) -> Any:
        """Center and scale.

        Parameters
        ----------
        X : shards, or array-like of shape (n_samples, n_features)
            As for `fit`; here any number of shards will do.

        Returns
        -------
        ndarray of shape (n_samples, n_features), data frame or shards
            A table as `set_output` says. A mapping of shards becomes a dict of shards with
            the same labels, a tuple a tuple, all else a list; y and weights are passed through.
        """
        check_is_fitted(self)
        of_table = super().transform
        return _each(X, of_table) if is_shards(X) else of_table(X)

    def inverse_transform(self, X: Any) -> Any:
        """Undo `transform`.

        Parameters
        ----------
        X : shards, or array-like of shape (n_samples, n_features)
            As for `transform`.

        Returns
        -------
        ndarray of shape (n_samples, n_features), or shards
            In the user's units.
        """
        check_is_fitted(self)
        of_table = super().inverse_transform
        return _each(X, of_table) if is_shards(X) else of_table(X)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit, then transform the same rows.

        Parameters
        ----------
        X : shards, or array-like of shape (n_samples, n_features)
            As for `fit`.
        y : ignored
            None with shards.
        **fit_params : dict
            `clients` and `sample_weight`, as for `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features), data frame or shards
            As `transform` does.
        """
        if not is_shards(X):
            return super().fit_transform(X, y, **fit_params)
        if not isinstance(X, (Mapping, list, tuple)):
            X = list(X)  # an iterator gives its shards once, and they are needed twice
        return self.fit(X, y, **fit_params).transform(X)


class FederatedStandardScaler(DocumentationLink, _OfTablesAndShards, _OfTables):
    """Standardise features by mean and deviation over rows of several owners.

    Does what `StandardScaler` would on the pooled rows. Whatever is computed from one
    client's rows alone leaves it encrypted; only totals over all clients are decrypted.

    `fit` plays all parties in this process: it shows what a federation would compute and
    what would travel, and protects nobody from the process it runs in. Transforming is each
    client's own doing, and sends nothing.

    Parameters
    ----------
    with_mean : bool, default=True
        Whether to center.
    with_std : bool, default=True
        Whether to scale to unit variance. Without, one secure sum will do.
    n_clients : int, default=3
        Blocks that `fit(X)` cuts the rows in. Not used by the other forms of `fit`.
    min_rows : int, default=3
        A client with fewer rows, of weights other than 0, refuses to take part. The blocks
        that `fit(X)` cuts are nobody's, and are not asked.
    key_length : int, default=3072
        Bits of the Paillier modulus: 3072 for 128-bit security, at least 2048 (112-bit).
    n_jobs : int or None, default=None
        Cores for encryption and decryption. None: 1, unless in a `joblib.parallel_config`
        context; -1: all. Does not change the result.

    Attributes
    ----------
    mean_ : ndarray of shape (n_features,) or None
        Mean of each feature; None if it is neither to center nor to scale.
    var_ : ndarray of shape (n_features,) or None
        Variance of each feature, divided by the number of rows; None if
        ``with_std=False``.
    scale_ : ndarray of shape (n_features,) or None
        Its root, or 1 for a feature that varies by no more than rounding; None if
        ``with_std=False``.
    n_samples_seen_ : int or float
        Number of rows; where there are weights their sum, a float.
    n_rounds_ : int
        Secure sums made.
    clients_ : ndarray of shape (n_clients,)
        Labels of the clients.
    n_clients_ : int
        Number of clients.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where all clients have data frames with string columns.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same on pooled rows.

    Notes
    -----
    *Reveals*, to all parties: the labels of the clients, and totals over all clients - the
    number of rows, the sum of weights, and mean and, ``with_std=True``, variance of each
    feature. The mean is revealed with ``with_mean=False`` too. Nothing of the target is.

    A feature counts as constant if its variance is at most ``n * eps * variance + (n * eps *
    mean)**2``, as in `StandardScaler`, where n is the number of rows also if they have
    weights.

    Features between 1e-30 and 1e30 in size are carried without loss. Missing values are
    refused.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> from sklearn_fedphe.preprocessing import FederatedStandardScaler
    >>> X, y = load_diabetes(return_X_y=True, scaled=False)
    >>> shards = [(X[:120], y[:120]), (X[120:200], y[120:200]), (X[200:], y[200:])]
    >>> est = make_pipeline(FederatedStandardScaler(), FederatedLinearRegression()).fit(shards)
    >>> print(f"{est.score(X, y):.4f}")
    0.5177
    """

    __metadata_request__fit: ClassVar = {"clients": True, "groups": True}

    def __init__(
        self,
        *,
        with_mean: bool = True,
        with_std: bool = True,
        n_clients: int = 3,
        min_rows: int = 3,
        key_length: int = 3072,
        n_jobs: int | None = None,
    ) -> None:
        self.with_mean = with_mean
        self.with_std = with_std
        self.n_clients = n_clients
        self.min_rows = min_rows
        self.key_length = key_length
        self.n_jobs = n_jobs

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        clients: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> FederatedStandardScaler:
        """Find mean and variance over the rows of all clients.

        Parameters
        ----------
        X : shards, or array-like of shape (n_samples, n_features)
            Shards are a list, tuple or iterator of ``(X, y)`` or ``(X, y, sample_weight)``,
            one for each client, or a dict of such by label; or all rows as one table. Each y
            is ignored, and may be None.
        y : ignored
            None with shards.
        clients : array-like of shape (n_samples,), default=None
            Label of the client that holds each row, strings or numbers. None: the rows are
            cut in `n_clients` contiguous blocks.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. With shards, weights are their third part.
        groups : array-like of shape (n_samples,), default=None
            Not used: groups are a cross-validator's. Refused where nothing says who holds
            which rows.

        Returns
        -------
        self : FederatedStandardScaler
            The fitted scaler.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of order, fewer than three clients among them.
        OverflowError
            If a value does not fit the slot it would travel in.
        """
        check_scaler_parameters(self)
        shards = check_data(self, X, y, clients, sample_weight, groups)
        simulated = clients is None and not is_shards(X)
        rules = DisclosureRules() if simulated else DisclosureRules(min_rows=self.min_rows)
        with without_locals():
            fitted = self._moments(shards, rules)
        set_fitted(self, members_of(shards), fitted)
        return self

    def _moments(self, shards: Shards, rules: DisclosureRules) -> dict[str, Any]:
        """Form a ring of clients with these shards, and take what it tells as attributes."""
        # No target is summed: zeros stand for it.
        rows = {label: LeastSquares(of.X, of.y, of.sample_weight) for label, of in shards.items()}
        ring = form_ring(rows, self.key_length, self.n_jobs, rules)
        found = moments(ring, with_variance=self.with_std)
        weighted = members_of(shards).weighted
        scale = None
        if found.variance is not None:
            n_eps = found.n_rows * np.finfo(np.float64).eps
            constant = found.variance <= n_eps * found.variance + (n_eps * found.mean) ** 2
            scale = np.where(constant, 1.0, np.sqrt(found.variance))
        return {
            "mean_": found.mean if self.with_mean or self.with_std else None,
            "var_": found.variance,
            "scale_": scale,
            "n_samples_seen_": found.weight if weighted else found.n_rows,
            "n_rounds_": ring.n_rounds,
        }


def _each(shards: Any, of_table: Callable[[Any], NDArray[Any]]) -> Any:
    """Return shards of the same kind, X replaced in each."""
    changed = {}
    for label, (X, *rest) in labelled(shards).items():
        with naming(label):
            changed[label] = (of_table(X), *rest)
    if not changed:
        raise ValueError("No shards to transform; pass (X, y) for at least one client.")
    if isinstance(shards, Mapping):
        return changed
    return tuple(changed.values()) if isinstance(shards, tuple) else list(changed.values())
