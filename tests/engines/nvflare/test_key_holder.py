"""The key holder's part: rounds in order, within its policy, and what ends them."""

import hashlib
import logging
import threading

import numpy as np
import pytest
from stand_ins import (
    ANALYST,
    EAST,
    HOLDER,
    HOSPITALS,
    NORTH,
    SOUTH,
    Ring,
    audit_of,
    events_of,
    shards,
    wait_until,
)

from sklearn_fedphe.engines.nvflare import key_holder
from sklearn_fedphe.engines.nvflare.key_holder import LENGTHS, NUMBER
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.topics import AT_WORK, READY, Topic
from sklearn_fedphe.protocol import KeyHolder, RefusedMessageError
from sklearn_fedphe.protocol.envelope import TOTAL
from sklearn_fedphe.protocol.queries import GramQuery, Slots, SquaresQuery, SumsQuery
from sklearn_fedphe.protocol.query_bytes import query_to_bytes

SUMS = query_to_bytes(SumsQuery())
SQUARES = query_to_bytes(SquaresQuery(np.zeros(2), 0.0))
N_ROWS = sum(len(y) for _, y in shards().values())


@pytest.fixture
def ring(tmp_path, monkeypatch):
    monkeypatch.setattr(key_holder, "_PATIENCE", 0.01)
    made = Ring(tmp_path)
    yield made
    made.close()


def ask(ring, number, query=SUMS):
    return ring.tell(ANALYST, HOLDER, Topic.ASK, NUMBER.pack(number) + query)


def result_of(ring):
    """Wait as an analyst does."""
    answers = []

    def ask_again():
        return ring.tell(ANALYST, HOLDER, Topic.WAIT)

    wait_until(lambda: answers.append(ask_again()) or answers[-1] != AT_WORK)
    return answers[-1]


def test_a_round_is_asked_for_waited_for_and_told_with_its_query(ring):
    ring.open()
    assert ring.tell(ANALYST, HOLDER, Topic.WAIT) == AT_WORK  # nothing was asked yet
    assert ask(ring, 1)[:1] in (AT_WORK, READY)
    answer = result_of(ring)
    assert answer[:1] == READY
    question_bytes, sum_bytes = LENGTHS.unpack_from(answer, 1)
    content = answer[1 + LENGTHS.size :]
    assert content[:question_bytes].endswith(SUMS)
    assert sum_bytes == len(sum_of(ring))
    total = np.frombuffer(content[question_bytes + TOTAL.size :], "<f8")
    assert total[0] == N_ROWS


def test_the_same_question_again_is_the_same_round(ring):
    ring.open()
    ask(ring, 1)
    first = result_of(ring)
    assert ask(ring, 1) == ask(ring, 1) == first
    assert events_of(ring.sites[HOLDER]) == ["joined", "opened"]


@pytest.mark.parametrize("number", [0, 2, 2**32 - 1])
def test_a_round_out_of_order_is_refused(ring, number):
    ring.open()
    message = f"'trustee' waits for the query of round 1, and refuses one of round {number}"
    with pytest.raises(RefusedMessageError, match=message):
        ask(ring, number)
    ask(ring, 1)
    assert result_of(ring)[:1] == READY


def test_an_earlier_round_is_not_made_again(ring):
    ring.open()
    ask(ring, 1)
    result_of(ring)
    ask(ring, 2, SQUARES)
    second = result_of(ring)
    message = "waits for the query of round 3, and refuses one of round 1"
    with pytest.raises(RefusedMessageError, match=message):
        ask(ring, 1)
    assert ring.tell(ANALYST, HOLDER, Topic.WAIT) == second


def test_another_query_waits_until_the_round_is_told(ring):
    go_on = threading.Event()

    def hold_back(letter, deliver):
        if letter.topic == "sum":
            assert go_on.wait(5)
        return deliver(letter)

    ring.open()
    ring.post = hold_back
    assert ask(ring, 1) == AT_WORK
    for number in (1, 2):
        with pytest.raises(RefusedMessageError, match="is at round 1; ask when it is told"):
            ask(ring, number, SQUARES)
    go_on.set()
    assert result_of(ring)[:1] == READY


