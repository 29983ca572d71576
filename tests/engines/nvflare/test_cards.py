import base64
import dataclasses
import json
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.engines.nvflare.cards import Card, certificate_name
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.reading import (
    RosterError,
    as_names,
    as_object,
    as_text,
    read_json,
)
from sklearn_fedphe.engines.nvflare.site import Site

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
huge = st.integers(10**308, 10**400)


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(65537, 2048)


def certificate(key, *names):
    """Return a certificate that somebody signed for these names."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, begins, begins.replace(year=2900)
    ).sign(key, SHA256())
    return made.public_bytes(Encoding.PEM)


def altered(pem, old, new):
    """Return a certificate with other bytes in it; nobody checks its signature here."""
    lines = pem.decode().splitlines()
    der = base64.b64decode("".join(lines[1:-1]))
    assert der.count(old) == 1
    changed = base64.encodebytes(der.replace(old, new)).decode()
    return f"{lines[0]}\n{changed}{lines[-1]}\n".encode()


def test_a_certificate_is_for_whom_it_says(key):
    assert certificate_name(certificate(key, "north")) == "north"
    assert certificate_name(certificate(key, "nørth")) == "nørth"


def test_a_certificate_for_nobody_or_two_is_refused(key):
    for names in ((), ("north", "south")):
        with pytest.raises(RosterError, match="A certificate is broken, or names nobody"):
            certificate_name(certificate(key, *names))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01"),  # a version that is none
        (bytes.fromhex("2a864886f70d010101"), bytes.fromhex("2a864886f70d010163")),  # its key's
    ],
)
def test_a_certificate_of_unknown_things_is_refused(key, old, new):
    with pytest.raises(RosterError, match="A certificate is broken"):
        certificate_name(altered(certificate(key, "north"), old, new))


@pytest.mark.parametrize(
    "generate",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: rsa.generate_private_key(65537, 3072),
    ],
)
def test_a_certificate_that_seals_no_messages_is_refused(generate):
    text = "The certificate of 'north' has another key than RSA's of 2048 bits, by which messages"
    with pytest.raises(RosterError, match=text):
        Card("analyst", "north", certificate(generate(), "north").decode())


def test_the_key_of_a_certificate_is_that_of_its_kit(loaded_cards, party_files):
    private = (party_files.kits / "north" / "startup" / "client.key").read_bytes()
    public = load_pem_private_key(private, None).public_key()
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert loaded_cards["north"].certificate_key == encoded


def test_two_certificates_of_one_key_are_refused(loaded_cards, key):
    one, other = (
        dataclasses.replace(
            loaded_cards[name], name=name, certificate=certificate(key, name).decode()
        )
        for name in ("north", "south")
    )
    with pytest.raises(RosterError, match="have one certificate's key: there would be fewer"):
        PinnedRoster.of_cards(
            ["a"],
            [one, loaded_cards["east"], other],
            loaded_cards["trustee"],
            [loaded_cards["analyst@study.org"]],
        )


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("north", {"modulus": "-5"}),
        ("analyst@study.org", {"identity": "00"}),
        ("analyst@study.org", {"identity": "00" * 32}),
        ("analyst@study.org", {"modulus": "-1"}),
        ("trustee", {"identity": "00"}),
        ("trustee", {"modulus": "-f"}),
        ("trustee", {"modulus": "0"}),
    ],
)
def test_a_card_with_what_its_role_has_not_is_refused(loaded_cards, name, change):
    with pytest.raises(RosterError, match=f"The card of '{name}' has not the key of a"):
        Card.from_dict(loaded_cards[name].to_dict() | change)


@given(
    st.sampled_from(["role", "name", "certificate", "identity", "modulus", "more"]),
    anything | st.text("0123456789abcdefx_- +", max_size=70),
)
def test_whatever_a_card_says_it_is_one_or_refused(loaded_cards, member, value):
    card = loaded_cards["north"]
    try:
        found = Card.from_dict(card.to_dict() | {member: value})
    except RosterError:
        return
    assert Card.from_dict(found.to_dict()) == found
    assert len(found.identity) == 32
    assert found.modulus == 0


@given(st.sampled_from([(), (0,), (0, "certificate"), (1, "identity"), (2, "name")]), anything)
def test_whatever_is_in_a_roster_it_is_one_or_refused(party_files, tmp_path_factory, place, value):
    content = json.loads(party_files.roster.read_text())
    inside = content
    for step in ("hospitals", *place)[:-1]:
        inside = inside[step]
    inside[("hospitals", *place)[-1]] = value
    path = tmp_path_factory.getbasetemp() / "any.roster.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RosterError):
        PinnedRoster.load(path)


@pytest.mark.parametrize("version", [True, 1.0, "1", None, [1]])
def test_a_roster_of_what_is_no_version_is_refused(party_files, tmp_path, version):
    content = json.loads(party_files.roster.read_text()) | {"version": version}
    (tmp_path / "roster.json").write_text(json.dumps(content))
    with pytest.raises(RosterError, match="all parties must run the same version"):
        PinnedRoster.load(tmp_path / "roster.json")


@given(
    st.sampled_from(["roster", "key", "state", "data", "target", "timeout", "policy", "more"]),
    anything | huge | st.sampled_from(["/\0", "/\ud800", "/", "/dev/null/x"]),
)
def test_whatever_a_sites_settings_are_it_is_one_or_refused(
    party_files, tmp_path_factory, member, value
):
    kit = tmp_path_factory.getbasetemp() / "any.kit"
    if not kit.exists():
        (kit / "local").mkdir(parents=True)
        (kit / "startup").symlink_to(party_files.kits / "north" / "startup")
    written = json.loads((party_files.kits / "north/local/federation.json").read_text())
    (kit / "local" / "federation.json").write_text(json.dumps(written | {member: value}))
    try:
        site = Site.load(kit)
    except RosterError:
        return
    assert member in ("key", "state", "data", "target", "timeout")
    assert 8 <= site.timeout < 1e309


@given(st.sampled_from([*SitePolicy().to_dict(), "more"]), anything | huge)
def test_whatever_a_policy_says_it_is_one_or_refused(member, value):
    written = json.loads(json.dumps(SitePolicy().to_dict() | {member: value}))
    try:
        policy = SitePolicy.from_dict(written)
    except RosterError:
        return
    assert SitePolicy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy
    limits = (policy.min_rows_per_parameter, policy.max_epsilon, policy.max_delta)
    assert all(0 <= float(limit) < 1e309 for limit in limits if limit is not None)


@given(anything)
def test_what_was_written_is_read(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))
    if any(word in path.read_text() for word in ("NaN", "Infinity")):
        return  # of numbers, or in a text: the first is what is refused
    assert read_json(path) == value


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_is_not_quoted(tmp_path, word):
    path = tmp_path / "file.json"
    path.write_text(f'{{"secret": [4242, {word}]}}')
    with pytest.raises(RosterError, match="is not JSON; it was cut off or altered") as caught:
        read_json(path)
    assert "4242" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_members_that_are_missing_are_named():
    with pytest.raises(RosterError, match=r"A card has \['a'\], where \['a', 'b'\] belong"):
        as_object("A card", {"a": 1}, ("b", "a"))
    assert as_object("A card", {"a": 1}, ("a",)) == {"a": 1}


def test_texts_and_names_are_as_they_were():
    assert as_text("a name", "north") == "north"
    assert as_names("names", ["b", "a"]) == ("b", "a")
