"""Messages that only their receiver reads, and that name their sender by its certificate.

The cipher is NVIDIA FLARE's own (`SimpleCellCipher`): AES-256-GCM under a key that is
wrapped by RSA-OAEP for the receiver's certificate, and an RSA-PSS signature by the sender's
over all of it. Two things are done otherwise than its cells do them. Certificates are those
that the roster pins, so that no party, and no holder of the certificate authority, can stand
in for another with a certificate of its own. And a message is opened by its receiver here,
not by the cell, which hands on what merely says that it has been decrypted.

An answer carries the digest of the message that it answers, sealed as that was.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from nvflare.fuel.f3.cellnet.cell_cipher import InvalidCertChain, SimpleCellCipher

from ...crypto.uncopied import Uncopied
from ...protocol import RefusedMessageError
from .pinned_roster import PinnedRoster

_LENGTH = struct.Struct(">H")
_DIGEST_BYTES = 32
_REQUEST, _ANSWER = b"sklearn_fedphe/v1/request", b"sklearn_fedphe/v1/answer\0"


class Seal(Uncopied):
    """One party's end of all its sealed messages.

    Parameters
    ----------
    roster : PinnedRoster
        Whose certificates count.
    name : str
        The party's.
    kit : Path
        Where its certificate's private key is.

    Raises
    ------
    ValueError
        If the kit's certificate is not the one that the roster has for `name`, has expired, or
        is of another project than the kit.
    """

    why = "the certificate's key would leave its party. Load the kit again."

    def __init__(self, roster: PinnedRoster, name: str, kit: Path) -> None:
        startup = kit / "startup"
        own = x509.load_pem_x509_certificates((startup / "client.crt").read_bytes())
        if own[0] != _certificate(roster, name)[0]:
            raise ValueError(
                f"The certificate of {name!r} in {startup} is not the one on the roster; it was "
                "renewed, or this is another's kit. Make a card of it and a new roster."
            )
        key = load_pem_private_key((startup / "client.key").read_bytes(), password=None)
        if key.public_key() != own[0].public_key():
            raise ValueError(
                f"The key in {startup} is not that of the certificate of {name!r}; get a new kit."
            )
        root = x509.load_pem_x509_certificate((startup / "rootCA.pem").read_bytes())
        self.name = name
        self._roster = roster
        try:
            self._cipher = SimpleCellCipher(root, cast(RSAPrivateKey, key), own)
        except InvalidCertChain:
            raise _broken_chain(name) from None

    def close(self, receiver: str, topic: bytes, body: bytes) -> bytes:
        """Seal a message. Run by its sender.

        Parameters
        ----------
        receiver : str
            Who alone can open it.
        topic : bytes
            What it is about.
        body : bytes

        Returns
        -------
        bytes
            What may pass through anybody's hands. It shows sender and length.

        Raises
        ------
        ValueError
            If the receiver's certificate has expired, or is of another project.
        """
        content = _REQUEST + self._between(self.name, receiver)
        return self._enveloped(receiver, content + _LENGTH.pack(len(topic)) + topic + body)

    def open(self, message: bytes) -> tuple[str, bytes, bytes]:
        """Open a message. Run by its receiver.

        Returns
        -------
        sender : str
            Whose pinned certificate signed it.
        topic, body : bytes

        Raises
        ------
        RefusedMessageError
            If nobody on the roster sent it to this party as it is.
        """
        sender, content = self._opened(message)
        begins = _REQUEST + self._between(sender, self.name)
        header = len(begins) + _LENGTH.size
        if not content.startswith(begins) or len(content) < header:
            raise _refusal(self.name)
        (length,) = _LENGTH.unpack_from(content, len(begins))
        return sender, content[header : header + length], content[header + length :]

    def close_answer(self, receiver: str, to: bytes, body: bytes) -> bytes:
        """Seal an answer to a message, as it came. Run by who answers."""
        content = _ANSWER + self._between(self.name, receiver) + hashlib.sha256(to).digest()
        return self._enveloped(receiver, content + body)

    def open_answer(self, sender: str, to: bytes, answer: bytes) -> bytes:
        """Open the answer to a message of this party's own. Run by who asked.

        Parameters
        ----------
        sender : str
            Who was asked.
        to : bytes
            What was sent to it.
        answer : bytes

        Raises
        ------
        RefusedMessageError
            If it is not an answer to `to` from `sender`.
        """
        found, content = self._opened(answer)
        expected = _ANSWER + self._between(sender, self.name) + hashlib.sha256(to).digest()
        if found != sender or not content.startswith(expected):
            raise RefusedMessageError(
                f"What came as an answer from {sender!r} is none of its to this message; somebody "
                "on the way altered it."
            )
        return content[len(expected) :]

    @staticmethod
    def _between(sender: str, receiver: str) -> bytes:
        """Both names: else who strips a signature could sign, unread, what another wrote."""
        names = sender.encode(), receiver.encode()
        return b"".join(_LENGTH.pack(len(name)) + name for name in names)

    def _enveloped(self, receiver: str, content: bytes) -> bytes:
        name = self.name.encode()
        try:
            sealed = self._cipher.encrypt(content, _certificate(self._roster, receiver))
        except InvalidCertChain:
            raise _broken_chain(receiver) from None
        return _LENGTH.pack(len(name)) + name + bytes(sealed)

    def _opened(self, message: bytes) -> tuple[str, bytes]:
        try:
            (length,) = _LENGTH.unpack_from(message)
            sender = message[_LENGTH.size : _LENGTH.size + length].decode()
            sealed = message[_LENGTH.size + length :]
            content: bytes = self._cipher.decrypt(sealed, _certificate(self._roster, sender))
        except (
            struct.error,
            KeyError,
            ValueError,
            InvalidSignature,
            InvalidTag,
            InvalidCertChain,
        ):
            raise _refusal(self.name) from None
        return sender, content


def _certificate(roster: PinnedRoster, name: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(roster.certificate(name))


def _broken_chain(name: str) -> ValueError:
    return ValueError(
        f"The certificate of {name!r} has expired, or is not of this kit's project; get new kits, "
        "and make new cards and a new roster."
    )


def _refusal(name: str) -> RefusedMessageError:
    return RefusedMessageError(
        f"{name!r} cannot open a message: its sender is not on the roster as it has it, or it was "
        "altered on the way. Compare the rosters' digests."
    )
