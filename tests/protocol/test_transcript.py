"""One round, one answer: what each party refuses of the others' messages."""

import hashlib
import re
import struct
from dataclasses import replace

import numpy as np
import pytest

from sklearn_fedphe.protocol import DisclosureRules, RefusedMessageError, Roster
from sklearn_fedphe.protocol.envelope import QueryHeader
from sklearn_fedphe.protocol.messages import total_to_bytes
from sklearn_fedphe.protocol.transcript import Transcript

RULES = DisclosureRules(3, min_rows=2)
ROSTER = Roster(b"s" * 16, b"f" * 32, 2, {label: label.encode() * 32 for label in "ABC"}, RULES)


@pytest.fixture
def key_holder():
    return Transcript(ROSTER, "the key holder")


@pytest.fixture
def client():
    return Transcript(ROSTER, "client 'A'")


def total_for(party, value=1.0):
    return total_to_bytes(np.array([value]), party.round)


def refused(text):
    return pytest.raises(RefusedMessageError, match=re.escape(text))


def body_of(body, round_number):
    assert round_number >= 1
    return body


def play(key_holder, *clients):
    """A round as it should be."""
    question = key_holder.ask(b"query")
    assert all(client.answer(question, body_of) == b"query" for client in clients)
    total = total_for(key_holder)
    for party in (key_holder, *clients):
        party.close(total)


def test_parties_that_hear_the_same_go_on_together(key_holder, client):
    other = Transcript(ROSTER, "client 'B'")
    for number in range(1, 4):
        play(key_holder, client, other)
        assert key_holder._number == client._number == number


def test_all_parties_name_a_round_alike_and_no_two_rounds(key_holder, client):
    ids = set()
    for body in (b"query", b"query", b"other"):
        client.answer(key_holder.ask(body), body_of)
        assert client.round == key_holder.round
        assert len(client.round.mask_id) == 52
        ids.add(client.round.mask_id)
        for party in (client, key_holder):
            party.close(total_for(party))
    assert len(ids) == 3


def test_refuses_a_query_of_another_session(client):
    other = replace(ROSTER, session=b"t" * 16)
    question = Transcript(other, "the key holder").ask(b"query")

    with refused(
        f"client 'A' refuses a query of session {other.session.hex()} and takes part in "
        f"{ROSTER.session.hex()}. The fit ends here; begin a new one."
    ):
        client.answer(question, body_of)


@pytest.mark.parametrize(
    "change",
    [
        {"n_features": 3},
        {"rules": DisclosureRules(3, min_rows=1)},
        {"key_fingerprint": b"g" * 32},
        {"identities": ROSTER.identities | {"D": b"D" * 32}},
        {"identities": ROSTER.identities | {"C": b"D" * 32}},
        {"identities": dict(reversed(ROSTER.identities.items()))},
    ],
    ids=["features", "rules", "key", "joined", "another identity", "order"],
)
def test_refuses_a_query_of_another_roster(client, change):
    other = replace(ROSTER, **change)
    question = Transcript(other, "the key holder").ask(b"query")

    with refused(
        f"client 'A' refuses a query of the roster {other.digest.hex()} and agreed to "
        f"{ROSTER.digest.hex()}: somebody joined or left, or the columns or the key are others"
    ):
        client.answer(question, body_of)


def test_answers_a_round_once(key_holder, client):
    question = key_holder.ask(b"query")
    client.answer(question, body_of)

    text = "client 'A' refuses a query for round 1 and waits for the total of round 1; it answers"
    with refused(text):
        client.answer(question, body_of)
    client.close(total_for(client))
    with refused("for round 1 and waits for the query of round 2; it answers each round once"):
        client.answer(question, body_of)


def test_refuses_a_round_ahead(key_holder, client):
    play(key_holder)
    with refused("for round 2 and waits for the query of round 1"):
        client.answer(key_holder.ask(b"query"), body_of)


