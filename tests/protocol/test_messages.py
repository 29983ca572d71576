import re

import numpy as np
import pytest

from sklearn_fedphe.crypto.fixed_point import FixedPoint
from sklearn_fedphe.protocol import RefusedMessageError
from sklearn_fedphe.protocol.envelope import QueryHeader, Round
from sklearn_fedphe.protocol.messages import (
    exact_total_from_bytes,
    exact_total_to_bytes,
    n_ciphertexts,
    running_sum_from_bytes,
    running_sum_to_bytes,
    total_from_bytes,
    total_to_bytes,
)

ROUND = Round(b"s" * 16, 7, b"d" * 32)
OTHERS = [Round(b"s" * 16, 8, b"d" * 32), Round(b"s" * 16, 7, b"e" * 32)]


@pytest.fixture
def layout(short_key):
    return FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)


@pytest.fixture
def vector(short_key, layout):
    return short_key.public_key.encrypt(layout.encode(np.arange(20.0)))


@pytest.fixture
def read(short_key, layout):
    def read(data, size=20, of_round=ROUND):
        return running_sum_from_bytes(data, short_key.public_key, layout, size, of_round)

    return read


def refused(text):
    return pytest.raises(RefusedMessageError, match=re.escape(text))


def test_running_sum_survives_the_way(vector, read):
    data = running_sum_to_bytes(vector, ROUND)

    assert read(data) == vector
    assert n_ciphertexts(data, 1024) == 2


def test_totals_survive_the_way():
    total = np.array([0.1, -1e300, 5e-324])
    np.testing.assert_array_equal(total_from_bytes(total_to_bytes(total, ROUND), 3, ROUND), total)

    integers = np.array([2**500, -(2**500), 0], dtype=object)
    again = exact_total_from_bytes(exact_total_to_bytes(integers, 511, ROUND), 511, 3, ROUND)
    assert again.tolist() == integers.tolist()


def test_a_query_says_where_it_belongs():
    header = QueryHeader(b"s" * 16, b"r" * 32, 3, b"c" * 32)

    assert QueryHeader.open(header.seal(b"what")) == (header, b"what")


def test_refuses_another_length(vector, read):
    data = running_sum_to_bytes(vector, ROUND)

    with refused("A running sum of 557 bytes, where this round's take 558; it was cut off"):
        read(data[:-1])
    with refused("A running sum of 559 bytes, where this round's take 558"):
        read(data + b"\0")
    with refused("A running sum of 0 bytes, where its header alone takes 46; it was cut off"):
        read(b"")


def test_refuses_another_version_or_kind(vector, read):
    data = running_sum_to_bytes(vector, ROUND)

    with refused("A message of version 2 and kind 2, where a running sum is of version 1 and kin"):
        read(b"\x02" + data[1:])
    with refused("A message of version 1 and kind 3, where a running sum is of version 1 and kin"):
        read(b"\x01\x03" + data[2:])
    with refused("A message of version 1 and kind 2, where a query is of version 1 and kind 1"):
        QueryHeader.open(data + bytes(100))
    with refused("A message of version 1 and kind 2, where a total is of version 1 and kind 3"):
        total_from_bytes(data, 3, ROUND)


@pytest.mark.parametrize("other", OTHERS, ids=["number", "digest"])
def test_refuses_another_round(vector, read, other):
    text = f"of round 7 ({ROUND.digest.hex()}), where round {other.number} ({other.digest.hex()})"

    with refused(f"A running sum {text} is open; it is of another round, query or fit."):
        read(running_sum_to_bytes(vector, ROUND), of_round=other)
    with refused(f"A total {text}"):
        total_from_bytes(total_to_bytes(np.zeros(2), ROUND), 2, other)


def test_refuses_other_counts(vector, read):
    data = running_sum_to_bytes(vector, ROUND)

    with refused("of 20 values and 1 clients, where 21 values and 1 to 4 clients can be"):
        read(data, size=21)
    for n_terms in (0, 5):
        with refused(f"of 20 values and {n_terms} clients, where 20 values and 1 to 4 clients"):
            read(data[:45] + bytes([n_terms]) + data[46:])


def test_refuses_what_is_no_ciphertext(short_key, vector, read):
    data = running_sum_to_bytes(vector, ROUND)
    n, p = short_key.public_key.n, short_key._key.p

    for number in (0, n**2, n**2 + 1, 2**2048 - 1, n, p, 5 * p, n * (n - 1)):
        with refused("A running sum holds a number that is no ciphertext; it was altered."):
            read(data[:-256] + int(number).to_bytes(256, "big"))
    assert read(data[:-256] + (1).to_bytes(256, "big")).ciphertexts[-1] == 1


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_refuses_totals_that_are_not_finite(number):
    with refused("A total holds a number that is not finite; it was altered."):
        total_from_bytes(total_to_bytes(np.array([1.0, number]), ROUND), 2, ROUND)


def test_refuses_totals_of_another_length():
    data = total_to_bytes(np.zeros(2), ROUND)

    with refused("A total of 54 bytes, where this round's take 62"):
        total_from_bytes(data, 3, ROUND)
    with refused("A total of 54 bytes, where this round's take 166"):
        exact_total_from_bytes(data, 511, 2, ROUND)
