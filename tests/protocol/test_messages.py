import numpy as np
import pytest

from sklearn_fedphe.crypto.fixed_point import FixedPoint
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.protocol.messages import (
    n_ciphertexts,
    running_sum_from_bytes,
    running_sum_to_bytes,
    total_from_bytes,
    total_to_bytes,
)


@pytest.fixture
def layout(short_key):
    return FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)


@pytest.fixture
def vector(short_key, layout):
    return short_key.public_key.encrypt(layout.encode(np.arange(20.0)))


def test_running_sum_survives_the_way(short_key, layout, vector):
    data = running_sum_to_bytes(vector)

    assert running_sum_from_bytes(data, short_key.public_key, layout, 20) == vector
    assert n_ciphertexts(data, 1024) == 2


def test_total_survives_the_way():
    total = np.array([0.1, -1e300, 5e-324])

    np.testing.assert_array_equal(total_from_bytes(total_to_bytes(total)), total)


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"\0", lambda _: b""])
def test_refuses_another_length(short_key, layout, vector, change):
    with pytest.raises(
        ValueError, match=r"A running sum of .* bytes, where 20 values under a key of 1024"
    ):
        running_sum_from_bytes(
            change(running_sum_to_bytes(vector)), short_key.public_key, layout, 20
        )


@pytest.mark.parametrize("position", [0, 1, 17], ids=["version", "key", "values"])
def test_refuses_another_header(short_key, layout, vector, position):
    data = bytearray(running_sum_to_bytes(vector))
    data[position] ^= 1

    with pytest.raises(ValueError, match="were expected; it is not of this round"):
        running_sum_from_bytes(bytes(data), short_key.public_key, layout, 20)


def test_refuses_another_key(layout, vector):
    other = generate_private_key(1024).public_key

    with pytest.raises(ValueError, match="it is not of this round"):
        running_sum_from_bytes(running_sum_to_bytes(vector), other, layout, 20)


@pytest.mark.parametrize("number", [b"\0" * 256, b"\xff" * 256], ids=["zero", "beyond n^2"])
def test_refuses_what_is_no_ciphertext(short_key, layout, vector, number):
    data = running_sum_to_bytes(vector)

    with pytest.raises(ValueError, match="holds a number that is no ciphertext"):
        running_sum_from_bytes(data[:-256] + number, short_key.public_key, layout, 20)
