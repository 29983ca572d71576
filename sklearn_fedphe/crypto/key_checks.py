"""What a client checks of a public key before it encrypts anything under it.

Who made the modulus could have made it badly, on purpose or not. The checks are those of
NIST SP 800-56B, section 6.4.2.2 (partial public-key validation for RSA), which fits a
Paillier modulus as well, and that n is 1 modulo 4, as the product of two primes that are
3 modulo 4. They do not prove that n has two prime factors only, or that its holder knows
them: that takes a proof of knowledge (Goldberg, Reyzin, Sagga and Baldimtsi, "Efficient
noninteractive certification of RSA moduli and beyond", ASIACRYPT 2019), which is not
built. A key holder who chose n badly would expose nothing but what it decrypts anyway:
masks between clients, not the key, hide their vectors from it.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

import gmpy2
from gmpy2 import mpz

from .paillier import PublicKey

_SMALL_PRIMES = gmpy2.primorial(2**16)
"""The product of all primes below 2**16."""


def received_public_key(data: bytes, key_length: int, fingerprint: bytes) -> PublicKey:
    """Parse and check a public key. Run by every client; reveals nothing.

    Parameters
    ----------
    data : bytes
        n, most significant byte first.
    key_length : int
        Bits of n that were agreed.
    fingerprint : bytes of length 32
        What the client knows the key by, from a source that it trusts.

    Returns
    -------
    PublicKey
        The same object for the same key, so that a process builds its table once.

    Raises
    ------
    ValueError
        With what is wrong with it.
    """
    problem = _problem_of(int.from_bytes(data, "big"), key_length, len(data))
    if problem:
        raise ValueError(
            f"A public key {problem}; it was altered, or its holder made it wrongly. Ask for a "
            "new one."
        )
    key = _known_key(int.from_bytes(data, "big"))
    if not hmac.compare_digest(key.fingerprint, fingerprint):
        raise ValueError(
            f"A public key with the fingerprint {key.fingerprint.hex()}, where "
            f"{fingerprint.hex()} was agreed; find out who altered it."
        )
    return key


@lru_cache(maxsize=4)
def _problem_of(number: int, key_length: int, n_bytes: int) -> str | None:
    n = mpz(number)
    if n_bytes != (key_length + 7) // 8 or n.bit_length() != key_length:
        return f"of {n.bit_length()} bits in {n_bytes} bytes, where {key_length} bits were agreed"
    checks = (
        (n % 2 == 0, "with an even modulus"),
        (gmpy2.gcd(n, _SMALL_PRIMES) != 1, "whose modulus has a factor below 2**16"),
        (gmpy2.is_prime(n), "whose modulus is prime"),
        (gmpy2.is_power(n), "whose modulus is a power"),
        (n % 4 != 1, "whose modulus is no product of two primes that are 3 modulo 4"),
    )
    return next((problem for is_wrong, problem in checks if is_wrong), None)


@lru_cache(maxsize=1)
def _known_key(n: int) -> PublicKey:
    return PublicKey(n)
