import pickle
import re
import sys
from dataclasses import FrozenInstanceError

import mpmath
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from sklearn_fedphe.inference import RegressionSummary


def summarize(X, y, fit_intercept=True, names=None):
    """By the normal equations to fifty digits: nothing is left of X's condition."""
    n_rows, n_features = X.shape
    names = tuple(names or (f"x{j}" for j in range(n_features)))
    if fit_intercept:
        X, names = np.column_stack([X, np.ones(n_rows)]), (*names, "intercept")
    with mpmath.workdps(50):
        A, b = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        inverse = (A.T * A) ** -1
        estimate = inverse * (A.T * b)
        residual_ss = mpmath.norm(b - A * estimate) ** 2
        mean = mpmath.fsum(b) / n_rows if fit_intercept else 0
        total_ss = mpmath.fsum((value - mean) ** 2 for value in b)
        dof = n_rows - len(names)
        return RegressionSummary(
            names=names,
            estimate=np.array(list(estimate), dtype=float),
            covariance=np.array((inverse * residual_ss / dof).tolist(), dtype=float),
            residual_ss=float(residual_ss),
            total_ss=float(total_ss),
            dof=dof,
            n_rows=n_rows,
            n_clients=3,
            fit_intercept=fit_intercept,
        )


def five_rows(**changes):
    """Of y = 2, 4, 5, 4, 5 on x = 1, ..., 5, by hand."""
    fields = {
        "names": ("age", "intercept"),
        "estimate": np.array([0.6, 2.2]),
        "covariance": np.array([[0.08, -0.24], [-0.24, 0.88]]),
        "residual_ss": 2.4,
        "total_ss": 6.0,
        "dof": 3,
        "n_rows": 5,
        "n_clients": 3,
        "fit_intercept": True,
    }
    return RegressionSummary(**fields | changes)


@pytest.fixture
def longley():
    data = sm.datasets.longley.load_pandas()
    return data.exog.to_numpy(float), data.endog.to_numpy(float)


@pytest.fixture(params=["diabetes", "longley", "close fit", "noise", "one column"])
def table(request, diabetes, longley):
    generator = np.random.default_rng(0)
    X, noise = generator.normal(1, 2, size=(40, 4)), generator.normal(size=40)
    return {
        "diabetes": diabetes,
        "longley": longley,
        "close fit": (X, X @ [1.0, 2.0, -3.0, 0.5] + 7 + 1e-5 * noise),
        "noise": (X, 3 + noise),
        "one column": (X[:5, :1], noise[:5]),
    }[request.param]


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_equals_statsmodels(table, fit_intercept):
    X, y = table
    expected = sm.OLS(y, np.column_stack([X, np.ones(len(y))]) if fit_intercept else X).fit()

    summary = summarize(X, y, fit_intercept)

    for ours, theirs in [
        (summary.estimate, expected.params),
        (summary.standard_error, expected.bse),
        (summary.t, expected.tvalues),
        (summary.p_value, expected.pvalues),
        (summary.residual_variance, expected.scale),
        (summary.r2, expected.rsquared),
        (summary.r2_adjusted, expected.rsquared_adj),
        (summary.f, expected.fvalue),
        (summary.f_p_value, expected.f_pvalue),
        (summary.confidence_interval(), expected.conf_int()),
        (summary.confidence_interval(level=0.5), expected.conf_int(alpha=0.5)),
        (summary.confidence_interval(0.999), expected.conf_int(alpha=0.001)),
    ]:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_equals_the_certified_values_of_longley(longley):
    """https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml."""
    summary = summarize(*longley)

    np.testing.assert_allclose(
        np.column_stack([summary.estimate, summary.standard_error]),
        [
            [15.0618722713733, 84.9149257747669],
            [-0.358191792925910e-01, 0.334910077722432e-01],
            [-2.02022980381683, 0.488399681651699],
            [-1.03322686717359, 0.214274163161675],
            [-0.511041056535807e-01, 0.226073200069370],
            [1829.15146461355, 455.478499142212],
            [-3482258.63459582, 890420.383607373],
        ],
        rtol=1e-13,
    )
    assert summary.residual_variance**0.5 == pytest.approx(304.854073561965, rel=1e-13)
    assert summary.r2 == pytest.approx(0.995479004577296, rel=1e-13)
    assert summary.f == pytest.approx(330.285339234588, rel=1e-13)


@pytest.mark.parametrize("t", [0.01, 1.0, 30.0, 1e6])
@pytest.mark.parametrize("dof", [1, 3, 1000])
def test_tails_keep_their_digits(t, dof):
    """The square of Student's t has the F distribution of one slope."""
    summary = five_rows(
        estimate=[t], covariance=[[1.0]], names=("x",), residual_ss=dof, total_ss=dof + t * t,
        dof=dof, n_rows=dof + 1, fit_intercept=False,
    )  # fmt: skip
    with mpmath.workdps(50):
        square = mpmath.mpf(t) ** 2
        p = mpmath.betainc(dof / 2, 0.5, 0, dof / (dof + square), regularized=True)

    np.testing.assert_allclose(summary.p_value, float(p), rtol=1e-9)
    np.testing.assert_allclose(summary.f_p_value, float(p), rtol=1e-9)


