import secrets

import gmpy2
import pytest

from sklearn_fedphe.crypto.key_generation import generate_private_key


@pytest.mark.parametrize("key_length", [128, 130, 512, 2048])
def test_primes_make_a_blum_modulus_of_the_exact_length(key_length):
    for _ in range(3 if key_length > 512 else 20):
        key = generate_private_key(key_length)
        p, q = key._key.p, key._key.q

        assert gmpy2.is_prime(p)
        assert gmpy2.is_prime(q)
        assert p % 4 == q % 4 == 3
        assert gmpy2.gcd(p - 1, q - 1) == 2
        assert p * q == key.public_key.n
        assert key.public_key.key_length == key_length


def test_every_bit_of_a_prime_but_four_is_the_operating_systems(monkeypatch):
    asked = []
    real = secrets.randbits
    monkeypatch.setattr(secrets, "randbits", lambda bits: asked.append(bits) or real(bits))

    generate_private_key(256)

    assert set(asked) == {128}
    assert len(asked) >= 2


def test_draws_again_where_the_primes_do_not_go_together(monkeypatch):
    # 7 and 7 are one prime; 7 - 1 and 19 - 1 share 6; 7 - 1 and 11 - 1 share only 2.
    primes = iter([7, 7, 7, 19, 7, 11])
    monkeypatch.setattr(
        "sklearn_fedphe.crypto.key_generation._blum_prime", lambda _: gmpy2.mpz(next(primes))
    )

    assert generate_private_key(8).public_key.n == 77
