import math

import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.encoded_vector import EncodedVector
from sklearn_fedphe.crypto.fixed_point import FixedPoint

LAYOUTS = {
    "standard": FixedPoint(64, 48, 2046, 3),
    "raw": FixedPoint(128, 64, 3070, 10),
    "wide": FixedPoint(512, 256, 2046, 100),
    "odd": FixedPoint(37, 9, 1022, 5),
}

layouts = st.sampled_from(list(LAYOUTS.values()))


def values_of(layout, **sizes):
    largest = np.nextafter(math.ldexp(1.0, layout.limit_exponent) - layout.resolution, 0)
    return st.lists(st.floats(-largest, largest), **sizes)


@given(st.data(), layouts)
def test_decode_inverts_encode_within_the_stated_bound(data, layout):
    values = data.draw(values_of(layout, max_size=100))

    decoded = layout.decode(layout.encode(values))

    # Beyond the rounding to fixed point, the result is rounded to float64 once.
    bound = layout.resolution + np.spacing(np.abs(values))
    assert decoded.shape == (len(values),)
    assert (np.abs(decoded - values) <= bound).all()


@given(st.data(), layouts)
def test_sum_of_encodings_decodes_to_the_sum(data, layout):
    n_terms = data.draw(st.integers(1, layout.max_terms))
    size = data.draw(st.integers(1, 40))
    terms = np.array(
        [data.draw(values_of(layout, min_size=size, max_size=size)) for _ in range(n_terms)]
    )

    encodings = [layout.encode(term) for term in terms]
    total = EncodedVector(
        layout,
        size,
        tuple(map(sum, zip(*(encoding.integers for encoding in encodings), strict=True))),
        n_terms,
    )

    expected = np.array([math.fsum(column) for column in terms.T])
    bound = n_terms * layout.resolution + np.spacing(np.abs(expected))
    assert (np.abs(layout.decode(total) - expected) <= bound).all()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_all_terms_at_the_edge_of_the_range_neither_wrap_nor_spill(layout, sign):
    edge = math.ldexp(1.0, min(layout.value_bits, 53)) - 1
    edge = math.ldexp(edge, layout.limit_exponent - min(layout.value_bits, 53))
    encoded = layout.encode([sign * edge, 0.0, -sign * edge])
    total = EncodedVector(
        layout,
        3,
        tuple(layout.max_terms * integer for integer in encoded.integers),
        layout.max_terms,
    )

    np.testing.assert_array_equal(
        layout.decode(total), layout.max_terms * edge * np.array([sign, 0, -sign])
    )


@given(layouts, st.integers(0, 300))
def test_takes_as_many_plaintexts_as_slots_require(layout, size):
    encoded = layout.encode(np.ones(size))

    expected = math.ceil((size + 1) / layout.n_slots)  # one slot stays empty
    assert len(encoded.integers) == layout.n_plaintexts(size) == expected
    assert all(abs(integer).bit_length() <= layout.plaintext_bits for integer in encoded.integers)


def test_slots_to_a_plaintext():
    assert FixedPoint(64, 48, 3070, 3).n_slots == 47
    assert FixedPoint(64, 48, 2046, 3).n_slots == 31
    assert FixedPoint(64, 48, 2046, 3).n_plaintexts(11) == 1


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        (2.0**13, r"up to 2\*\*14"),
        (-(2.0**13), r"up to 2\*\*14"),
        (3.1e9, r"up to 2\*\*32"),
        (np.inf, "no finite size"),
        (np.nan, "no finite size"),
    ],
)
def test_refuses_what_would_not_fit(value, bound):
    with pytest.raises(OverflowError, match=rf"a value of {bound} where .* less than 2\*\*13"):
        FixedPoint(64, 48, 2046, 3).encode([0.0, value])


def test_refuses_what_would_not_fit_once_rounded():
    just_below = np.nextafter(2.0**13, 0)
    assert FixedPoint(64, 48, 2046, 3).encode([just_below]).size == 1

    with pytest.raises(OverflowError, match=r"up to 2\*\*13 where .* less than 2\*\*13"):
        FixedPoint(24, 8, 2046, 3).encode([just_below])


def test_refuses_more_terms_than_slots_have_room_for():
    with pytest.raises(ValueError, match="65536 terms need 16 guard bits, and slots of 64 bits"):
        FixedPoint(64, 48, 2046, 2**16)


def test_refuses_a_slot_wider_than_the_plaintext():
    with pytest.raises(ValueError, match="512 bits does not fit a plaintext of 510 bits"):
        FixedPoint(512, 256, 510, 3)


@pytest.mark.parametrize("integer", [2**2040, -(2**2040), 2**900, 2**63 - 1, -(2**63)])
def test_refuses_to_decode_what_is_no_sum_of_encodings(integer):
    layout = FixedPoint(64, 48, 2046, 3)

    with pytest.raises(ValueError, match="not a sum of encoded vectors"):
        layout.decode(EncodedVector(layout, 2, (integer,), n_terms=1))


def test_repr_does_not_show_the_values():
    encoded = FixedPoint(64, 0, 2046, 3).encode([123456789.0])

    assert "123456789" not in repr(encoded)
    assert "size=1" in repr(encoded)


@given(st.data(), layouts)
def test_sums_of_encoded_integers_are_exact(data, layout):
    n_terms = data.draw(st.integers(1, layout.max_terms))
    size = data.draw(st.integers(1, 40))
    largest = 2**layout.value_bits - 1
    integers = st.lists(st.integers(-largest, largest), min_size=size, max_size=size)
    terms = [data.draw(integers) for _ in range(min(n_terms, 4))]

    encoded = [layout.encode_integers(np.array(term, dtype=object)) for term in terms]
    packed = tuple(map(sum, zip(*(one.integers for one in encoded), strict=True)))
    total = EncodedVector(layout, size, packed, len(terms))

    assert layout.decode_integers(total).tolist() == list(map(sum, zip(*terms, strict=True)))


@pytest.mark.parametrize("sign", [1, -1])
def test_integers_up_to_the_edge_of_a_slot_are_carried_and_none_beyond(sign):
    layout = FixedPoint(64, 40, 2046, 5)  # a sign and 3 guard bits
    edge = sign * (2**60 - 1)

    encoded = layout.encode_integers(np.array([edge, 1], dtype=object))
    five = EncodedVector(layout, 2, tuple(5 * i for i in encoded.integers), 5)

    assert layout.decode_integers(five).tolist() == [5 * edge, 5]
    with pytest.raises(OverflowError, match=r"up to 2\*\*21 where .* less than 2\*\*20"):
        layout.encode_integers(np.array([edge + sign, 1], dtype=object))


@pytest.mark.parametrize("integer", [2**60, -(2**60), 2**70])
def test_integers_that_no_terms_can_have_made_are_refused(integer):
    layout = FixedPoint(64, 40, 2046, 5)
    vector = EncodedVector(layout, 1, (mpz(integer),), 1)

    with pytest.raises(ValueError, match="not a sum of encoded vectors"):
        layout.decode_integers(vector)