def test_a_perfect_fit_has_no_errors():
    zeros = np.zeros((3, 3))
    summary = five_rows(
        names=("a", "b", "intercept"), estimate=[-0.5, 0, 2], covariance=zeros, residual_ss=0.0
    )

    np.testing.assert_array_equal(summary.t, [-np.inf, np.nan, np.inf])
    np.testing.assert_array_equal(summary.p_value, [0, np.nan, 0])
    np.testing.assert_array_equal(summary.confidence_interval(), [[-0.5] * 2, [0, 0], [2, 2]])
    assert (summary.r2, summary.r2_adjusted) == (1.0, 1.0)
    assert (summary.f, summary.f_p_value) == (np.inf, 0.0)
    assert "-inf" in repr(summary)


def test_without_slopes_there_is_nothing_to_test_together():
    for residual_ss in [6.0, 5.999, 0.0]:
        summary = five_rows(
            names=("intercept",), estimate=[4.0], covariance=[[0.3]], residual_ss=residual_ss,
            dof=4,
        )  # fmt: skip

        assert np.isnan([summary.f, summary.f_p_value]).all()
        assert re.search(r"\nF\(0, 4\) +nan\nP>F +nan\n", repr(summary))


def test_a_nearly_perfect_fit_may_overflow():
    assert five_rows(residual_ss=1e-320).f == np.inf


def test_a_constant_target_has_nothing_to_explain():
    summary = five_rows(estimate=[0, 4], covariance=np.zeros((2, 2)), residual_ss=0, total_ss=0)

    assert np.isnan([summary.r2, summary.r2_adjusted, summary.f, summary.f_p_value]).all()


def test_rounding_makes_no_negative_f():
    summary = five_rows(residual_ss=6.0 + 1e-15)

    assert (summary.f, summary.f_p_value) == (0.0, 1.0)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, np.nan])
def test_a_level_is_between_0_and_1(level):
    message = rf"^level={level!r} is not between 0 and 1, both excluded; pass 0\.95 for 95%\.$"
    with pytest.raises(ValueError, match=message):
        five_rows().confidence_interval(level)


def test_text():
    expected = """\
Rows                              5
Clients                           3
Residual degrees of freedom       3
Residual standard error      0.8944
R^2                          0.6000
Adjusted R^2                 0.4667
F(1, 3)                         4.5
P>F                           0.124

           coef  std err      t  P>|t|      95% interval
age         0.6   0.2828  2.121  0.124    [-0.3001, 1.5]
intercept   2.2   0.9381  2.345  0.101  [-0.7854, 5.185]"""

    assert repr(five_rows()) == str(five_rows()) == expected


def test_text_says_that_r2_is_not_about_the_mean(diabetes):
    text = repr(summarize(*diabetes, fit_intercept=False))

    assert "\nR^2 (not about the mean) " in text
    assert "\nAdjusted R^2 (not about the mean) " in text
    assert "\nF(10, 432) " in text
    assert "intercept" not in text


def test_html_has_what_the_text_has():
    summary = five_rows()

    header, body = (pd.DataFrame(table) for table in summary._tables())
    html = summary._repr_html_()

    assert html.count("<table>") == html.count("</table>") == 2
    assert html.count("<tr>") == len(header) + len(body)
    for cell in [*header.to_numpy().ravel(), *body.to_numpy().ravel()]:
        assert f">{cell.replace('>', '&gt;')}</t" in html
        assert cell in repr(summary)


def test_html_is_escaped():
    summary = five_rows(names=("<b>&\"'", "intercept"))

    assert "<th>&lt;b&gt;&amp;&quot;&#x27;</th>" in summary._repr_html_()
    assert "<b>" not in summary._repr_html_()
    assert "<b>&\"'" in repr(summary)


def test_frame():
    summary = five_rows()

    frame = summary.to_frame()

    assert frame.index.tolist() == ["age", "intercept"]
    assert frame.columns.tolist() == ["coef", "std err", "t", "P>|t|", "2.5 %", "97.5 %"]
    columns = summary.estimate, summary.standard_error, summary.t, summary.p_value
    expected = np.column_stack([*columns, summary.confidence_interval(0.95)])
    np.testing.assert_array_equal(frame.to_numpy(), expected)


def test_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(ImportError, match=r"^to_frame needs pandas: pip install pandas$"):
        five_rows().to_frame()
    assert "age" in repr(five_rows())


def test_a_summary_does_not_change():
    estimate = np.array([0.6, 2.2])
    summary = five_rows(estimate=estimate)

    estimate[0] = 7.0

    assert summary.estimate[0] == 0.6
    with pytest.raises(ValueError, match="read-only"):
        summary.covariance[0, 0] = 1.0
    with pytest.raises(FrozenInstanceError):
        summary.dof = 4
    assert repr(pickle.loads(pickle.dumps(summary))) == repr(summary)
