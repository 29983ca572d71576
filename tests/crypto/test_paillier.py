import copy
import pickle

import numpy as np
import phe
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.crypto.fixed_point import FixedPoint
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.paillier import EncryptedVector, PublicKey


@pytest.fixture
def layout(short_key):
    return FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)


vectors = st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=40)


@given(values=vectors)
def test_decrypting_gives_back_what_was_encrypted(short_key, values):
    layout = FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)
    encrypted = short_key.public_key.encrypt(layout.encode(values))

    assert encrypted.n_terms == 1
    np.testing.assert_array_equal(layout.decode(short_key.decrypt(encrypted)), values)


@given(data=st.data())
def test_sum_under_encryption_decrypts_to_the_sum(short_key, data):
    layout = FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)
    values = np.array(
        data.draw(st.lists(st.tuples(*[st.integers(-99, 99)] * 20), min_size=2, max_size=4))
    )
    first, *rest = (short_key.public_key.encrypt(layout.encode(value)) for value in values)
    total = sum(rest, first)

    assert total.n_terms == len(values)
    np.testing.assert_array_equal(layout.decode(short_key.decrypt(total)), values.sum(axis=0))


def test_phe_decrypts_what_we_encrypt(private_key):
    key = private_key._key
    public_key = PublicKey(phe.PaillierPublicKey(key.public_key.n).n)
    layout = FixedPoint(64, 40, public_key.plaintext_bits, 3)
    encoded = layout.encode([-1.5, 2.25, 1e-9])

    (ciphertext,) = public_key.encrypt(encoded).ciphertexts

    n = key.public_key.n
    their_key = phe.PaillierPrivateKey(phe.PaillierPublicKey(n), key.p, key.q)
    assert their_key.raw_decrypt(int(ciphertext)) == encoded.integers[0] % n


def test_phe_ciphertexts_add_to_ours(private_key):
    layout = FixedPoint(64, 40, private_key.public_key.plaintext_bits, 3)
    ours = private_key.public_key.encrypt(layout.encode([3.0, -4.5]))
    (integer,) = layout.encode([10.0, 20.0]).integers
    their_key = phe.PaillierPublicKey(int(private_key.public_key.n))
    theirs = EncryptedVector(
        private_key.public_key, layout, 2, (their_key.raw_encrypt(int(integer)),), n_terms=1
    )

    np.testing.assert_array_equal(layout.decode(private_key.decrypt(ours + theirs)), [13.0, 15.5])


def test_equal_vectors_never_encrypt_alike(short_key, layout):
    encoded = layout.encode(np.ones(40))
    ciphertexts = [c for _ in range(20) for c in short_key.public_key.encrypt(encoded).ciphertexts]

    assert len(set(ciphertexts)) == len(ciphertexts) == 20 * layout.n_plaintexts(40)


@pytest.mark.parametrize("plaintext", [3, 2.5, np.ones(3), [1.0], None])
def test_encrypts_nothing_but_encoded_vectors(short_key, plaintext):
    with pytest.raises(TypeError, match="encrypt takes an EncodedVector, got"):
        short_key.public_key.encrypt(plaintext)


@pytest.mark.parametrize("other", [0, 1.0, np.ones(3), "x"])
def test_encrypted_vectors_add_to_nothing_else(short_key, layout, other):
    encrypted = short_key.public_key.encrypt(layout.encode([1.0, 2.0, 3.0]))

    with pytest.raises(TypeError, match="unsupported operand"):
        encrypted + other


@pytest.mark.parametrize("operation", ["__mul__", "__sub__", "__neg__", "__float__", "__iter__"])
def test_encrypted_vectors_do_nothing_but_add(short_key, layout, operation):
    assert not hasattr(short_key.public_key.encrypt(layout.encode([1.0])), operation)


def test_vectors_under_different_keys_do_not_add(short_key, layout):
    ours = short_key.public_key.encrypt(layout.encode([1.0]))
    theirs = generate_private_key(1024).public_key.encrypt(layout.encode([1.0]))

    with pytest.raises(ValueError, match="under different keys do not add"):
        ours + theirs


def test_vectors_of_different_layouts_do_not_add(short_key, layout):
    other = FixedPoint(64, 41, layout.plaintext_bits, 4)
    vector = short_key.public_key.encrypt(layout.encode([1.0]))

    with pytest.raises(ValueError, match="of different layouts do not add"):
        vector + short_key.public_key.encrypt(other.encode([1.0]))
    with pytest.raises(ValueError, match="of different layouts do not add: 1 values"):
        vector + short_key.public_key.encrypt(layout.encode([1.0, 2.0]))


def test_guard_bits_bound_the_number_of_terms(short_key, layout):
    vector = short_key.public_key.encrypt(layout.encode([1.0]))
    full = vector + vector + vector + vector

    with pytest.raises(
        ValueError, match=r"4 \+ 1 terms, .* sized for 4; every client adds exactly"
    ):
        full + vector


def test_decrypting_takes_the_right_key(short_key, layout):
    encrypted = generate_private_key(1024).public_key.encrypt(layout.encode([1.0]))

    with pytest.raises(ValueError, match="The vector is encrypted under"):
        short_key.decrypt(encrypted)


@pytest.mark.parametrize(
    "leave",
    [pickle.dumps, copy.copy, copy.deepcopy, lambda key: pickle.dumps([key], protocol=0)],
    ids=["pickle", "copy", "deepcopy", "nested"],
)
def test_private_key_stays_with_its_holder(short_key, leave):
    with pytest.raises(TypeError, match="neither pickled nor copied"):
        leave(short_key)


def test_reprs_show_no_number_of_the_key(short_key, layout):
    key = short_key._key
    encrypted = short_key.public_key.encrypt(layout.encode([1.0]))
    shown = f"{short_key!r} {short_key} {short_key.public_key!r} {encrypted!r}"

    for number in (key.p, key.q, short_key.public_key.n, *encrypted.ciphertexts):
        assert str(number) not in shown
        assert f"{int(number):x}" not in shown
    assert "key_length=1024" in shown


def test_public_keys_are_equal_by_their_modulus(short_key):
    again = PublicKey(int(short_key.public_key.n))

    assert again == short_key.public_key
    assert hash(again) == hash(short_key.public_key)
    assert again != PublicKey(77)
    assert again != 77
