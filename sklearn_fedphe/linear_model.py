"""The estimator: what is fitted and what is answered; no maths and no keys here."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted, validate_data

from .callbacks import CallbackSupport, FitTask, with_callbacks
from .documentation import DocumentationLink
from .federation import Federation
from .inference import RegressionSummary
from .local_federation import LocalFederation
from .parameters import check_parameters
from .privacy import GaussianPrivacy
from .protocol import without_locals
from .shards import (
    check_data,
    check_table,
    is_shards,
    labelled,
    naming,
    refuse_beside_federation,
    refuse_beside_shards,
    set_fitted,
)
from .training import train


class FederatedLinearRegression(DocumentationLink, CallbackSupport, RegressorMixin, BaseEstimator):
    """Linear regression over rows of several owners that stay with their owners.

    Minimises ``sum(sample_weight * (y - X @ coef - intercept)**2) + alpha * |coef|**2``
    over the rows of all clients together, as `LinearRegression` and `Ridge` would on the
    pooled rows. Whatever is computed from one client's rows alone leaves it encrypted;
    only totals over all clients are decrypted.

    `fit` plays all parties in this process: it shows what a federation would compute and
    what would travel, and protects nobody from the process it runs in.

    Parameters
    ----------
    solver : {"gradient_descent", "conjugate_gradient", "normal_equations"}, \
