import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.displays import ConvergenceDisplay, FederationDisplay

pytestmark = pytest.mark.usefixtures("known_key")

LABELS = ["A", "B", "C"]


@pytest.fixture(autouse=True)
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    mpl.use("agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def shards(diabetes, cut):
    return dict(zip(LABELS, cut([60, 90, 200], *diabetes), strict=True))


@pytest.fixture(scope="module")
def held_out(diabetes):
    X, y = diabetes
    return X[350:], y[350:]


def fit(shards, **parameters):
    return FederatedLinearRegression(key_length=2048, **parameters).fit(shards)


@pytest.fixture(scope="module")
def est(shards):
    return fit(shards)


def drawn(display, tmp_path):
    display.figure_.savefig(tmp_path / "picture.png")
    return (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_convergence_is_the_norms_of_the_fit_on_a_logarithmic_axis(est, tmp_path):
    display = ConvergenceDisplay.from_estimator(est)

    np.testing.assert_array_equal(display.line_.get_xdata(), range(1, est.n_iter_ + 1))
    np.testing.assert_array_equal(display.line_.get_ydata(), est.gradient_norms_)
    assert display.ax_.get_yscale() == "log"
    assert display.figure_ is display.ax_.figure
    assert display.line_.get_label() == "FederatedLinearRegression"
    assert drawn(display, tmp_path)


def test_convergence_takes_axes_a_name_and_a_style(est, pyplot):
    axes = Figure().subplots()

    one = ConvergenceDisplay.from_estimator(est, ax=axes, name="steps", color="red")
    two = ConvergenceDisplay(gradient_norms=np.array([1.0, 0.1]), estimator_name="two")

    assert two.plot(axes, name="other") is two
    assert one.ax_ is two.ax_ is axes
    assert one.line_.get_color() == "red"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["steps", "other"]
    assert not pyplot.get_fignums()


def test_convergence_without_a_name_has_no_legend():
    display = ConvergenceDisplay(gradient_norms=np.array([1.0, 0.1])).plot()

    assert display.ax_.get_legend() is None


def test_convergence_of_a_fit_that_takes_no_gradients_is_refused(shards):
    exact = fit(shards, solver="normal_equations")

    with pytest.raises(ValueError, match=r"solver='normal_equations' took no gradients.*fit with"):
        ConvergenceDisplay.from_estimator(exact)


def test_a_norm_of_zero_is_drawn_without_a_warning(tmp_path):
    assert drawn(ConvergenceDisplay(gradient_norms=np.zeros(1)).plot(), tmp_path)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_those_of_the_minimum_over_a_clients_own_rows(
    shards, held_out, tmp_path, alpha, fit_intercept, weighted
):
    X_test, y_test = held_out
    generator = np.random.default_rng(0)
    if weighted:
        shards = {k: (X, y, generator.uniform(1, 2, len(y))) for k, (X, y) in shards.items()}
    est = fit(shards, alpha=alpha, fit_intercept=fit_intercept)

    display = FederationDisplay.from_estimator(est, X_test, y_test, shards=shards)

    expected = []
    for X, y, *weights in shards.values():
        w = np.sqrt(weights[0]) if weighted else np.ones(len(y))
        A = np.c_[X, np.ones(len(y))][:, : 10 + fit_intercept]
        penalty = np.sqrt(alpha) * np.eye(A.shape[1])[:10]
        model = np.linalg.lstsq(
            np.r_[A * w[:, np.newaxis], penalty], np.r_[y * w, np.zeros(10)], rcond=None
        )[0]
        predicted = np.c_[X_test, np.ones(len(y_test))][:, : A.shape[1]] @ model
        expected.append(np.mean((predicted - y_test) ** 2))
    np.testing.assert_allclose(display.errors_alone, expected, rtol=1e-9)
    assert display.error_federated == pytest.approx(np.mean((est.predict(X_test) - y_test) ** 2))
    assert drawn(display, tmp_path)


def test_a_bar_a_client_and_a_line_for_the_federation(est, shards, held_out, pyplot):
    axes = Figure().subplots()

    display = FederationDisplay.from_estimator(est, *held_out, shards=shards, ax=axes, color="red")

    assert [bar.get_height() for bar in display.bars_] == display.errors_alone.tolist()
    assert {bar.get_facecolor() for bar in display.bars_} == {(1.0, 0.0, 0.0, 1.0)}
    assert set(display.line_.get_ydata()) == {display.error_federated}
    assert [tick.get_text() for tick in axes.get_xticklabels()] == LABELS
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["federated", "alone"]
    assert display.ax_ is axes
    assert display.figure_ is axes.figure
    assert not pyplot.get_fignums()
    again = display.plot()
    assert again.ax_ is not axes


def test_shards_of_other_clients_are_refused(est, shards, held_out):
    others = shards | {"D": shards["A"]}

    text = r"clients \['A', 'B', 'C', 'D'\], and .* fitted to those of \['A', 'B', 'C'\]; pass the"
    with pytest.raises(ValueError, match=text):
        FederationDisplay.from_estimator(est, *held_out, shards=others)


def test_shards_of_other_columns_are_refused_by_the_name_of_the_client(est, shards, held_out):
    others = shards | {"B": (shards["B"][0][:, :9], shards["B"][1])}

    with pytest.raises(ValueError, match="client 'B': X has 10 features, but LinearRegression"):
        FederationDisplay.from_estimator(est, *held_out, shards=others)


DRAWN = {
    "convergence": ConvergenceDisplay.from_estimator,
    "federation": lambda est: FederationDisplay.from_estimator(est, [[0.0]], [0.0], shards=[]),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_only_a_fitted_estimator_is_drawn(draw, pyplot):
    with pytest.raises(NotFittedError):
        draw(FederatedLinearRegression())
    with pytest.raises(TypeError, match=r"Pipeline came where a FederatedLinear.*the one inside"):
        draw(make_pipeline(FederatedLinearRegression()))
    assert not pyplot.get_fignums()


def test_without_matplotlib_the_extra_is_named(est, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)

    with pytest.raises(ImportError, match=r"pip install 'sklearn_fedphe\[plot\]'"):
        ConvergenceDisplay.from_estimator(est)


@pytest.mark.parametrize("module", ["sklearn_fedphe", "sklearn_fedphe.displays"])
def test_importing_imports_neither_matplotlib_nor_pandas(module):
    # What scikit-learn itself imports, pandas among it where there is one, is not ours.
    program = (
        "import sys, sklearn.linear_model; there = set(sys.modules)\n"
        f"import {module}; print({{'matplotlib', 'pandas'}} & (set(sys.modules) - there))"
    )

    result = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert result.stdout == "set()\n"