def test_a_query_off_its_policy_is_refused_noted_and_asked_of_nobody(tmp_path):
    ring = Ring(tmp_path, **{HOLDER: {"policy": SitePolicy(queries=("SumsQuery",), max_rounds=1)}})
    ring.open()
    gram = query_to_bytes(GramQuery(Slots.EXACT))
    with pytest.raises(RefusedMessageError, match="'trustee' refuses a GramQuery: its policy has"):
        ask(ring, 1, gram)
    line = audit_of(ring.sites[HOLDER])[-1]
    assert (line["event"], line["round"], line["query"]) == ("refused", 1, "GramQuery")
    assert "refuses a GramQuery" in line["why"]
    assert [letter for letter in ring.letters if letter.topic == "query"] == []
    ask(ring, 1)
    result_of(ring)
    with pytest.raises(RefusedMessageError, match="refuses round 2: its policy has max_rounds=1"):
        ask(ring, 2)
    ring.close()


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1", b"\0\0\0\1none"])
def test_what_is_no_query_is_refused(ring, body):
    ring.open()
    with pytest.raises(
        RefusedMessageError, match=r"refuses one of round 0|that are no query about"
    ):
        ring.tell(ANALYST, HOLDER, Topic.ASK, body)
    assert ring.parts[HOLDER].failure is None


def sum_of(ring):
    """The last running sum's message, as south sent it."""
    sent = [letter for letter in ring.letters if (letter.target, letter.topic) == (HOLDER, "sum")]
    return ring.seals[HOLDER].open(sent[-1].payload)[2][16:]


def test_a_running_sum_that_comes_again_after_its_round_is_left_aside(ring):
    """Its sender may not have had the answer, and must not take it for a refusal."""
    ring.open()
    ask(ring, 1)
    result_of(ring)
    first = sum_of(ring)
    assert ring.tell(SOUTH, HOLDER, Topic.SUM, first) == READY
    ask(ring, 2, SQUARES)
    result_of(ring)
    assert ring.tell(SOUTH, HOLDER, Topic.SUM, first) == READY
    assert events_of(ring.sites[HOLDER]) == ["joined", "opened", "opened"]


def test_a_running_sum_of_no_round_that_was_asked_for_is_refused(ring):
    ring.open()
    ask(ring, 1)
    result_of(ring)
    sent = sum_of(ring)
    message = "'trustee' refuses a running sum of another round than the one open"
    for number in (1, 2):
        other = sent[:2] + NUMBER.pack(number) + bytes(32) + sent[38:]
        with pytest.raises(RefusedMessageError, match=message):
            ring.tell(SOUTH, HOLDER, Topic.SUM, other)
    assert ring.parts[HOLDER].failure is None


def test_a_running_sum_before_any_round_is_refused(ring):
    ring.open()
    message = "'trustee' refuses a running sum of another round than the one open"
    with pytest.raises(RefusedMessageError, match=message):
        ring.tell(SOUTH, HOLDER, Topic.SUM, b"\1\2" + NUMBER.pack(1) + bytes(40))
    with pytest.raises(RefusedMessageError, match="A running sum of 4 bytes, where its header"):
        ring.tell(SOUTH, HOLDER, Topic.SUM, b"none")


