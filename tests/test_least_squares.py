import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe import least_squares
from sklearn_fedphe.least_squares import Frame, LeastSquares


@pytest.fixture(params=["C", "F", "float32", "strided"])
def table(request):
    generator = np.random.default_rng(0)
    X = 1e3 + generator.normal(size=(97, 4)) * [1e-3, 1, 10, 1e3]
    if request.param == "F":
        X = np.asfortranarray(X)
    elif request.param == "float32":
        X = X.astype(np.float32)
    elif request.param == "strided":
        X = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    return X, generator.normal(size=97), generator.uniform(size=97)


@pytest.fixture(params=[1, 40, 4 * 97, 2**18], ids="{} values a block".format)
def _blocks(request, monkeypatch):
    monkeypatch.setattr(least_squares, "_BLOCK_VALUES", request.param)


@pytest.fixture
def frame():
    return Frame(np.array([1e3, 0, 7, 1]), np.array([1e-3, 1, np.inf, 9]), 0.5, 3.0, 120.0)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_are_those_of_numpy(table, frame, weighted):
    X, y, weights = table
    rows = LeastSquares(X, y, weights if weighted else None)
    w = weights if weighted else np.ones(97)
    X = X.astype(np.float64)
    point = np.array([0.3, -2, 1e6, 0.1, 0.7])
    Z = (X - frame.center) / frame.scale
    residual = Z @ point[:-1] + point[-1] - (y - 0.5) / 3.0

    np.testing.assert_allclose(rows.sums(), [w.sum(), *(w @ X), w @ y], rtol=1e-12)
    np.testing.assert_allclose(
        rows.squares(frame.center, 0.5),
        [w.sum(), *(w @ (X - frame.center) ** 2), w @ (y - 0.5) ** 2],
        rtol=1e-12,
    )
    expected = np.append(Z.T @ (w * residual), w @ residual) / 120.0
    np.testing.assert_allclose(rows.gradient(point, frame), expected, rtol=1e-9)
    residual -= point[-1]
    expected = Z.T @ (w * residual) / 120.0
    np.testing.assert_allclose(rows.gradient(point[:-1], frame), expected, rtol=1e-9)


@pytest.mark.usefixtures("_blocks")
def test_shifted_rows_have_the_residual_as_target(table):
    X, y, weights = table
    coef, intercept = np.array([1.0, -2.0, 0.5, 3.0]), 11.0

    rows = LeastSquares(X, y, weights).shifted(coef, intercept)

    residual = y - X.astype(np.float64) @ coef - intercept
    np.testing.assert_allclose(rows.sums()[-1], weights @ residual)
    np.testing.assert_array_equal(rows.start[0], coef)
    assert rows.start[1] == intercept


@given(
    constant=st.floats(-1e9, 1e9),
    n_rows=st.integers(1, 200),
    weights=st.sampled_from([None, 0.1, 3.7]),
)
def test_a_constant_column_has_no_rounding_in_its_sum(constant, n_rows, weights):
    """Naive summation of 0.1 is off by n * eps, which would pass for a deviation."""
    w = None if weights is None else np.full(n_rows, weights)
    rows = LeastSquares(np.full((n_rows, 1), constant), np.zeros(n_rows), w)

    weight, total, _ = rows.sums()

    assert total == weight * constant


def test_a_row_of_no_weight_costs_no_digits():
    X = np.array([[1e25], [1.0], [2.0], [4.0]])

    rows = LeastSquares(X, np.array([1e25, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 1.0]))

    np.testing.assert_array_equal(rows.sums(), [3.0, 7.0, 6.0])


def test_gradient_reads_the_rows_without_a_copy_of_them():
    X = np.zeros((4096, 512), dtype=np.float32)
    rows = LeastSquares(X, np.zeros(4096))
    frame = Frame(np.zeros(512), np.ones(512), 0.0, 1.0, 1.0)

    for block, *_ in rows._blocks(frame.center, 0.0):
        assert block.nbytes <= 8 * least_squares._BLOCK_VALUES < X.nbytes


def test_frame_leads_back_to_the_users_units(frame):
    generator = np.random.default_rng(1)
    X, point = generator.normal(size=(20, 4)), generator.normal(size=5)

    coef, intercept = frame.to_raw(point)

    in_frame = (X - frame.center) / frame.scale @ point[:-1] + point[-1]
    np.testing.assert_allclose(X @ coef + intercept, 0.5 + 3.0 * in_frame, rtol=1e-9)
    assert coef[2] == 0.0
    assert frame.to_raw(point[:-1])[1] == 0.0
