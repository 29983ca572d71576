import hashlib
import os

import gmpy2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto import obfuscation
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.obfuscation import COLUMNS, TEETH, Obfuscator, hashed_base


@pytest.fixture(scope="module", params=[256, 514, 1024])
def key(request):
    return generate_private_key(request.param)


def exponent_of(digits, rows):
    """Read the comb's digits as the exponent that they stand for, bit by bit."""
    exponent = 0
    for row in range(rows):
        for column in range(COLUMNS):
            for tooth in range(TEETH):
                if digits[row * COLUMNS + column] >> tooth & 1:
                    block = tooth * COLUMNS + column
                    exponent += 1 << (block * rows + rows - 1 - row)
    return exponent


@given(data=st.data())
def test_factor_is_a_plain_power_of_the_hashed_base(key, data):
    n = key.public_key.n
    obfuscator = Obfuscator(n)
    rows = obfuscator._rows
    digits = data.draw(st.binary(min_size=rows * COLUMNS, max_size=rows * COLUMNS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(obfuscation.os, "urandom", lambda _: digits)
        factor = obfuscator.draw()

    exponent = n * exponent_of(digits, rows)
    assert factor == gmpy2.powmod(hashed_base(n), exponent, n * n)


def test_factor_hides_nothing_but_zero(key):
    """A hiding factor is an encryption of zero: it never changes a plaintext."""
    obfuscator = Obfuscator(key.public_key.n)

    assert {key._key.raw_decrypt(int(obfuscator.draw())) for _ in range(50)} == {0}


def test_factors_take_as_many_random_bits_as_half_the_modulus_has(key, monkeypatch):
    asked = []
    real = os.urandom
    monkeypatch.setattr(obfuscation.os, "urandom", lambda size: asked.append(size) or real(size))
    obfuscator = Obfuscator(key.public_key.n)

    factors = {obfuscator.draw() for _ in range(50)}

    assert len(factors) == 50
    assert all(8 * size >= key.public_key.key_length // 2 for size in asked)
    assert len(asked) == 50


def test_drawing_takes_no_modular_power(key, monkeypatch):
    obfuscator = Obfuscator(key.public_key.n)
    monkeypatch.setattr(obfuscation.gmpy2, "powmod", None)

    assert obfuscator.draw() > 0


def test_base_is_minus_a_square_and_follows_from_the_modulus_alone(key):
    n, p, q = key.public_key.n, key._key.p, key._key.q
    h = hashed_base(n)

    data = b"sklearn_fedphe/v1/obfuscation-base" + int(n).to_bytes(-(-n.bit_length() // 8), "big")
    digest = hashlib.shake_256(data).digest(-(-n.bit_length() // 8) + 16)
    assert h == -pow(int.from_bytes(digest, "big"), 2, int(n)) % n
    assert gmpy2.legendre(n - h, p) == gmpy2.legendre(n - h, q) == 1
    assert gmpy2.jacobi(h, n) == 1
    assert gmpy2.gcd(h, n) == 1
