from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.exact_products import MAX_ROWS, OffGridError, exact_gram
from sklearn_fedphe.least_squares import LeastSquares

GRID_BITS, WEIGHT_BITS = 145, 130


def by_fractions(Z, weights=None):
    weights = [1] * len(Z) if weights is None else weights
    rows = [[Fraction(value) for value in row] for row in Z.tolist()]
    w = [Fraction(weight) for weight in weights]
    return np.array(
        [
            [sum(a * r[i] * r[j] for a, r in zip(w, rows, strict=True)) for j in range(Z.shape[1])]
            for i in range(Z.shape[1])
        ]
    )


finite = st.one_of(
    st.floats(2.0**-93, 2.0**93), st.floats(-(2.0**93), -(2.0**-93)), st.sampled_from([0.0, 1e-27])
)


@given(data=st.data(), shape=st.tuples(st.integers(1, 5), st.integers(1, 4)))
def test_products_are_exact_whatever_the_sizes(data, shape):
    size = shape[0] * shape[1]
    Z = np.array(data.draw(st.lists(finite, min_size=size, max_size=size))).reshape(shape)
    w = np.array(data.draw(st.lists(st.integers(0, 2**60), min_size=shape[0], max_size=shape[0])))
    w = w.astype(np.float64) * 2.0**-WEIGHT_BITS

    plain = exact_gram([(Z, None)], GRID_BITS)
    weighted = exact_gram([(Z, w)], GRID_BITS, WEIGHT_BITS)

    assert (plain == by_fractions(Z) * 2 ** (2 * GRID_BITS)).all()
    assert (weighted == by_fractions(Z, w) * 2 ** (2 * GRID_BITS + WEIGHT_BITS)).all()


@pytest.mark.parametrize("weight", [None, 2.0**41 - 2.0**-12])
def test_a_full_block_of_the_largest_slices_is_not_rounded(weight):
    # Every bit set: all slices are as large as slices get, and of one sign.
    value = 2.0**93 - 2.0**40
    Z = np.full((MAX_ROWS, 2), value) * [1.0, -1.0]
    weights = None if weight is None else np.full(MAX_ROWS, weight)

    got = exact_gram([(Z, weights)], GRID_BITS, WEIGHT_BITS)

    product = Fraction(value) ** 2 * Fraction(weight or 1) * MAX_ROWS
    expected = product * 2 ** (2 * GRID_BITS + WEIGHT_BITS)
    assert got.tolist() == [[expected, -expected], [-expected, expected]]


def test_blocks_of_no_weight_or_no_value_add_nothing():
    Z, zeros = np.ones((3, 2)), np.zeros((3, 2))

    got = exact_gram([(Z, None), (zeros, None), (Z, np.zeros(3))], GRID_BITS, WEIGHT_BITS)

    assert (got == 3 << (2 * GRID_BITS + WEIGHT_BITS)).all()


def test_blocks_add_up():
    Z = np.random.default_rng(0).normal(size=(300, 3))

    got = exact_gram([(Z[:100], None), (Z[100:], None)], GRID_BITS)

    assert (got == by_fractions(Z) * 2 ** (2 * GRID_BITS)).all()


@pytest.mark.parametrize("value", [2.0**-146, 1.0 + 2.0**-52, -(2.0**-146)])
def test_digits_below_the_grid_are_refused(value):
    grid_bits = 145 if abs(value) < 1 else 51
    with pytest.raises(OffGridError, match=rf"digits below 2\*\*-{grid_bits}$"):
        exact_gram([(np.array([[1.0, value]]), None)], grid_bits)

    exact_gram([(np.array([[1.0, value]]), None)], grid_bits + 1)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(OffGridError, match="a value of no finite size"):
        exact_gram([(np.array([[1.0, value]]), None)], GRID_BITS)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_answer_with_their_number_and_the_upper_triangle(dtype, weighted):
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(5000, 3)).astype(dtype), generator.normal(size=5000)
    w = generator.integers(0, 3, size=5000).astype(np.float64) if weighted else None
    weight_bits = WEIGHT_BITS if weighted else 0

    n_rows, *triangle = LeastSquares(X, y, w).gram(GRID_BITS, weight_bits)

    columns = np.column_stack([X, y, np.ones(5000)])
    unit = 2 ** (2 * GRID_BITS + weight_bits)
    assert n_rows == (np.count_nonzero(w) if weighted else 5000)
    assert triangle == (by_fractions(columns, w) * unit)[np.triu_indices(5)].tolist()


@pytest.mark.parametrize("weight", [2.0**-131, 2.0**-80 * (1 + 2.0**-52)])
def test_weights_with_digits_below_their_grid_are_refused(weight):
    rows = LeastSquares(np.ones((2, 1)), np.ones(2), np.array([1.0, weight]))

    with pytest.raises(OffGridError, match=r"a sample weight with digits below 2\*\*-130$"):
        rows.gram(GRID_BITS, WEIGHT_BITS)


def test_a_client_without_weights_among_others_with_has_weights_of_one():
    Z = np.random.default_rng(0).normal(size=(20, 2))

    got = exact_gram([(Z, None)], GRID_BITS, WEIGHT_BITS)

    assert (got == by_fractions(Z) * 2 ** (2 * GRID_BITS + WEIGHT_BITS)).all()