default="gradient_descent"
        "normal_equations" is exact, needs one secure sum, and allows `summary`; it sends
        half the square of the number of features. "conjugate_gradient" needs about as many
        secure sums as there are features. "gradient_descent" is the one to stop early.
    alpha : float, default=0.0
        Ridge penalty on the coefficients in the user's units; the intercept is free.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    learning_rate : "auto" or float, default="auto"
        Step of "gradient_descent" on the *mean* gradient. "auto" is a Barzilai-Borwein
        step, or now and then an extrapolation, chosen anew each iteration from the
        gradients that are public anyway.
    max_iter : int, default=1000
        Most iterations. Not used by "normal_equations", nor are `tol` and `precondition`.
    tol : float or None, default=1e-6
        Stop when the gradient's norm is `tol` times the first one's, or can no longer be
        told from zero. None: exactly `max_iter` iterations, and no warning.
    init : {"zeros", "local"}, default="zeros"
        Where to start. "local": each client first takes `max_iter` steps on its own rows
        alone, then all take common steps from there, so that each ends with a model of
        its own. Needs ``tol=None`` and ``alpha=0``.
    precondition : bool, default=True
        Take gradients in features and target standardised by their common mean and
        deviation, found by two secure sums. Does not change the optimum, only the way there.
        Without, `tol` is about the gradient in the user's units, and features of very
        different sizes or of large means may meet it far from the optimum.
    n_clients : int, default=3
        Blocks that `fit(X, y)` cuts the rows in. Not used by the other forms of `fit`.
    min_rows : int, default=3
        A client with fewer rows, of weights other than 0, refuses to take part.
    min_rows_per_parameter : float, default=0.0
        So does a client with fewer rows than this times the number of parameters, the
        intercept included. DataSHIELD's default amounts to 3. Whatever these two are, a
        model with more parameters than rows in all is refused. The blocks that `fit(X, y)`
        cuts are nobody's, and none of the three is asked there.
    privacy : GaussianPrivacy or None, default=None
        Noise on the totals, so that no single row shows in them; for "normal_equations", and
        without sample weights. `min_rows` and the like are then not asked: a refusal would
        tell of the rows.
    key_length : int, default=3072
        Bits of the Paillier modulus: 3072 for 128-bit security, at least 2048 (112-bit).
    n_jobs : int or None, default=None
        Cores for encryption and decryption. None: 1, unless in a `joblib.parallel_config`
        context; -1: all. Does not change the result. The key holder decrypts in threads:
        on two cores, up to twice as fast. Clients encrypt in processes where a round has
        128 ciphertexts or more, of some 40 numbers each: on two cores 1.8 times as fast,
        once they have started; of fewer, 64 would still gain and 16 lose.
    verbose : int, default=0
        If positive, print a line an iteration: the gradient's norm, the bytes that clients
        sent in running sums, the seconds it took.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients; with ``init="local"``, the mean of the clients'.
    intercept_ : float
        Intercept; 0.0 if ``fit_intercept=False``; with ``init="local"``, the mean.
    rank_ : int
        Rank of X, centered if an intercept is fitted; with "normal_equations", but not with
        `privacy`, as all that follow from exact products.
    covariance_ : ndarray of shape (n_parameters, n_parameters)
        Of the coefficients and, last, the intercept; with "normal_equations", ``alpha=0``,
        no weights and full rank, as the next two.
    residual_variance_ : float
        Estimate of the variance of the errors.
    dof_ : int
        Degrees of freedom of the residuals.
    privacy_spent_ : PrivacySpent
        What this fit has spent of a privacy budget, ``(epsilon, delta)``; with `privacy`.
    n_iter_ : int
        Iterations made: gradients, Hessian products or exact products summed.
    n_rounds_ : int
        Secure sums made, those that prepare and conclude included.
    gradient_norms_ : ndarray of shape (n_iterations,)
        Norm of the gradient at each iteration, with `precondition` in standardised
        features; not with "normal_equations". Of "conjugate_gradient", after each product.
    clients_ : ndarray of shape (n_clients,)
        Labels of the clients.
    n_clients_ : int
        Number of clients.
    client_coef_ : ndarray of shape (n_clients, n_features)
        Each client's own coefficients. Only with ``init="local"``; each client would keep
        its own, from which its model of before the common steps follows.
    client_intercept_ : ndarray of shape (n_clients,)
        Each client's own intercept. Only with ``init="local"``.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where all clients have data frames with string columns.

    See Also
    --------
    sklearn.linear_model.LinearRegression : The same model on pooled rows.
    sklearn.linear_model.Ridge : The same with a penalty.

    Notes
    -----
    *Reveals*, to all parties: the labels of the clients, and totals over all clients - the
    number of rows and the sum of their weights, the mean square of each feature and of the
    target, with `precondition` and an intercept their means, the gradient of each iteration
    or its product with the Hessian, and with ``init="local"`` the mean of the clients' own
    models; with "normal_equations" instead the products of all columns, exactly, and with
    `privacy` these products of clipped rows, with noise, alone. The gradients determine X^T y
    and X^T X of the pooled rows. See the security page for what that allows and what
    collusion breaks.

    Where the rows do not determine the coefficients, those of least norm are found: in
    standardised features, or without `precondition` in the user's units, where the
    intercept counts as a coefficient of its own.

    From scikit-learn 1.9 on, ``set_callbacks`` takes its callbacks. Each iteration is a task,
    and one whose end a callback answers with True is the last. They are given the model so
    far, but with ``init="local"``, and "normal_equations" only when it is fitted. They are
    given no rows: `ScoringMonitor`, which scores those of the training, finds none.

    Features and target between 1e-30 and 1e30 in size are sure to be carried without loss.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> X, y = load_diabetes(return_X_y=True)
    >>> shards = [(X[:120], y[:120]), (X[120:200], y[120:200]), (X[200:], y[200:])]
    >>> est = FederatedLinearRegression().fit(shards)
    >>> print(f"{est.score(X, y):.4f}")
    0.5177
    """

    __metadata_request__fit: ClassVar = {"clients": True, "groups": True}

    def __init__(
        self,
        *,
        solver: Literal[
            "gradient_descent", "conjugate_gradient", "normal_equations"
        ] = "gradient_descent",
        alpha: float = 0.0,
        fit_intercept: bool = True,
        learning_rate: float | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-6,
        init: Literal["zeros", "local"] = "zeros",
        precondition: bool = True,
        n_clients: int = 3,
        min_rows: int = 3,
        min_rows_per_parameter: float = 0.0,
        privacy: GaussianPrivacy | None = None,
        key_length: int = 3072,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.solver = solver
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.tol = tol
        self.init = init
        self.precondition = precondition
        self.n_clients = n_clients
        self.min_rows = min_rows
        self.min_rows_per_parameter = min_rows_per_parameter
        self.privacy = privacy
        self.key_length = key_length
        self.n_jobs = n_jobs
        self.verbose = verbose

    @with_callbacks
    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        clients: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> FederatedLinearRegression:
        """Fit one model over the rows of all clients.

        Parameters
        ----------
        X : shards, array-like of shape (n_samples, n_features), or Federation
            Shards are a list, tuple or iterator of ``(X, y)`` or ``(X, y, sample_weight)``,
            one for each client, or a dict of such by label; or all rows as one table; or a
            federation of other machines, as `engines.nvflare.NVFlareFederation`, alone.
        y : array-like of shape (n_samples,), default=None
            Target; None with shards.
        clients : array-like of shape (n_samples,), default=None
            Label of the client that holds each row, strings or numbers. None: the rows are
            cut in `n_clients` contiguous blocks.
        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. With shards, weights are their third part.
        groups : array-like of shape (n_samples,), default=None
            Not used: groups are a cross-validator's. Refused where nothing says who holds
            which rows, since groups were then most likely meant as `clients`. Metadata
            routing hands them on for that.

        Returns
        -------
        self : FederatedLinearRegression
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            For data or parameters out of order, fewer than three clients among them.
        OverflowError
            If a value does not fit the slot it would travel in.
        """
        check_parameters(self)
        if isinstance(X, Federation):
            others = {"y": y, "clients": clients, "sample_weight": sample_weight}
            refuse_beside_federation(**others, groups=groups)
            federation = X
        else:
            shards = check_data(self, X, y, clients, sample_weight, groups)
            simulated = clients is None and not is_shards(X)
            federation = LocalFederation(shards, simulated=simulated)
        members, task = federation.members, FitTask(self)
        with without_locals():
            fitted = train(self, federation, task)
        set_fitted(self, members, fitted)
        task.end()
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Predict with `coef_` and `intercept_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in the clear.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predicted targets.

        Raises
        ------
        TypeError
            If shards came.
        """
        check_is_fitted(self)
        if is_shards(X):
            raise TypeError(
                "predict takes one table and got shards; predict for each client's own rows."
            )
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        prediction: NDArray[np.float64] = X @ self.coef_ + self.intercept_
        return prediction

    def score(
        self, X: Any, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> float:
        """R^2 over the rows given, which whoever scores holds in the clear.

        Parameters
        ----------
        X : shards, or array-like of shape (n_samples, n_features)
            As for `fit`; here any number of shards will do.
        y : array-like of shape (n_samples,), default=None
            None with shards.
        sample_weight : array-like of shape (n_samples,), default=None
            With shards, weights are their third part.

        Returns
        -------
        float
            R^2, at best 1.
        """
        if not is_shards(X):
            return float(super().score(X, y, sample_weight))
        refuse_beside_shards(y=y, sample_weight=sample_weight)
        check_is_fitted(self)
        y_true, y_pred, weights = [], [], []
        for label, given in labelled(X).items():
            with naming(label):
                shard = check_table(self, *given)
                y_true.append(shard.y)
                y_pred.append(self.predict(given[0]))
            own = shard.sample_weight
            weights.append(np.ones(len(shard.y)) if own is None else own)
        if not y_true:
            raise ValueError("No shards to score; pass (X, y) for at least one client.")
        return float(
            r2_score(*map(np.concatenate, (y_true, y_pred)), sample_weight=np.concatenate(weights))
        )

    def summary(self) -> RegressionSummary:
        """Coefficients with standard errors, tests and intervals, as a statistician expects.

        Returns
        -------
        RegressionSummary
            Prints as a table, in a notebook as HTML; ``to_frame()`` makes a data frame.

        Raises
        ------
        ValueError
            If the fit was not one of classical least squares by "normal_equations".
        """
        check_is_fitted(self)
        if not hasattr(self, "_summary_"):
            raise ValueError(
                f"summary() needs what solver={self.solver!r} does not ask for; fit with "
                "solver='normal_equations'."
            )
        summary: RegressionSummary | str = self._summary_
        if isinstance(summary, str):
            raise ValueError(
                f"summary() is for classical least squares, and this fit has {summary}."
            )
        return summary
