import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe import least_squares
from sklearn_fedphe.least_squares import Frame, LeastSquares


@pytest.fixture(params=["C", "F", "float32", "float32, F", "strided"])
def table(request):
    generator = np.random.default_rng(0)
    X = 1e3 + generator.normal(size=(97, 4)) * [1e-3, 1, 10, 1e3]
    if "F" in request.param:
        X = np.asfortranarray(X)
    if "float32" in request.param:
        X = X.astype(np.float32)
    elif request.param == "strided":
        X = np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3]
    return X, generator.normal(size=97), generator.uniform(size=97)


@pytest.fixture(params=[1, 40, 4 * 97, 2**18], ids="{} values a block".format)
def _blocks(request, monkeypatch):
    monkeypatch.setattr(least_squares, "_BLOCK_VALUES", request.param)


@pytest.fixture(params=[[1e3, 0, 7, 1], [0, 0, 0, 0], [5e-4, -1, 7, 9]], ids="center {}".format)
def frame(request):
    center = np.array(request.param, dtype=float)
    return Frame(center, np.array([1e-3, 1, np.inf, 9]), 0.5, 3.0, 120.0)


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

    np.testing.assert_allclose(rows.sums(), [97, w.sum(), *(w @ X), w @ y], rtol=1e-12)
    np.testing.assert_allclose(
        rows.squares(frame.center, 0.5),
        [97, w.sum(), *(w @ (X - frame.center) ** 2), w @ (y - 0.5) ** 2],
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

    _, weight, total, _ = rows.sums()

    assert total == weight * constant


def test_a_row_of_no_weight_costs_no_digits():
    X = np.array([[1e25], [1.0], [2.0], [4.0]])

    rows = LeastSquares(X, np.array([1e25, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0, 1.0]))

    np.testing.assert_array_equal(rows.sums(), [3.0, 3.0, 7.0, 6.0])


@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_are_worked_on_in_blocks_in_the_order_they_lie_in(order):
    X = np.zeros((4096, 512), dtype=np.float32, order=order)
    rows = LeastSquares(X[:4000], np.zeros(4000))

    for block, *_ in rows._blocks(np.ones(512), 0.0):
        assert block.nbytes <= 8 * least_squares._BLOCK_VALUES < X.nbytes
        assert np.argsort(block.strides).tolist() == np.argsort(X.strides).tolist()


@pytest.mark.parametrize("order", ["C", "F"])
def test_gradient_copies_no_row_where_columns_are_near_zero(order, monkeypatch):
    X = np.asarray(np.random.default_rng(0).normal(0.5, size=(4096, 512)), order=order)
    rows = LeastSquares(X, np.zeros(4096))
    blocks = []
    real = rows._blocks
    monkeypatch.setattr(
        rows, "_blocks", lambda *args: (blocks.append(block) or block for block in real(*args))
    )

    rows.gradient(np.zeros(513), Frame(np.full(512, 0.5), np.ones(512), 0.0, 1.0, 1.0))

    assert len(blocks) == 8
    assert all(np.shares_memory(block, X) for block, *_ in blocks)


def test_rows_are_never_written_to():
    X, y = np.random.default_rng(0).normal(size=(2, 50, 50))
    X.flags.writeable = y.flags.writeable = False
    rows = LeastSquares(X, y[0])
    frame = Frame(np.zeros(50), np.ones(50), 0.0, 1.0, 1.0)

    rows.sums(), rows.squares(frame.center, 0.0), rows.gradient(np.zeros(51), frame)
    rows.shifted(np.zeros(50), 0.0)


def test_frame_leads_back_to_the_users_units(frame):
    generator = np.random.default_rng(1)
    X, point = generator.normal(size=(20, 4)), generator.normal(size=5)

    coef, intercept = frame.to_raw(point)

    in_frame = (X - frame.center) / frame.scale @ point[:-1] + point[-1]
    np.testing.assert_allclose(X @ coef + intercept, 0.5 + 3.0 * in_frame, rtol=1e-9)
    assert coef[2] == 0.0
    assert frame.to_raw(point[:-1])[1] == 0.0
