"""The Paillier cryptosystem over packed vectors. The only module that imports phe.

Paillier, "Public-key cryptosystems based on composite degree residuosity classes",
EUROCRYPT '99: with ``n = p*q``, a plaintext m modulo n is encrypted as
``(1 + n*m) * factor mod n**2``, where `factor` is a random n-th power. The product of two
ciphertexts encrypts the sum of their plaintexts. Only who knows p and q can decrypt.

Capabilities are separate types, and each party is given the least: a client has a
`PublicKey`, the key holder a `PrivateKey`. `PublicKey.encrypt` takes an `EncodedVector`
and nothing else; an `EncryptedVector` adds to its own kind and does nothing else. That
guards against mistakes, not against a malicious peer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

import phe
from gmpy2 import mpz

from .fixed_point import EncodedVector, FixedPoint
from .obfuscation import Obfuscator


def ciphertext_bytes(key_length: int) -> int:
    """Return the length of a ciphertext under a key of so many bits: that of n**2."""
    return (2 * key_length + 7) // 8


class PublicKey:
    """Encrypts. What a client is given.

    Parameters
    ----------
    n : int
        The modulus, a product of two primes that are 3 modulo 4.
    """

    def __init__(self, n: int) -> None:
        self._key = phe.PaillierPublicKey(int(n))
        self.n = mpz(n)
        self.n_squared = self.n * self.n

    def __repr__(self) -> str:
        return f"PublicKey(key_length={self.key_length}, fingerprint={self.fingerprint.hex()!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKey) and self.n == other.n

    def __hash__(self) -> int:
        return hash(self.n)

    @property
    def key_length(self) -> int:
        """Bits of n."""
        return int(self.n.bit_length())

    @property
    def plaintext_bits(self) -> int:
        """Bits that a signed plaintext may take so that it lies within n/2 of zero."""
        return self.key_length - 2

    @property
    def ciphertext_bytes(self) -> int:
        """Length of one ciphertext, the same for all."""
        return ciphertext_bytes(self.key_length)

    @cached_property
    def fingerprint(self) -> bytes:
        """First 16 bytes of the SHA-256 digest of n."""
        return hashlib.sha256(int(self.n).to_bytes((self.key_length + 7) // 8, "big")).digest()[
            :16
        ]

    @cached_property
    def _obfuscator(self) -> Obfuscator:
        return Obfuscator(self.n)

    def encrypt(self, encoded: EncodedVector) -> EncryptedVector:
        """Encrypt a packed vector, each integer behind a fresh hiding factor.

        Run by a client on its own vector. Reveals the layout and the number of values.

        Parameters
        ----------
        encoded : EncodedVector
            The packed vector.

        Returns
        -------
        EncryptedVector
            Of as many ciphertexts as there are packed integers.

        Raises
        ------
        TypeError
            If `encoded` is anything but an `EncodedVector`.
        """
        if not isinstance(encoded, EncodedVector):
            raise TypeError(
                f"encrypt takes an EncodedVector, got {type(encoded).__name__}; "
                "encode the values with FixedPoint.encode first."
            )
        ciphertexts = tuple(
            (1 + self.n * (integer % self.n)) * self._obfuscator.draw() % self.n_squared
            for integer in encoded.integers
        )
        return EncryptedVector(self, encoded.layout, encoded.size, ciphertexts, encoded.n_terms)


@dataclass(frozen=True)
class EncryptedVector:
    """A packed vector under encryption. It can be added to its own kind.

    Parameters
    ----------
    public_key : PublicKey
        What it is encrypted under.
    layout : FixedPoint
        How its values are laid out.
    size : int
        Number of values.
    ciphertexts : tuple of mpz
        One for each packed integer, in (0, n**2).
    n_terms : int
        How many clients' vectors it is the sum of. Bookkeeping, not a proof.
    """

    public_key: PublicKey
    layout: FixedPoint
    size: int
    ciphertexts: tuple[mpz, ...] = field(repr=False)
    n_terms: int

    def __add__(self, other: object) -> EncryptedVector:
        """Add under encryption, by multiplying ciphertexts modulo n**2.

        The sum carries the hiding factors of both: added to a fresh encryption, it
        cannot be linked to what came in.
        """
        if not isinstance(other, EncryptedVector):
            return NotImplemented
        if self.public_key != other.public_key:
            raise ValueError(
                f"Vectors under different keys do not add: {self.public_key!r} and "
                f"{other.public_key!r}."
            )
        if (self.layout, self.size) != (other.layout, other.size):
            raise ValueError(
                f"Vectors of different layouts do not add: {self.size} values in {self.layout} "
                f"and {other.size} in {other.layout}."
            )
        if self.n_terms + other.n_terms > self.layout.max_terms:
            raise ValueError(
                f"{self.n_terms} + {other.n_terms} terms, where the guard bits were sized for "
                f"{self.layout.max_terms}; every client adds exactly once."
            )
        n_squared = self.public_key.n_squared
        ciphertexts = tuple(
            left * right % n_squared
            for left, right in zip(self.ciphertexts, other.ciphertexts, strict=True)
        )
        n_terms = self.n_terms + other.n_terms
        return EncryptedVector(self.public_key, self.layout, self.size, ciphertexts, n_terms)


class PrivateKey:
    """Decrypts. What the key holder, and nobody else, is given.

    Its numbers are in no repr, and it refuses to be pickled or copied.

    Parameters
    ----------
    p, q : int
        The two primes.
    """

    def __init__(self, p: int, q: int) -> None:
        self.public_key = PublicKey(p * q)
        self._key = phe.PaillierPrivateKey(self.public_key._key, int(p), int(q))

    def __repr__(self) -> str:
        return f"PrivateKey(key_length={self.public_key.key_length})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "A PrivateKey is neither pickled nor copied: the key would leave its holder. "
            "Hand on its public_key."
        )

    def decrypt(self, encrypted: EncryptedVector) -> EncodedVector:
        """Decrypt by Chinese remaindering (Paillier 1999, section 7).

        Run by the key holder on a total. Reveals the sum to it.

        Parameters
        ----------
        encrypted : EncryptedVector
            A total, under this key.

        Returns
        -------
        EncodedVector
            The packed sum, to be decoded by its layout.

        Raises
        ------
        ValueError
            If `encrypted` is under another key.
        """
        if encrypted.public_key != self.public_key:
            raise ValueError(
                f"The vector is encrypted under {encrypted.public_key!r}, and this is the key "
                f"of {self.public_key!r}."
            )
        n = self.public_key.n
        residues = (mpz(self._key.raw_decrypt(int(c))) for c in encrypted.ciphertexts)
        integers = tuple(m - n if m > n // 2 else m for m in residues)
        return EncodedVector(encrypted.layout, encrypted.size, integers, encrypted.n_terms)
