"""`summary` after an encrypted fit against statsmodels on the pooled rows, and its refusals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.linalg import LinAlgWarning
from sklearn.exceptions import NotFittedError

from sklearn_fedphe import FederatedLinearRegression

pytestmark = pytest.mark.usefixtures("known_key")


@pytest.fixture
def shards(cut):
    return random_shards(0, 2, cut)[-1]


def fit(shards, **parameters):
    parameters = {"solver": "normal_equations", "key_length": 2048} | parameters
    return FederatedLinearRegression(**parameters).fit(shards)


def ols(X, y, fit_intercept):
    return sm.OLS(y, np.column_stack([X, np.ones((len(X), int(fit_intercept)))])).fit()


def random_shards(seed, n_features, cut):
    generator = np.random.default_rng(seed)
    sizes = generator.integers(3 + n_features, 9 + 5 * n_features, size=generator.integers(3, 7))
    X = generator.normal(1, 2, size=(sizes.sum(), n_features))
    y = X @ generator.normal(size=n_features) + generator.normal(3, 2, size=len(X))
    return X, y, cut(sizes, X, y)


def assert_same_inference(est, expected):
    summary = est.summary()
    for ours, theirs in [
        ([*est.coef_, *[est.intercept_] * est.fit_intercept], expected.params),
        (summary.estimate, expected.params),
        (est.covariance_.diagonal(), expected.bse**2),
        (summary.standard_error, expected.bse),
        (summary.t, expected.tvalues),
        (summary.p_value, expected.pvalues),
        (summary.confidence_interval(), expected.conf_int()),
        (summary.confidence_interval(0.99), expected.conf_int(alpha=0.01)),
        (summary.residual_variance, expected.scale),
        (summary.r2, expected.rsquared),
        (summary.r2_adjusted, expected.rsquared_adj),
        (summary.f, expected.fvalue),
        (summary.f_p_value, expected.f_pvalue),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    # Of centered columns, the covariances with the intercept are rounding to statsmodels.
    difference = (est.covariance_ - expected.cov_params()) / np.outer(expected.bse, expected.bse)
    np.testing.assert_allclose(difference, 0.0, atol=1e-9)
    np.testing.assert_array_equal(est.covariance_, summary.covariance)
    assert est.residual_variance_ == summary.residual_variance
    assert est.dof_ == summary.dof == expected.df_resid
    assert summary.n_rows == expected.nobs


@pytest.mark.parametrize("sizes", [[40, 110, 292], [12, 200, 30, 50, 150]], ids=len)
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_equals_statsmodels_on_diabetes(diabetes, cut, sizes, fit_intercept):
    est = fit(cut(sizes, *diabetes), fit_intercept=fit_intercept)

    assert_same_inference(est, ols(*diabetes, fit_intercept))
    assert est.summary().n_clients == len(sizes)
    assert est.rank_ == 10


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_equals_statsmodels_on_longley(cut, fit_intercept):
    data = sm.datasets.longley.load_pandas()
    X, y = data.exog.to_numpy(float), data.endog.to_numpy(float)

    est = fit(cut([3, 8, 5], X, y), fit_intercept=fit_intercept)

    assert_same_inference(est, ols(X, y, fit_intercept))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_features", [1, 2, 5, 12])
@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_equals_statsmodels_on_random_shards(cut, seed, n_features, fit_intercept):
    X, y, shards = random_shards(seed, n_features, cut)

    est = fit(shards, fit_intercept=fit_intercept)

    assert_same_inference(est, ols(X, y, fit_intercept))


def test_a_frame_gives_the_names():
    data = sm.datasets.longley.load_pandas()
    parts = [slice(0, 4), slice(4, 7), slice(7, 16)]

    summary = fit([(data.exog[part], data.endog[part]) for part in parts]).summary()

    expected = sm.OLS(data.endog, sm.add_constant(data.exog, prepend=False)).fit()
    names = ["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR", "intercept"]
    frame = summary.to_frame()
    assert summary.names == tuple(names)
    assert frame.index.tolist() == names
    table = [expected.params, expected.bse, expected.tvalues, expected.pvalues]
    np.testing.assert_allclose(frame.iloc[:, :4], np.transpose(table), rtol=1e-9)
    np.testing.assert_allclose(frame.iloc[:, 4:], expected.conf_int(), rtol=1e-9)


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_without_names_columns_are_numbered(shards, fit_intercept):
    summary = fit(shards, fit_intercept=fit_intercept).summary()

    assert summary.names == ("x0", "x1", *["intercept"] * fit_intercept)


def test_a_notebook_shows_a_table(shards):
    shards = [(pd.DataFrame(X, columns=["age", "a<b"]), y) for X, y in shards]

    summary = fit(shards).summary()

    html = summary._repr_html_()
    for name in ["age", "a&lt;b", "intercept"]:
        assert f"<tr><th>{name}</th><td>" in html
    assert f"<td>{summary.estimate[0]:.5g}</td>" in html
    assert f"<tr><th>Clients</th><td>{len(shards)}</td></tr>" in html
    assert repr(summary).splitlines()[-1].startswith("intercept  ")


def refusal(est):
    with pytest.raises(ValueError, match=r"^summary\(\) ") as raised:
        est.summary()
    for name in ["covariance_", "residual_variance_", "dof_"]:
        assert not hasattr(est, name)
    return str(raised.value)


@pytest.mark.parametrize("solver", ["gradient_descent", "conjugate_gradient"])
def test_another_solver_has_no_summary(shards, solver):
    assert refusal(fit(shards, solver=solver)) == (
        f"summary() needs what solver='{solver}' does not ask for; fit with "
        "solver='normal_equations'."
    )


def test_a_new_fit_takes_the_summary_of_the_last_away(shards):
    est = fit(shards)
    est.summary()

    est.set_params(solver="gradient_descent").fit(shards)

    assert "solver='gradient_descent'" in refusal(est)


def test_a_penalised_fit_has_no_summary(shards):
    assert refusal(fit(shards, alpha=0.5)) == (
        "summary() is for classical least squares, and this fit has alpha=0.5: penalised "
        "coefficients are biased; pass alpha=0."
    )


def test_a_weighted_fit_has_no_summary(shards):
    assert refusal(fit([(X, y, np.full(len(y), 2.0)) for X, y in shards])) == (
        "summary() is for classical least squares, and this fit has sample weights: what they "
        "mean for the errors is not known; fit without."
    )


@pytest.mark.parametrize(
    ("column", "names"),
    [
        (lambda frame: 2 * frame["a"], "'a', 'new'"),
        (lambda frame: frame["a"] - frame["b"], "'a', 'b', 'new'"),
        (lambda _: 0.1, "'new'"),
        (lambda _: 0.0, "'new'"),
    ],
    ids=["multiple", "difference", "constant", "zeros"],
)
def test_dependent_columns_have_a_warning_and_no_summary(column, names):
    frame = pd.DataFrame(np.random.default_rng(3).normal(size=(30, 2)), columns=["a", "b"])
    y = 1 + frame["a"] - np.arange(30)
    frame["new"] = column(frame)
    shards = [(frame[part], y[part]) for part in [slice(0, 5), slice(5, 20), slice(20, 30)]]

    with pytest.warns(LinAlgWarning) as record:
        est = fit(shards)

    assert [str(one.message) for one in record] == [
        f"The columns {names} depend on each other or do not vary: the rank is 2 of 3. "
        "Predictions on such rows are determined, and of the coefficients those of least norm in "
        "standardised columns were taken."
    ]
    assert record[0].filename == __file__
    assert est.rank_ == 2
    assert refusal(est) == (
        "summary() is for classical least squares, and this fit has columns that depend on each "
        "other or do not vary (rank_=2): their coefficients are not determined; leave some out."
    )


@pytest.mark.parametrize("fit_intercept", [True, False], ids=["intercept", "origin"])
def test_as_many_rows_as_parameters_have_no_summary(cut, fit_intercept):
    X, y = np.random.default_rng(4).normal(size=(12, 12 - fit_intercept)), np.arange(12.0)

    est = fit(cut([3, 4, 5], X, y), fit_intercept=fit_intercept)

    np.testing.assert_allclose(est.predict(X), y, atol=1e-9)
    assert refusal(est) == (
        "summary() is for classical least squares, and this fit has 12 rows for 12 parameters: "
        "nothing is left to estimate errors from; use more rows or fewer features."
    )


def test_one_row_more_has_a_summary(cut):
    X, y = np.random.default_rng(5).normal(size=(12, 10)), np.arange(12.0)

    est = fit(cut([3, 4, 5], X, y))

    assert_same_inference(est, ols(X, y, fit_intercept=True))
    assert est.dof_ == 1


def test_without_a_fit_there_is_no_summary():
    with pytest.raises(NotFittedError, match=r"^This FederatedLinearRegression .* not fitted yet"):
        FederatedLinearRegression(solver="normal_equations").summary()
