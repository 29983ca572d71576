import copy
import dataclasses
import hashlib
import pickle
import re
import shutil
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from nvflare.lighter import utils

from sklearn_fedphe.engines.nvflare.sealed import Seal
from sklearn_fedphe.protocol import RefusedMessageError

PARTIES = ("north", "east", "south", "trustee", "analyst@study.org")
BODY = b"a running sum, say"


@pytest.fixture(scope="module")
def seals(party_files, pinned):
    return {name: Seal(pinned, name, party_files.kits / name) for name in PARTIES}


@pytest.fixture(scope="module")
def message(seals):
    return seals["north"].close("east", b"sum", BODY)


def from_whom(message):
    """Take a message apart by hand: two bytes of length, the name, the rest."""
    length = int.from_bytes(message[:2], "big")
    return message[2 : 2 + length].decode(), message[2 + length :]


def named(name, sealed):
    return len(name.encode()).to_bytes(2, "big") + name.encode() + sealed


def refused(name):
    text = f"'{name}' cannot open a message: its sender is not on the roster as it has it, or it"
    return pytest.raises(RefusedMessageError, match=f"^{text} was altered on the way. Compare")


@given(
    st.sampled_from(PARTIES),
    st.sampled_from(PARTIES),
    st.binary(max_size=300),
    st.binary(max_size=300),
)
def test_a_message_is_opened_by_its_receiver_and_says_whose_it_is(
    seals, sender, receiver, topic, body
):
    message = seals[sender].close(receiver, topic, body)
    assert seals[receiver].open(message) == (sender, topic, body)
    answer = seals[receiver].close_answer(sender, message, body)
    assert seals[sender].open_answer(receiver, message, answer) == body


def test_the_way_sees_the_sender_and_nothing_of_the_content(message):
    sender, sealed = from_whom(message)
    assert sender == "north"
    assert BODY not in sealed
    assert b"sum" not in sealed
    assert b"request" not in sealed


def test_two_messages_of_one_content_differ(seals, message):
    again = seals["north"].close("east", b"sum", BODY)
    assert from_whom(again)[1][:40] != from_whom(message)[1][:40]


@pytest.mark.parametrize("name", ["south", "trustee", "north"])
def test_nobody_but_the_receiver_opens_a_message(seals, message, name):
    with refused(name):
        seals[name].open(message)


@pytest.mark.parametrize("name", ["south", "east", "analyst@study.org", "eve", "", "nørth"])
def test_a_forged_name_is_refused(seals, message, name):
    with refused("east"):
        seals["east"].open(named(name, from_whom(message)[1]))


def test_every_byte_counts(seals, message):
    for place in range(len(message)):
        altered = bytearray(message)
        altered[place] ^= 1 << place % 8
        with refused("east"):
            seals["east"].open(bytes(altered))


@pytest.mark.parametrize("kept", [0, 1, 2, 5, 7, 8, 100, 300, 540, 560, -16, -1])
def test_a_message_cut_off_is_refused(seals, message, kept):
    with refused("east"):
        seals["east"].open(message[:kept])


def test_a_message_with_more_behind_it_is_refused(seals, message):
    with refused("east"):
        seals["east"].open(message + b"\0")


def test_a_name_that_is_no_text_is_refused(seals, message):
    with refused("east"):
        seals["east"].open(b"\0\1\xff" + from_whom(message)[1])


def test_parts_of_two_messages_are_not_put_together(seals, message):
    other = seals["north"].close("east", b"sum", BODY[::-1])
    assert len(other) == len(message)
    for cut in (20, 276, 532):
        with refused("east"):
            seals["east"].open(message[:cut] + other[cut:])


def test_an_answer_is_no_message_and_a_message_no_answer(seals, message):
    answer = seals["east"].close_answer("north", message, b"ready")
    with refused("north"):
        seals["north"].open(answer)
    with pytest.raises(RefusedMessageError, match="came as an answer from 'east' is none of its"):
        seals["north"].open_answer("east", message, seals["east"].close("north", b"", b""))


def test_an_answer_to_another_message_is_refused(seals, message):
    earlier = seals["north"].close("east", b"sum", BODY)
    answer = seals["east"].close_answer("north", earlier, b"ready")
    assert seals["north"].open_answer("east", earlier, answer) == b"ready"
    text = "What came as an answer from 'east' is none of its to this message; somebody on the way"
    with pytest.raises(RefusedMessageError, match=text):
        seals["north"].open_answer("east", message, answer)


def test_an_answer_of_another_party_is_refused(seals, message):
    answer = seals["south"].close_answer("north", message, b"ready")
    with pytest.raises(RefusedMessageError, match="an answer from 'east' is none of its"):
        seals["north"].open_answer("east", message, answer)
    with refused("north"):
        seals["north"].open_answer("east", message, named("east", from_whom(answer)[1]))


