"""Hiding factors: the random n-th powers that make a Paillier ciphertext unreadable.

Paillier (1999) hides a plaintext behind ``r**n mod n**2`` for a random r: one modular
power with an exponent as long as the key. Damgard, Jurik and Nielsen, "A generalization
of Paillier's public-key system with applications to electronic voting", International
Journal of Information Security 9 (2010), section 4.2, take powers of one fixed element
instead: with ``h = -x**2 mod n`` of a random x, the factor is ``(h**n)**alpha mod n**2``
for alpha uniform of |n|/2 bits. Their scheme asks for a modulus of two primes that are 3
modulo 4 with gcd(p-1, q-1) = 2, which `key_generation` makes.

Why |n|/2 bits, and never fewer: Goldreich and Rosen, "On the security of modular
exponentiation with application to the construction of pseudorandom generators", Journal
of Cryptology 16 (2003), show that ``h**alpha`` with exponents of half the modulus's
length is indistinguishable modulo n from one with full-length exponents, if factoring is
hard; taking both to the n-th power modulo n**2 carries that over. So the half length adds
no assumption to Paillier's, which implies that factoring is hard. Shorter exponents would
rest on a small-exponent discrete logarithm assumption.

The deviation from Damgard, Jurik and Nielsen: x is not drawn by the key holder but
hashed from n, so that the public key stays n alone and nobody can have chosen x. SHAKE-256
stands in for the random choice (the random oracle model). Where p-1 or q-1 has small odd
factors, as random primes do, h may generate a proper subgroup of what the paper has; the
primes are not chosen to exclude that.

A fixed base allows a table: Lim and Lee, "More flexible exponentiation with
precomputation", CRYPTO '94. The exponent's bits are read as TEETH x COLUMNS blocks; one
table look-up takes a bit from each tooth at once. Uniform exponents mean uniform digits,
so random bytes are the table's indices and no exponent is ever formed.

Table look-ups are not constant-time: whoever shares the processor's cache with a client
while it encrypts may learn about its factors. That attacker is outside the model.
"""

from __future__ import annotations

import hashlib
import os
from itertools import accumulate

import gmpy2
from gmpy2 import mpz

from .factor_pool import FactorPool

TEETH = 8
COLUMNS = 8
_DOMAIN = b"sklearn_fedphe/v1/obfuscation-base"


def hashed_base(n: mpz) -> mpz:
    """Return ``h = -H(n)**2 mod n``, which every party derives alike from n.

    Parameters
    ----------
    n : mpz
        The public modulus.

    Returns
    -------
    mpz
        An element of Z_n of Jacobi symbol 1. H is SHAKE-256 under a domain tag, drawn
        128 bits longer than n, so that its reduction modulo n is uniform to 2**-128.
    """
    length = (n.bit_length() + 7) // 8
    digest = hashlib.shake_256(_DOMAIN + int(n).to_bytes(length, "big"))
    x = mpz(int.from_bytes(digest.digest(length + 16), "big")) % n
    return n - x * x % n


class Obfuscator:
    """Draws hiding factors for one public key from a Lim-Lee comb table.

    Parameters
    ----------
    n : mpz
        The public modulus.

    Notes
    -----
    Run by every client. Reveals nothing: the table is a function of n alone.

    An entry ``g`` of the table is kept split as ``a * (1 + n*b) mod n**2`` with a, b < n.
    Since ``(1 + n*b) * (1 + n*c) = 1 + n*(b + c) mod n**2``, the right-hand parts only
    add up, and a step multiplies by the short `a` instead of the twice as long `g`.
    """

    def __init__(self, n: mpz) -> None:
        self._n = n
        self._n_squared = n * n
        # Blocks of this many bits; TEETH * COLUMNS of them cover |n|/2 bits.
        self._rows = -(-n.bit_length() // (2 * TEETH * COLUMNS))
        entries = self._comb_entries()
        bases, tails = self._split(entries)
        self._table = [
            (bases[i : i + 2**TEETH], tails[i : i + 2**TEETH])
            for i in range(0, len(entries), 2**TEETH)
        ]
        self._ready = FactorPool()

    def prepare(self, count: int) -> None:
        """Make factors ahead, while there is nothing else to do.

        Parameters
        ----------
        count : int
            How many more. Each takes as many bytes as a ciphertext.
        """
        for _ in range(count):
            self._ready.put(self._fresh())

    def draw(self) -> mpz:
        """Return a hiding factor that was never returned before, one made ahead if there is.

        Returns
        -------
        mpz
            A random n-th power modulo n**2.
        """
        ready = self._ready.take()
        return self._fresh() if ready is None else ready

    def _fresh(self) -> mpz:
        """Walk the comb. The random bytes are the exponent's digits in the comb's order."""
        digits = os.urandom(self._rows * COLUMNS)
        n_squared = self._n_squared
        product, tail = mpz(1), mpz(0)
        for row in range(0, len(digits), COLUMNS):
            product = product * product % n_squared
            tail += tail
            for digit, (bases, tails) in zip(
                digits[row : row + COLUMNS], self._table, strict=True
            ):
                product = product * bases[digit] % n_squared
                tail += tails[digit]
        return product * (1 + self._n * (tail % self._n)) % n_squared

    def _comb_entries(self) -> list[mpz]:
        """All products of a column's tooth bases, column by column."""
        n_squared, rows = self._n_squared, self._rows
        base = gmpy2.powmod(hashed_base(self._n), self._n, n_squared)
        powers = [base]  # base**(2**(rows * i)), i = tooth * COLUMNS + column
        for _ in range(TEETH * COLUMNS - 1):
            for _ in range(rows):
                base = base * base % n_squared
            powers.append(base)
        entries = []
        for column in range(COLUMNS):
            column_entries = [mpz(1)]
            for tooth_base in powers[column::COLUMNS]:
                column_entries += [entry * tooth_base % n_squared for entry in column_entries]
            entries += column_entries
        return entries

    def _split(self, entries: list[mpz]) -> tuple[list[mpz], list[mpz]]:
        """Split each entry g in a and b with ``g = a * (1 + n*b) mod n**2``.

        All the inverses that this needs come from one, by Montgomery's trick
        ("Speeding the Pollard and elliptic curve methods", 1987, section 10.3.1).
        """
        n = self._n
        bases = [entry % n for entry in entries]
        prefixes = list(accumulate(bases, lambda left, right: left * right % n))
        inverse = gmpy2.invert(prefixes[-1], n)
        tails: list[mpz] = []
        for entry, base, prefix in zip(
            reversed(entries), reversed(bases), [*reversed(prefixes[:-1]), mpz(1)], strict=True
        ):
            tails.append(entry // n * (inverse * prefix % n) % n)
            inverse = inverse * base % n
        return bases, tails[::-1]
