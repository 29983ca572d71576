import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.packing import pack, unpack

widths = st.integers(2, 200)


def limbs_of(integers, slot_bits):
    n_limbs = -(-slot_bits // 64)
    data = b"".join(integer.to_bytes(8 * n_limbs, "little", signed=True) for integer in integers)
    return np.frombuffer(data, "<u8").reshape(-1, n_limbs)


def signed(slot_bits, **sizes):
    half = 2 ** (slot_bits - 1)
    return st.lists(st.integers(-half, half - 1), **sizes)


def plain_sums(integers, slot_bits, n_slots):
    """The definition, one integer at a time."""
    parts = (integers[i : i + n_slots] for i in range(0, len(integers), n_slots))
    return tuple(sum(v << (slot_bits * i) for i, v in enumerate(part)) for part in parts)


@given(data=st.data(), slot_bits=widths, n_slots=st.integers(1, 9))
def test_packed_integer_is_the_sum_of_shifted_slots_for_any_width(data, slot_bits, n_slots):
    integers = data.draw(signed(slot_bits, max_size=30))

    n_integers = -(-len(integers) // n_slots)
    spare = data.draw(st.integers(0, 2))

    packed = pack(limbs_of(integers, slot_bits), slot_bits, n_slots, n_integers + spare)

    assert packed == plain_sums(integers, slot_bits, n_slots) + (0,) * spare


@given(data=st.data(), slot_bits=widths, n_slots=st.integers(1, 9))
def test_unpack_inverts_pack_and_leaves_over_zeros(data, slot_bits, n_slots):
    integers = data.draw(signed(slot_bits, max_size=30))
    limbs = limbs_of(integers, slot_bits)

    n_integers = len(integers) // n_slots + 1

    unpacked = unpack(pack(limbs, slot_bits, n_slots, n_integers), slot_bits, n_slots)

    assert len(unpacked) == n_integers * n_slots
    np.testing.assert_array_equal(unpacked[: len(integers)], limbs)
    assert not unpacked[len(integers) :].any()


@given(data=st.data(), slot_bits=st.integers(3, 200), n_slots=st.integers(1, 9))
def test_packing_is_additive(data, slot_bits, n_slots):
    left, right = (
        data.draw(signed(slot_bits - 1, min_size=n_slots, max_size=n_slots)) for _ in "ab"
    )
    packed = [pack(limbs_of(side, slot_bits), slot_bits, n_slots, 1)[0] for side in (left, right)]

    total = unpack((packed[0] + packed[1],), slot_bits, n_slots)

    expected = [a + b for a, b in zip(left, right, strict=True)]
    np.testing.assert_array_equal(total, limbs_of(expected, slot_bits))


@pytest.mark.parametrize("integer", [2**127, -(2**127) - 2**63 - 1, 2**900])
def test_refuses_what_so_many_slots_cannot_make(integer):
    with pytest.raises(OverflowError, match="more than 2 slots of 64 bits hold"):
        unpack((mpz(integer),), 64, 2)
