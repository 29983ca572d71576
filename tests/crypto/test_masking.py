"""Masks, against what their documented construction gives when it is written down anew."""

import copy
import hashlib
import pickle

import gmpy2
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from sklearn_fedphe.crypto.fixed_point import FixedPoint
from sklearn_fedphe.crypto.masking import IdentityKey, PairwiseMasks

LAYOUT = FixedPoint(64, 32, 500, 8)
N = gmpy2.next_prime(2**501) * gmpy2.next_prime(2**500)
CONTEXT = b"roster"


def masks_of(n_clients, context=CONTEXT):
    keys = [IdentityKey() for _ in range(n_clients)]
    identities = [key.identity for key in keys]
    return [PairwiseMasks(key, identities, context) for key in keys]


@given(n_clients=st.integers(2, 8), size=st.integers(0, 20), round_id=st.binary(max_size=60))
def test_masks_cancel_in_the_total_and_in_no_smaller_sum(n_clients, size, round_id):
    masks = masks_of(n_clients)
    encoded = [LAYOUT.encode(np.arange(float(size)) - i) for i in range(n_clients)]
    masked = [own.mask(vector, N, round_id) for own, vector in zip(masks, encoded, strict=True)]

    plain, hidden = (
        [sum(c) for c in zip(*(v.integers for v in vs), strict=True)] for vs in (encoded, masked)
    )
    assert [(b - a) % N for a, b in zip(plain, hidden, strict=True)] == [0] * len(plain)
    for left_out in range(n_clients):
        some = [v for i, v in enumerate(masked) if i != left_out]
        rest = [v for i, v in enumerate(encoded) if i != left_out]
        for place in range(len(plain)):
            off = sum(v.integers[place] for v in some) - sum(v.integers[place] for v in rest)
            assert off % N != 0
    assert all(0 <= integer < N for vector in masked for integer in vector.integers)
    assert {(v.layout, v.size, v.n_terms) for v in masked} == {(LAYOUT, size, 1)}


def test_a_mask_is_what_its_construction_says():
    """X25519, HKDF and SHAKE-256 once more, from the outside."""
    own, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    key = IdentityKey()
    key._key = own
    identities = [other.public_key().public_bytes_raw(), key.identity]
    vector = LAYOUT.encode(np.ones(9))  # of two integers

    masked = PairwiseMasks(key, identities, CONTEXT).mask(vector, N, b"round")

    both = b"".join(sorted(identities))
    info = b"sklearn_fedphe/v1/pair-secret" + CONTEXT + both
    secret = HKDF(SHA256(), 32, None, info).derive(other.exchange(own.public_key()))
    for index in range(2):
        data = b"sklearn_fedphe/v1/mask" + secret + b"round" + index.to_bytes(4, "big")
        stream = hashlib.shake_256(data).digest(-(-(N.bit_length() + 128) // 8))
        # The second of the two subtracts.
        expected = (vector.integers[index] - int.from_bytes(stream, "big")) % N
        assert masked.integers[index] == expected


def test_no_two_masks_are_alike():
    zero = LAYOUT.encode(np.zeros(9))
    masks = [*masks_of(3), *masks_of(3, b"another")]

    seen = [
        integer
        for own in masks
        for round_id in (b"1", b"2", b"3")
        for integer in own.mask(zero, N, round_id).integers
    ]

    assert len(seen) == len(set(seen)) == 6 * 3 * 2


def test_the_context_changes_every_mask():
    keys = [IdentityKey() for _ in range(3)]
    identities = [key.identity for key in keys]
    zero = LAYOUT.encode(np.zeros(1))

    one, two = (
        PairwiseMasks(keys[0], identities, context).mask(zero, N, b"1").integers
        for context in (b"one", b"two")
    )

    assert one != two


@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_masked_integers_are_uniform_whatever_they_hide(value):
    """Kolmogorov-Smirnov at a false alarm rate of 1e-6."""
    vector = LAYOUT.encode(np.full(7000, value))
    own = masks_of(3)[0]

    integers = own.mask(vector, N, b"1").integers

    assert len(integers) == 1001
    assert kstest([float(gmpy2.mpfr(i) / N) for i in integers], "uniform").pvalue > 1e-6


def test_repeating_a_round_gives_the_same_masks():
    own = masks_of(3)[0]
    vector = LAYOUT.encode(np.ones(3))

    assert own.mask(vector, N, b"1") == own.mask(vector, N, b"1") != own.mask(vector, N, b"2")


def test_secrets_agree_between_two_and_with_nobody_else():
    a, b, c = (IdentityKey() for _ in range(3))

    assert a.secret_with(b.identity, CONTEXT) == b.secret_with(a.identity, CONTEXT)
    assert len(a.secret_with(b.identity, CONTEXT)) == 32
    assert a.secret_with(b.identity, CONTEXT) != c.secret_with(b.identity, CONTEXT)
    assert a.secret_with(b.identity, CONTEXT) != a.secret_with(b.identity, b"other")


def equivalent_identities(identity):
    """Other encodings with which X25519 gives the same: a bit that it ignores, a 2-torsion point.

    The point (0, 0) of order 2 added to one of coordinate u has the coordinate 1/u, and private
    keys are multiples of 8 (RFC 7748, section 5).
    """
    p = 2**255 - 19
    yield identity[:31] + bytes([identity[31] ^ 0x80])
    yield pow(int.from_bytes(identity, "little"), -1, p).to_bytes(32, "little")


def test_an_identity_that_is_equivalent_to_anothers_shares_none_of_its_secrets():
    a, c = IdentityKey(), IdentityKey()
    for rogue in equivalent_identities(a.identity):
        raw = [c._key.exchange(X25519PublicKey.from_public_bytes(i)) for i in (a.identity, rogue)]
        assert raw[0] == raw[1]

        assert c.secret_with(rogue, CONTEXT) != c.secret_with(a.identity, CONTEXT)


def test_masks_are_made_once_for_a_roster():
    keys = [IdentityKey() for _ in range(3)]
    identities = [key.identity for key in keys]
    PairwiseMasks(keys[0], identities, CONTEXT)
    PairwiseMasks(keys[0], identities, b"another session")

    with pytest.raises(
        ValueError, match=f"has taken part in the fit of roster {CONTEXT.hex()} before, and its ma"
    ):
        PairwiseMasks(keys[0], identities, CONTEXT)


@pytest.mark.parametrize(
    "identity",
    [bytes(32), b"\x01" + bytes(31), bytes(31), b"x" * 33],
    ids=["zero", "one", "short", "long"],
)
def test_refuses_identities_that_share_no_secret(identity):
    key = IdentityKey()
    with pytest.raises(ValueError, match="is no X25519 public key to share a secret with") as e:
        PairwiseMasks(key, [key.identity, identity], CONTEXT)
    assert identity.hex() in str(e.value)


def test_refuses_a_roster_without_the_client():
    others = [IdentityKey().identity for _ in range(3)]
    with pytest.raises(ValueError, match="is not on the roster; agree on one that has it"):
        PairwiseMasks(IdentityKey(), others, CONTEXT)


@pytest.mark.parametrize("make", [IdentityKey, lambda: masks_of(3)[0]], ids=["key", "masks"])
def test_secrets_are_neither_pickled_nor_copied_nor_shown(make):
    secret = make()
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither pickled nor copied"):
            way(secret)
    assert len(f"{secret!r}{secret}") < 250


def test_reprs_show_what_is_public():
    key = IdentityKey()
    assert repr(key) == f"IdentityKey(identity={key.identity.hex()!r})"
    assert repr(masks_of(3)[0]) == "PairwiseMasks with 2 others"
