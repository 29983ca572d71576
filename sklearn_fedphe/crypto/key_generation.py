"""Making a key pair. Run by the key holder."""

from __future__ import annotations

import secrets

import gmpy2
from gmpy2 import mpz

from .paillier import PrivateKey

MIN_KEY_LENGTH = 2048
"""Bits of the shortest key that the estimators accept (NIST SP 800-57: 112-bit security)."""


def generate_private_key(key_length: int) -> PrivateKey:
    """Make a private key, whose `public_key` goes to the clients.

    The primes are 3 modulo 4 with gcd(p-1, q-1) = 2, as the hiding factors of
    `obfuscation` ask for, and have their two highest bits set, so that n has exactly
    `key_length` bits. Candidates are drawn uniformly from the operating system's
    randomness and tested by GMP: Baillie-PSW, then a round of Miller-Rabin.

    Parameters
    ----------
    key_length : int
        Bits of n, even. No lower bound here, so that tests can be quick: the estimators
        refuse less than `MIN_KEY_LENGTH`.
    """
    return PrivateKey(*generate_primes(key_length))


def generate_primes(key_length: int) -> tuple[int, int]:
    """Make the two primes of a private key: for a key holder that keeps them in a file.

    Parameters
    ----------
    key_length : int
        As for `generate_private_key`.
    """
    while True:
        p, q = _blum_prime(key_length // 2), _blum_prime(key_length // 2)
        if p != q and gmpy2.gcd(p - 1, q - 1) == 2:
            return int(p), int(q)


def _blum_prime(bits: int) -> mpz:
    while True:
        candidate = mpz(secrets.randbits(bits) | 3 << (bits - 2) | 3)
        if gmpy2.is_prime(candidate, 25):
            return candidate