@pytest.mark.parametrize("told", ["another total", "another query"])
def test_refuses_to_go_on_where_others_were_told_something_else(key_holder, client, told):
    question = key_holder.ask(b"query")
    if told == "another query":
        header, _ = QueryHeader.open(question)
        client.answer(header.seal(b"other"), body_of)
    else:
        client.answer(question, body_of)
    client.close(total_for(client, 1.0 if told == "another query" else 2.0))
    key_holder.close(total_for(key_holder))

    with refused(
        "client 'A' refuses a query for round 2 that builds on other queries or totals than it "
        "was told: the key holder must tell all clients the same"
    ):
        client.answer(key_holder.ask(b"query"), body_of)


def test_hears_no_total_of_another_round(key_holder, client):
    client.answer(key_holder.ask(b"query"), body_of)
    of_other = replace(client.round, number=2)

    with refused("A total of round 2"):
        client.close(total_to_bytes(np.zeros(1), of_other))


def test_hears_no_total_where_no_round_is_open(key_holder, client):
    client.answer(key_holder.ask(b"query"), body_of)
    total = total_for(client)
    client.close(total)

    with refused("client 'A' refuses a message where no round is open: it waits for the query of"):
        client.close(total)


def test_asks_nothing_new_before_the_total_is_told(key_holder):
    key_holder.ask(b"query")
    with refused("the key holder asks nothing new before the total of round 1 is told."):
        key_holder.ask(b"query")


def test_the_digest_of_a_roster_is_that_of_its_documented_parts():
    parts = [b"s" * 16, b"f" * 32, struct.pack(">I", 2), repr(RULES).encode()]
    for label in "ABC":
        parts += [f"str:{label!r}".encode(), label.encode() * 32]
    data = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    assert ROSTER.digest == hashlib.sha256(b"sklearn_fedphe/v1/roster" + data).digest()


def test_labels_of_different_kinds_make_different_rosters():
    identities = [bytes([i]) * 32 for i in range(3)]
    digests = {
        replace(ROSTER, identities=dict(zip(labels, identities, strict=True))).digest
        for labels in ([1, 2, 3], ["1", "2", "3"], [1.0, 2.0, 3.0])
    }
    assert len(digests) == 3


@pytest.mark.parametrize("labels", ["A", "AB"])
def test_no_ring_of_fewer_than_three(labels):
    identities = {label: label.encode() * 32 for label in labels}
    with pytest.raises(
        ValueError,
        match=f"A ring of {len(labels)} clients, where at least 3 are needed: of 2, each would",
    ):
        replace(ROSTER, identities=identities)


def test_no_two_clients_with_one_identity():
    with pytest.raises(ValueError, match="clients 'A' and 'C' have the same identity; each must"):
        replace(ROSTER, identities=ROSTER.identities | {"C": b"A" * 32})


@pytest.mark.parametrize(
    "change",
    [
        {"session": b"s" * 15},
        {"key_fingerprint": b"f" * 31},
        {"identities": ROSTER.identities | {"A": b"A" * 33}},
    ],
    ids=["session", "key", "identity"],
)
def test_parts_of_a_roster_have_their_lengths(change):
    with pytest.raises(ValueError, match="where they have 16, 32 and 32 each"):
        replace(ROSTER, **change)


def test_nobody_is_added_to_a_roster_by_hand():
    identities = dict(ROSTER.identities)
    roster = replace(ROSTER, identities=identities)
    identities["D"] = b"D" * 32

    assert roster == ROSTER
    with pytest.raises(TypeError):
        roster.identities["D"] = b"D" * 32


def test_a_query_that_is_refused_on_reading_opens_no_round(key_holder, client):
    def refuse(body, round_number):
        raise RefusedMessageError(f"{body} in round {round_number}")

    question = key_holder.ask(b"query")
    with refused("b'query' in round 1"):
        client.answer(question, refuse)
    client.answer(question, body_of)