def test_a_hospital_that_fails_in_a_round_ends_it_with_its_words(ring):
    ring.open()
    for name in HOSPITALS:
        ring.parts[name]._answer = lambda _: None
    assert ask(ring, 1) == AT_WORK
    question = ring.parts[HOLDER]._question
    other = hashlib.sha256(b"another query").digest()
    assert ring.tell(NORTH, HOLDER, Topic.FAILED, other + b"client 'north' fell.") == READY
    assert ring.tell(ANALYST, HOLDER, Topic.WAIT) == AT_WORK  # that was of another query
    told = hashlib.sha256(question).digest() + b"client 'north' fell \xff."
    assert ring.tell(NORTH, HOLDER, Topic.FAILED, told) == READY
    with pytest.raises(RefusedMessageError, match="client 'north' fell \ufffd"):
        ring.tell(ANALYST, HOLDER, Topic.WAIT)
    with pytest.raises(RefusedMessageError, match="client 'north' fell \ufffd"):
        ask(ring, 1)
    assert audit_of(ring.sites[HOLDER])[-1]["event"] == "failed"


def test_who_asks_while_a_hospital_fails_is_told_at_once(ring, monkeypatch):
    monkeypatch.setattr(key_holder, "_PATIENCE", 30.0)
    ring.open()

    def fail(*_):
        raise ValueError("client 'north' fell.")

    monkeypatch.setattr(ring.parts[NORTH]._client, "encode", fail, raising=False)
    with pytest.raises(RefusedMessageError, match="client 'north' fell"):
        ask(ring, 1)


@pytest.mark.parametrize("topic", ["query", "total"])
def test_a_hospital_that_gives_no_answer_is_named(ring, topic):
    def lose(letter, deliver):
        return None if (letter.target, letter.topic) == (EAST, topic) else deliver(letter)

    ring.open()
    ring.post = lose
    with pytest.raises(RefusedMessageError) as refusal:
        ring.sums().sum(SumsQuery())
    assert str(refusal.value) == (
        "the key holder 'trustee' waited: 'east' gave no answer in 15 s."
    )


def test_a_total_that_does_not_decode_is_told_to_nobody(ring, monkeypatch, caplog):
    def fail(*_):
        raise ArithmeticError("271.8")

    ring.open()
    monkeypatch.setattr(KeyHolder, "open_total", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(RefusedMessageError) as refusal:
        ring.sums().sum(SumsQuery())
    assert str(refusal.value) == (
        "the key holder 'trustee' failed with an unexpected ArithmeticError; see its own log."
    )
    assert [letter for letter in ring.letters if letter.topic == "total"] == []


def test_a_key_that_is_not_the_rosters_is_refused(tmp_path):
    from sklearn_fedphe.engines.nvflare.keys import make_paillier_key

    make_paillier_key(tmp_path / "key", 1024)
    ring = Ring(tmp_path, **{HOLDER: {"key_file": tmp_path / "key"}})
    message = r"^the key holder 'trustee': The public key .* is not the one on the roster"
    with pytest.raises(RefusedMessageError, match=message):
        ring.open(names=[HOLDER])
    ring.close()


def test_leaving_wakes_a_round_that_waits(ring):
    ring.open()
    for name in HOSPITALS:
        ring.parts[name]._answer = lambda _: None
    assert ask(ring, 1) == AT_WORK
    holder = ring.parts[HOLDER]
    holder.leave("the key holder 'trustee' left: the job was ended.")
    holder.close()
    holder._worker.shutdown()
    holder._to_all.shutdown()
    assert events_of(ring.sites[HOLDER]) == ["joined", "failed"]
    with pytest.raises(RefusedMessageError, match="left: the job was ended"):
        ask(ring, 1)


def test_closing_wakes_a_round_that_waits_though_the_analyst_said_it_is_over(ring):
    ring.open()
    for name in HOSPITALS:
        ring.parts[name]._answer = lambda _: None
    assert ask(ring, 1) == AT_WORK
    assert ring.tell(ANALYST, HOLDER, Topic.END) == READY
    holder = ring.parts[HOLDER]
    holder.close()
    holder._worker.shutdown()
    assert holder.failure == "the key holder 'trustee' has left: the job is over."
    assert events_of(ring.sites[HOLDER]) == ["joined", "ended"]
