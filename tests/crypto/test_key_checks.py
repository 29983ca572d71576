import re

import gmpy2
import pytest

from sklearn_fedphe.crypto.key_checks import received_public_key
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.paillier import PublicKey


def prime(bits, residue):
    """A prime of so many bits, the two highest set, that is `residue` modulo 4."""
    found = gmpy2.next_prime(3 << (bits - 2))
    while found % 4 != residue:
        found = gmpy2.next_prime(found)
    return found


def refusal(n, key_length=1024, n_bytes=128):
    with pytest.raises(ValueError, match="A public key") as error:
        received_public_key(int(n).to_bytes(n_bytes, "big"), key_length, b"")
    assert "it was altered, or its holder made it wrongly. Ask for a new one." in str(error.value)
    return str(error.value)


def test_takes_the_keys_that_are_made_here(short_key):
    sent = short_key.public_key

    received = received_public_key(sent.to_bytes(), 1024, sent.fingerprint)

    assert received == sent
    assert type(received) is PublicKey
    assert received_public_key(sent.to_bytes(), 1024, sent.fingerprint) is received


def test_refuses_another_size(short_key):
    n = short_key.public_key.n

    assert "of 1023 bits in 128 bytes, where 1024 bits were agreed" in refusal(n // 2)
    assert "of 1024 bits in 129 bytes, where 1024 bits were agreed" in refusal(n, n_bytes=129)
    assert "of 1024 bits in 128 bytes, where 2048 bits were agreed" in refusal(n, 2048)
    assert "of 0 bits in 0 bytes" in refusal(0, n_bytes=0)


def test_refuses_an_even_modulus(short_key):
    assert "with an even modulus" in refusal(short_key.public_key.n - 1)


@pytest.mark.parametrize("factor", [3, 65521])
def test_refuses_a_small_factor(factor):
    rest = gmpy2.next_prime((mpz_of(1024) * 3 // 4) // factor)
    assert "whose modulus has a factor below 2**16" in refusal(rest * factor)


def mpz_of(bits):
    return gmpy2.mpz(1) << bits


def test_refuses_a_prime():
    assert "whose modulus is prime" in refusal(prime(1024, 1))


@pytest.mark.parametrize("exponent", [2, 4])
def test_refuses_a_power(exponent):
    base = gmpy2.next_prime(gmpy2.iroot(mpz_of(1024) * 7 // 8, exponent)[0])
    assert "whose modulus is a power" in refusal(base**exponent)


def test_refuses_what_is_no_product_of_two_primes_of_residue_3():
    n = prime(512, 1) * prime(512, 3)
    assert n.bit_length() == 1024
    assert "is no product of two primes that are 3 modulo 4" in refusal(n)


def test_refuses_another_key_than_was_agreed(short_key):
    other = generate_private_key(1024).public_key
    agreed = short_key.public_key.fingerprint

    text = (
        f"A public key with the fingerprint {other.fingerprint.hex()}, where {agreed.hex()} was "
        "agreed; find out who altered it."
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        received_public_key(other.to_bytes(), 1024, agreed)
