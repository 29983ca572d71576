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
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import islice

import gmpy2
import phe
from gmpy2 import mpz

from .cores import map_processes, map_threads
from .encoded_vector import EncodedVector
from .encrypted_vector import EncryptedVector
from .obfuscation import Obfuscator
from .uncopied import Uncopied

FINGERPRINT_BYTES = 32
"""Length of what a public key is known by."""


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

    def __reduce__(self) -> tuple[Callable[[int], PublicKey], tuple[int]]:
        # Not the hiding factors made ahead: a copy makes its own.
        return _received_key, (int(self.n),)

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

    def to_bytes(self) -> bytes:
        """Return n, most significant byte first."""
        return int(self.n).to_bytes((self.key_length + 7) // 8, "big")

    @cached_property
    def fingerprint(self) -> bytes:
        """The SHA-256 digest of n, `FINGERPRINT_BYTES` long: what a client knows the key by."""
        return hashlib.sha256(self.to_bytes()).digest()

    @cached_property
    def _obfuscator(self) -> Obfuscator:
        return Obfuscator(self.n)

    def prepare(self, count: int) -> None:
        """Make hiding factors ahead for so many ciphertexts to come, each used once.

        Run by a client while it waits for its turn: what is left of an encryption then is
        two multiplications. Reveals nothing.

        Parameters
        ----------
        count : int
            How many ciphertexts (`FixedPoint.n_plaintexts`).
        """
        self._obfuscator.prepare(count)

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
        return self.encrypt_all([encoded])[0]

    def encrypt_all(
        self, vectors: Sequence[EncodedVector], n_jobs: int | None = None
    ) -> list[EncryptedVector]:
        """Encrypt several vectors: for who plays several clients, or has several cores.

        Parameters
        ----------
        vectors : sequence of EncodedVector
            The packed vectors.
        n_jobs : int or None, default=None
            As scikit-learn means it. Integers to encrypt then go to other processes of
            this machine, where they are many; hiding factors never do.

        Returns
        -------
        list of EncryptedVector
            As `encrypt` would return each.
        """
        for vector in vectors:
            if not isinstance(vector, EncodedVector):
                raise TypeError(
                    f"encrypt takes an EncodedVector, got {type(vector).__name__}; "
                    "encode the values with FixedPoint.encode first."
                )
        integers = [integer for vector in vectors for integer in vector.integers]
        ciphertexts = iter(map_processes(self._encrypt_integers, integers, n_jobs))
        return [
            EncryptedVector(
                self, v.layout, v.size, tuple(islice(ciphertexts, len(v.integers))), v.n_terms
            )
            for v in vectors
        ]

    def _encrypt_integers(self, integers: list[mpz]) -> list[mpz]:
        n, n_squared, draw = self.n, self.n_squared, self._obfuscator.draw
        return [(1 + n * integer) * draw() % n_squared for integer in integers]


@lru_cache(maxsize=1)
def _received_key(n: int) -> PublicKey:
    """Return the same object for the same key, so that a process builds its table once."""
    return PublicKey(n)


class PrivateKey(Uncopied):
    """Decrypts. What the key holder, and nobody else, is given.

    Its numbers are in no repr, and it refuses to be pickled or copied.

    Parameters
    ----------
    p, q : int
        The two primes.
    """

    why = "the key would leave its holder. Hand on its public_key."

    def __init__(self, p: int, q: int) -> None:
        self.public_key = PublicKey(p * q)
        self._key = phe.PaillierPrivateKey(self.public_key._key, int(p), int(q))

    def __repr__(self) -> str:
        return f"PrivateKey(key_length={self.public_key.key_length})"

    def decrypt(self, encrypted: EncryptedVector, n_jobs: int | None = None) -> EncodedVector:
        """Decrypt by Chinese remaindering (Paillier 1999, section 7).

        Run by the key holder on a total. Reveals the sum to it.

        Parameters
        ----------
        encrypted : EncryptedVector
            A total, under this key.
        n_jobs : int or None, default=None
            As scikit-learn means it: threads for the two halves of each ciphertext.

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
        key, n = self._key, self.public_key.n
        halves = [(c, prime) for c in encrypted.ciphertexts for prime in (key.p, key.q)]
        residues = iter(map_threads(self._decrypt_half, halves, n_jobs))
        plaintexts = [mpz(key.crt(*pair)) for pair in zip(residues, residues, strict=True)]
        integers = tuple(m - n if m > n // 2 else m for m in plaintexts)
        return EncodedVector(encrypted.layout, encrypted.size, integers, encrypted.n_terms)

    def _decrypt_half(self, half: tuple[mpz, int]) -> mpz:
        """Return the plaintext of a ciphertext modulo one of the primes."""
        ciphertext, prime = half
        key = self._key
        square, h = (key.psquare, key.hp) if prime == key.p else (key.qsquare, key.hq)
        power = gmpy2.powmod(ciphertext, prime - 1, square)
        return mpz(key.l_function(power, prime) * h % prime)
