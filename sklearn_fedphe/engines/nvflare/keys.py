"""Private keys in files: readable by their owner alone, and refused otherwise."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import gmpy2
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ...crypto.key_generation import generate_primes
from ...crypto.masking import IdentityKey
from ...crypto.paillier import PrivateKey

OWNER_ONLY = 0o600


class KeyFileError(ValueError):
    """A file of a private key is unsafe, or is none."""


def make_paillier_key(path: Path, key_length: int) -> int:
    """Make a Paillier key and write it to a new file. Run by the key holder.

    Parameters
    ----------
    path : Path
        Where nothing is yet.
    key_length : int
        Bits of the modulus.

    Returns
    -------
    int
        The modulus, which is public.
    """
    p, q = generate_primes(key_length)
    _write_new(path, json.dumps({"kind": "paillier", "p": f"{p:x}", "q": f"{q:x}"}).encode())
    return p * q


def load_paillier_key(path: Path) -> PrivateKey:
    """Read the key holder's key.

    Raises
    ------
    KeyFileError
        If others can read the file, or it holds no such key. The content is not quoted.
    """
    data = read_private(path)
    try:
        read = json.loads(data)
        p, q = int(read["p"], 16), int(read["q"], 16)
        holds_key = read["kind"] == "paillier" and _are_primes_of_a_key(p, q)
    except (ValueError, KeyError, TypeError, RecursionError):
        holds_key = False
    if not holds_key:
        raise _no_key(path, "Paillier key")
    return PrivateKey(p, q)


def make_identity(path: Path) -> bytes:
    """Make a hospital's identity and write it to a new file. Run by the hospital.

    Returns
    -------
    bytes of length 32
        The public half.
    """
    key = X25519PrivateKey.generate()
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return key.public_key().public_bytes_raw()


def load_identity(path: Path) -> IdentityKey:
    """Read a hospital's identity.

    Raises
    ------
    KeyFileError
        If others can read the file, or it holds no such key. The content is not quoted.
    """
    data = read_private(path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise _no_key(path, "hospital's identity")
    return IdentityKey(key)


def read_private(path: Path) -> bytes:
    """Read a file that nobody else may.

    Raises
    ------
    KeyFileError
        If it is not there, is another user's, or others have any access.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if problem := problem_of(found):
                raise KeyFileError(f"The key file {path} {problem}; run: chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None


def problem_of(found: os.stat_result) -> str | None:
    """Return what is unsafe about a file's owner and mode, if anything."""
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        return f"is user {found.st_uid}'s, and this is user {os.geteuid()}"
    if mode & 0o077:
        return f"has mode {mode:04o}, and others than its owner can access it"
    return None


def _are_primes_of_a_key(p: int, q: int) -> bool:
    """Tell whether they are as `generate_primes` makes them."""
    are_primes = p != q and gmpy2.is_prime(p) and gmpy2.is_prime(q)
    return bool(are_primes and p % 4 == q % 4 == 3 and gmpy2.gcd(p - 1, q - 1) == 2)


def _write_new(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError:
        raise KeyFileError(f"{path} is there already; a key is not overwritten.") from None
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _no_key(path: Path, what: str) -> KeyFileError:
    return KeyFileError(f"The key file {path} holds no {what}; make one by keygen.")
