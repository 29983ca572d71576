import base64
import json
import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from sklearn_fedphe.crypto.masking import IdentityKey
from sklearn_fedphe.engines.nvflare import keys
from sklearn_fedphe.engines.nvflare.keys import (
    KeyFileError,
    load_identity,
    load_paillier_key,
    make_identity,
    make_paillier_key,
    problem_of,
    read_private,
)

P, Q = 1000003, 1000039  # 3 modulo 4, and p - 1 and q - 1 share 2 and 3: no pair of a key


def write(path, data, mode=0o600):
    path.write_bytes(data)
    path.chmod(mode)
    return path


def paillier(p, q, kind="paillier"):
    return json.dumps({"kind": kind, "p": f"{p:x}", "q": f"{q:x}"}).encode()


def test_an_identity_comes_back_from_its_file(tmp_path):
    identity = make_identity(tmp_path / "key")
    key = load_identity(tmp_path / "key")
    other = IdentityKey()
    assert key.identity == identity
    assert key.secret_with(other.identity, b"fit") == other.secret_with(identity, b"fit")


def test_an_identity_can_be_given_its_key():
    key = X25519PrivateKey.generate()
    assert IdentityKey(key).identity == key.public_key().public_bytes_raw()


def test_a_paillier_key_comes_back_from_its_file(tmp_path):
    modulus = make_paillier_key(tmp_path / "key", 1024)
    assert load_paillier_key(tmp_path / "key").public_key.n == modulus
    assert modulus.bit_length() == 1024


@pytest.mark.parametrize("make", [make_identity, lambda path: make_paillier_key(path, 512)])
def test_a_new_key_is_its_owners_alone(tmp_path, make):
    before = os.umask(0)
    try:
        make(tmp_path / "key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


@pytest.mark.parametrize("make", [make_identity, lambda path: make_paillier_key(path, 512)])
def test_a_key_is_not_overwritten(tmp_path, make):
    path = write(tmp_path / "key", b"earlier")
    with pytest.raises(KeyFileError, match="is there already; a key is not overwritten"):
        make(path)
    assert path.read_bytes() == b"earlier"


def test_a_key_does_not_go_through_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError, match="is there already"):
        make_identity(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_that_cannot_be_written_says_why(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be written: No such file or directory"):
        make_identity(tmp_path / "nowhere" / "key")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_key_that_others_can_access_is_refused(tmp_path, mode):
    path = tmp_path / "key"
    make_identity(path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"has mode {mode:04o}, and others.*chmod 600 {path}"):
        load_identity(path)


def test_a_key_of_another_user_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path / "key", b"content")
    owner = path.stat().st_uid
    monkeypatch.setattr(keys.os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyFileError, match=f"is user {owner}'s, and this is user {owner + 1}"):
        read_private(path)


def test_what_is_safe_has_no_problem(tmp_path):
    assert problem_of(write(tmp_path / "key", b"").stat()) is None


def test_a_key_that_is_missing_says_so(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be read: No such file or directory"):
        load_identity(tmp_path / "key")


@pytest.mark.parametrize(
    "data",
    [
        b"4242secret4242",
        b"[4242]",
        b'{"kind": "paillier"}',
        b'{"kind": "paillier", "p": 4242, "q": 4242}',
        b'{"kind": "paillier", "p": "4242zz", "q": "4242zz"}',
        paillier(4242, 4243),  # not primes
        paillier(-7, -11),
        paillier(3, 3),  # equal
        paillier(13, 11),  # 1 modulo 4
        paillier(11, 13),
        paillier(P, Q),
        paillier(7, 11, kind="identity"),
    ],
)
def test_what_is_no_paillier_key_is_refused_and_not_quoted(tmp_path, data):
    path = write(tmp_path / "key", data)
    with pytest.raises(KeyFileError, match="holds no Paillier key; make one by keygen") as caught:
        load_paillier_key(path)
    assert "4242" not in str(caught.value)


def test_the_two_kinds_are_not_mixed_up(tmp_path):
    make_identity(tmp_path / "identity")
    make_paillier_key(tmp_path / "paillier", 512)
    with pytest.raises(KeyFileError, match="holds no Paillier key"):
        load_paillier_key(tmp_path / "identity")
    with pytest.raises(KeyFileError, match="holds no hospital's identity"):
        load_identity(tmp_path / "paillier")


def test_a_certificates_key_is_no_identity(provisioned):
    with pytest.raises(KeyFileError, match="holds no hospital's identity"):
        load_identity(provisioned / "north" / "startup" / "client.key")


def test_keys_of_unknown_things_are_refused(tmp_path):
    """An algorithm that nobody knows, and JSON of no end."""
    make_identity(tmp_path / "key")
    lines = (tmp_path / "key").read_bytes().splitlines()
    der = base64.b64decode(lines[1])
    lines[1] = base64.b64encode(der.replace(b"\x2b\x65\x6e", b"\x2b\x65\x63"))
    identity = write(tmp_path / "identity", b"\n".join(lines))
    with pytest.raises(KeyFileError, match="holds no hospital's identity; make one by keygen"):
        load_identity(identity)
    paillier_key = write(tmp_path / "paillier", b"[" * 100_000)
    with pytest.raises(KeyFileError, match="holds no Paillier key"):
        load_paillier_key(paillier_key)


def test_a_link_is_as_safe_as_what_it_leads_to(tmp_path):
    identity = make_identity(tmp_path / "key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    assert load_identity(tmp_path / "link").identity == identity
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(KeyFileError, match="has mode 0644"):
        load_identity(tmp_path / "link")


def test_a_folder_is_no_key(tmp_path):
    with pytest.raises(KeyFileError, match="cannot be read: Is a directory"):
        load_identity(tmp_path)


def test_keys_are_in_no_repr(tmp_path):
    make_identity(tmp_path / "identity")
    make_paillier_key(tmp_path / "paillier", 1024)
    p = json.loads((tmp_path / "paillier").read_text())["p"]
    shown = repr(load_paillier_key(tmp_path / "paillier"))
    assert p not in shown
    assert str(int(p, 16)) not in shown
    pem = (tmp_path / "identity").read_bytes()
    private = load_pem_private_key(pem, None).private_bytes_raw()
    assert private.hex() not in repr(load_identity(tmp_path / "identity"))
