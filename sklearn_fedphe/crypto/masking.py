"""Masks that cancel in the total of all clients, and only there.

Every two clients share a secret that nobody else knows. From it both draw the same
numbers, uniform modulo n; one adds them to its plaintexts modulo n and the other
subtracts them. In the total of all clients every mask meets its opposite. In the sum of
fewer, whatever one of them shares with a client left out remains, and hides it as a
one-time pad does: Bonawitz et al., "Practical Secure Aggregation for Privacy-Preserving
Machine Learning", CCS 2017, section 4 and lemma 6.1. Their masks against dropouts are
not here: a client that drops out ends the fit. Neither are the sparser graphs of Bell et
al., "Secure Single-Server Aggregation with (Poly)Logarithmic Overhead", CCS 2020, which
pay from hundreds of clients on.

*Secrets of pairs*: X25519 (RFC 7748, section 6.1), then HKDF with SHA-256 (RFC 5869) over
the digest of the roster and both public keys, in the order of their bytes. Both keys, since
several encodings of a point give the same X25519 output: who announced one that equals
another client's in this way would share that client's secrets (RFC 7748, section 7).

*Masks*: SHAKE-256 (FIPS 202) of a domain tag, the secret, the round and the ciphertext's
index, all of fixed length. The round goes in with the digest of its query, so that masks
cancel only among clients that were asked the same. 128 more bits are drawn than n has, and
reduced: of the 2**L outputs, no two residues get numbers that differ by more than one, so
that the statistical distance from uniform is below n / 2**L <= 2**-128.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from gmpy2 import mpz

from .encoded_vector import EncodedVector
from .uncopied import Uncopied

IDENTITY_BYTES = 32
"""Length of a public identity."""

_PAIR_DOMAIN = b"sklearn_fedphe/v1/pair-secret"
_MASK_DOMAIN = b"sklearn_fedphe/v1/mask"
_SECRET_BYTES = 32
_EXTRA_BITS = 128


class IdentityKey(Uncopied):
    """A client's X25519 private key: with whom it shares secrets.

    Made by the client from the operating system's randomness. It is in no repr, and
    refuses to be pickled or copied.

    Parameters
    ----------
    key : X25519PrivateKey, default=None
        One that the client made before, and takes up again in another process. It then has to
        know itself which fits it took part in: `begin` knows those of this process.
    """

    why = "the key would leave its client. Hand on its identity."

    def __init__(self, key: X25519PrivateKey | None = None) -> None:
        self._key = X25519PrivateKey.generate() if key is None else key
        self._contexts: set[bytes] = set()

    def __repr__(self) -> str:
        return f"IdentityKey(identity={self.identity.hex()!r})"

    @property
    def identity(self) -> bytes:
        """The public key, which the other parties know beforehand."""
        return self._key.public_key().public_bytes_raw()

    def secret_with(self, identity: bytes, context: bytes) -> bytes:
        """Derive the secret shared with another client. Run by both; reveals nothing.

        Parameters
        ----------
        identity : bytes of length 32
            The other's.
        context : bytes
            What the secret is for; another context makes an unrelated secret.

        Returns
        -------
        bytes of length 32
            The same for both.

        Raises
        ------
        ValueError
            If `identity` is a point of small order, with which every secret is the same.
        """
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(identity))
        except ValueError:
            raise ValueError(
                f"The identity {identity.hex()} is no X25519 public key to share a secret with; "
                "its owner must make a new one."
            ) from None
        info = _PAIR_DOMAIN + context + b"".join(sorted((self.identity, identity)))
        return HKDF(SHA256(), _SECRET_BYTES, salt=None, info=info).derive(shared)

    def begin(self, context: bytes) -> None:
        """Take part in something once: the same masks over other vectors show the difference.

        Parameters
        ----------
        context : bytes
            What masks are about to be made for.

        Raises
        ------
        ValueError
            If this key has made masks for it before.
        """
        if context in self._contexts:
            raise ValueError(
                f"The identity {self.identity.hex()} has taken part in the fit of roster "
                f"{context.hex()} before, and its masks would be the same; begin a new fit, of a "
                "new session."
            )
        self._contexts.add(context)


class PairwiseMasks(Uncopied):
    """One client's part of all masks. It is in no repr, and is neither pickled nor copied.

    Parameters
    ----------
    key : IdentityKey
        The client's own.
    identities : sequence of bytes
        Of all clients, in the order of the ring, the client's own among them.
    context : bytes
        The digest of the roster.

    Raises
    ------
    ValueError
        If the client's own identity is not among them, another is no public key, or the
        client has made masks for this roster before.
    """

    why = (
        "who has masks reads the client's vectors. Make them where they are used, from the "
        "client's IdentityKey."
    )

    def __init__(self, key: IdentityKey, identities: Sequence[bytes], context: bytes) -> None:
        own = key.identity
        if own not in identities:
            raise ValueError(
                f"The identity {own.hex()} is not on the roster; agree on one that has it."
            )
        key.begin(context)
        position = identities.index(own)
        self._pairs = [
            # Who comes first adds; masks cancel because the other one subtracts.
            (
                1 if position < i else -1,
                hashlib.shake_256(_MASK_DOMAIN + key.secret_with(other, context)),
            )
            for i, other in enumerate(identities)
            if i != position
        ]

    def __repr__(self) -> str:
        return f"PairwiseMasks with {len(self._pairs)} others"

    def mask(self, encoded: EncodedVector, modulus: mpz, round_id: bytes) -> EncodedVector:
        """Add this client's masks of a round. Run by the client, before it encrypts.

        Reveals nothing: without the secrets of all its pairs, the result is uniform. To be
        done once a round: the difference of two vectors behind one mask is that of their
        plaintexts.

        Parameters
        ----------
        encoded : EncodedVector
            The client's own.
        modulus : mpz
            The modulus n of the key that it will be encrypted under.
        round_id : bytes
            Of a length that all rounds have; no other round has the same.

        Returns
        -------
        EncodedVector
            Integers from 0 to n - 1.
        """
        integers = tuple(
            (integer + self._mask_of(index, modulus, round_id)) % modulus
            for index, integer in enumerate(encoded.integers)
        )
        return replace(encoded, integers=integers)

    def _mask_of(self, index: int, modulus: mpz, round_id: bytes) -> mpz:
        length = (modulus.bit_length() + _EXTRA_BITS + 7) // 8
        place = round_id + index.to_bytes(4, "big")
        total = 0
        for sign, keyed in self._pairs:
            stream = keyed.copy()
            stream.update(place)
            total += sign * int.from_bytes(stream.digest(length), "big")
        return mpz(total)