def test_a_message_is_not_sent_on_as_ones_own(seals, message):
    """Who opened it may seal it anew, and is then its sender."""
    _, topic, body = seals["east"].open(message)
    assert seals["south"].open(seals["east"].close("south", topic, body))[0] == "east"


@pytest.mark.parametrize("content", [b"", b"sklearn_fedphe/v1/request", b"other" * 9])
def test_what_is_sealed_but_no_message_is_refused(seals, content):
    with refused("east"):
        seals["east"].open(seals["north"]._enveloped("east", content))


def test_who_is_not_on_the_roster_is_sent_nothing(seals):
    with pytest.raises(KeyError):
        seals["north"].close("eve", b"sum", b"")


def certified(party_files, folder, name):
    """Write a kit whose certificate for `name` is by an authority of another project."""
    startup = shutil.copytree(party_files.kits / "north" / "startup", folder / "startup")
    key = load_pem_private_key((startup / "client.key").read_bytes(), None)
    begins = datetime(2020, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "eve")]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(begins.replace(year=2900))
        .sign(key, SHA256())
    )
    (startup / "client.crt").write_bytes(made.public_bytes(Encoding.PEM))
    return folder


def test_another_certificate_of_the_same_name_is_refused(party_files, pinned, tmp_path):
    kit = certified(party_files, tmp_path, "north")
    text = f"The certificate of 'north' in {kit / 'startup'} is not the one on the roster; it was "
    with pytest.raises(ValueError, match=text + "renewed, or this is another's kit"):
        Seal(pinned, "north", kit)
    with pytest.raises(ValueError, match="is not the one on the roster"):
        Seal(pinned, "east", party_files.kits / "north")


def test_a_key_of_another_certificate_is_refused(party_files, pinned, tmp_path):
    startup = shutil.copytree(party_files.kits / "north" / "startup", tmp_path / "startup")
    shutil.copy(party_files.kits / "east" / "startup" / "client.key", startup)
    with pytest.raises(ValueError, match="is not that of the certificate of 'north'; get a new"):
        Seal(pinned, "north", tmp_path)


def pinned_instead(pinned, kit):
    """Return the roster with the certificate of a kit in the place of north's."""
    pem = (kit / "startup" / "client.crt").read_text()
    north = dataclasses.replace(pinned.hospitals["north"], certificate=pem)
    return dataclasses.replace(pinned, hospitals={**pinned.hospitals, "north": north})


def test_a_certificate_of_another_authority_is_refused(party_files, pinned, tmp_path, seals):
    kit = certified(party_files, tmp_path, "north")
    roster = pinned_instead(pinned, kit)
    text = "The certificate of 'north' has expired, or is not of this kit's project; get new kits"
    with pytest.raises(ValueError, match=text):
        Seal(roster, "north", kit)
    east = Seal(roster, "east", party_files.kits / "east")
    with pytest.raises(ValueError, match=text):
        east.close("north", b"sum", b"")
    with refused("east"):
        east.open(seals["north"].close("east", b"sum", BODY))


def test_a_certificate_that_has_expired_seals_nothing(party_files, pinned, monkeypatch):
    monkeypatch.setattr(utils, "_utc_now", lambda: datetime(2999, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="The certificate of 'north' has expired"):
        Seal(pinned, "north", party_files.kits / "north")


def test_the_key_stays_in_its_process(seals, party_files):
    seal = seals["north"]
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="the certificate's key would leave its party"):
            leave(seal)
    pem = (party_files.kits / "north" / "startup" / "client.key").read_text()
    secret = load_pem_private_key(pem.encode(), None).private_numbers()
    assert not re.search(f"{secret.p}|{secret.p:x}|{secret.d}", repr(seal))


def test_an_answer_names_its_message_by_sha_256(seals, message):
    answer = seals["east"].close_answer("north", message, b"ready")
    _, content = seals["north"]._opened(answer)
    assert content.endswith(hashlib.sha256(message).digest() + b"ready")


def test_who_strips_a_signature_cannot_sign_what_another_wrote(seals):
    """Ciphertexts name both parties inside: unread, they are nobody else's."""
    content = b"sklearn_fedphe/v1/request" + b"\0\5north\0\4east\0\3sumbody"
    name = b"\0\5south"
    certificate = seals["south"]._roster.certificate("east")
    sealed = seals["south"]._cipher.encrypt(content, x509.load_pem_x509_certificates(certificate))
    with pytest.raises(RefusedMessageError, match="'east' cannot open a message"):
        seals["east"].open(name + bytes(sealed))
