"""What a party publishes of itself before there is a roster: name, certificate, public key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from ...crypto.masking import IDENTITY_BYTES
from .reading import RosterError, as_object, as_text, read_json

_KEY_BITS = 2048
"""Of all certificates that NVIDIA FLARE makes; its cipher has room for no others."""

ROLES = ("hospital", "key holder", "analyst")


@dataclass(frozen=True)
class Card:
    """One party, as others know it. Public.

    Parameters
    ----------
    role : {"hospital", "key holder", "analyst"}
    name : str
        As its certificate has it.
    certificate : str
        PEM, its chain with it.
    identity : bytes
        Of a hospital, 32 bytes; else empty.
    modulus : int
        Of the key holder; else 0.

    Raises
    ------
    RosterError
        If these do not belong together.
    """

    role: str
    name: str
    certificate: str
    identity: bytes = b""
    modulus: int = 0

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise RosterError(f"A card of role {self.role!r}, where {', '.join(ROLES)} can be.")
        found = certificate_name(self.certificate.encode())
        if found != self.name:
            raise RosterError(f"A card of {self.name!r} has the certificate of {found!r}.")
        if not self.certificate_key:
            raise RosterError(
                f"The certificate of {self.name!r} has another key than RSA's of {_KEY_BITS} "
                "bits, by which messages are sealed; get a kit of nvflare provision."
            )
        wanted = IDENTITY_BYTES if self.role == "hospital" else 0
        is_key = self.modulus > 0 if self.role == "key holder" else self.modulus == 0
        if len(self.identity) != wanted or not is_key:
            raise RosterError(
                f"The card of {self.name!r} has not the key of a {self.role}; make it by keygen."
            )

    @cached_property
    def certificate_key(self) -> bytes:
        """The certificate's public key, encoded; empty if it is of another kind than kits'."""
        key = x509.load_pem_x509_certificate(self.certificate.encode()).public_key()
        if not isinstance(key, RSAPublicKey) or key.key_size != _KEY_BITS:
            return b""
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def check_role(self, role: str) -> None:
        """Refuse a card that stands in another party's place.

        Raises
        ------
        RosterError
        """
        if self.role != role:
            raise RosterError(
                f"The card of {self.name!r} is that of a {self.role}, where a {role}'s belongs."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "role": self.role,
            "name": self.name,
            "certificate": self.certificate,
            "identity": self.identity.hex(),
            "modulus": f"{self.modulus:x}",
        }

    @classmethod
    def from_dict(cls, given: Any) -> Card:
        """Parse what `to_dict` returns.

        Raises
        ------
        RosterError
        """
        parts = as_object("A card", given, ("role", "name", "certificate", "identity", "modulus"))
        texts = {key: value for key, value in parts.items() if key != "identity" or value}
        role, name, certificate, modulus = (
            as_text(f"a card's {key}", texts[key])
            for key in ("role", "name", "certificate", "modulus")
        )
        try:
            return cls(role, name, certificate, bytes.fromhex(parts["identity"]), int(modulus, 16))
        except (TypeError, ValueError) as error:
            if isinstance(error, RosterError):
                raise
            raise RosterError(f"The card of {name!r} has a broken key.") from None

    def save(self, path: Path) -> None:
        """Write it to a file."""
        path.write_text(json.dumps(self.to_dict(), indent=1))

    @classmethod
    def load(cls, path: Path) -> Card:
        """Read it from a file.

        Raises
        ------
        RosterError
        """
        return cls.from_dict(read_json(path))


def certificate_name(pem: bytes) -> str:
    """Return whom a certificate is for.

    Raises
    ------
    RosterError
        If it is no certificate, or for nobody by name.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        certificate.public_key()
        (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise RosterError("A certificate is broken, or names nobody.") from None
    return str(name.value)
