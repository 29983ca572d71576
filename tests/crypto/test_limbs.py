import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.limbs import (
    floats_from_limbs,
    integers_from_limbs,
    limbs_from_floats,
    limbs_from_integers,
)

WIDTHS = [1, 2, 8]


def limbs_of(integers, n_limbs):
    data = b"".join(integer.to_bytes(8 * n_limbs, "little", signed=True) for integer in integers)
    return np.frombuffer(data, "<u8").reshape(-1, n_limbs)


def integers_of(limbs):
    return [int.from_bytes(row.tobytes(), "little", signed=True) for row in limbs]


@pytest.mark.parametrize("n_limbs", WIDTHS)
@given(data=st.data())
def test_whole_floats_become_the_same_integers(n_limbs, data):
    edge = 2.0 ** (64 * n_limbs - 1)
    floats = data.draw(st.lists(st.floats(-edge, edge, exclude_max=True).map(np.rint)))

    assert integers_of(limbs_from_floats(np.array(floats), n_limbs)) == [int(x) for x in floats]


@pytest.mark.parametrize("n_limbs", WIDTHS)
@given(data=st.data())
def test_integers_become_the_nearest_floats(n_limbs, data):
    edge = 2 ** (64 * n_limbs - 1)
    integers = data.draw(st.lists(st.integers(-edge, edge - 1)))

    # Python rounds an integer correctly, ties to even.
    assert floats_from_limbs(limbs_of(integers, n_limbs)).tolist() == [float(i) for i in integers]


@given(
    st.integers(2**52, 2**53 - 1), st.integers(0, 450), st.sampled_from([-1, 0, 1]), st.booleans()
)
@example(2**53 - 1, 10, 0, False)  # rounds up to the next power of two, across a limb
@example(2**52, 75, 1, False)  # one unit, limbs below the half, decides
def test_ties_are_broken_to_even_and_by_the_last_bit(mantissa, shift, nudge, negative):
    integer = (((2 * mantissa + 1) << shift) + (nudge if shift else 0)) * (-1) ** negative

    assert floats_from_limbs(limbs_of([integer], 8)).tolist() == [float(integer)]


@pytest.mark.parametrize("n_limbs", WIDTHS)
def test_extremes_of_the_range(n_limbs):
    edge = 2 ** (64 * n_limbs - 1)
    integers = [-edge, edge - 1, -edge + 1, -1, 0, 1]

    floats = floats_from_limbs(limbs_of(integers, n_limbs))

    assert floats.tolist() == [float(i) for i in integers]
    inside = floats < edge
    assert integers_of(limbs_from_floats(floats[inside], n_limbs)) == [
        int(x) for x in floats[inside]
    ]


def test_no_integers():
    assert floats_from_limbs(np.empty((0, 8), "<u8")).shape == (0,)
    assert limbs_from_floats(np.empty(0), 8).shape == (0, 8)


@given(
    integers=st.lists(st.integers(-(2**191), 2**191 - 1), max_size=20),
)
def test_integers_survive_limbs(integers):
    limbs = limbs_from_integers(np.array(integers, dtype=object), 3)

    assert limbs.shape == (len(integers), 3)
    assert integers_from_limbs(limbs).tolist() == integers
