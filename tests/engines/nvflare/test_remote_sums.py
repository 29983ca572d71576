"""The analyst's end of secure sums, and a key holder that answers what it likes."""

import struct

import numpy as np
import pytest
from stand_ins import ANALYST, HOLDER, HOSPITALS, Ring, shards

from sklearn_fedphe.engines.nvflare import key_holder
from sklearn_fedphe.engines.nvflare.key_holder import LENGTHS, NUMBER
from sklearn_fedphe.engines.nvflare.remote_sums import RemoteSums
from sklearn_fedphe.engines.nvflare.topics import AT_WORK, READY, Topic
from sklearn_fedphe.protocol import KEY_HOLDER, RefusedMessageError, observe
from sklearn_fedphe.protocol.queries import GramQuery, Slots, SquaresQuery, SumsQuery
from sklearn_fedphe.protocol.reading import read_query, read_total

SQUARES = SquaresQuery(np.zeros(2), 0.0)


@pytest.fixture
def ring(tmp_path, monkeypatch):
    monkeypatch.setattr(key_holder, "_PATIENCE", 0.01)
    made = Ring(tmp_path)
    made.open()
    yield made
    made.close()


@pytest.fixture
def recorded(ring):
    """A round's result, as the key holder told it, and the roster of the fit."""
    answers = []

    def ask(topic, body):
        answers.append(ring.tell(ANALYST, HOLDER, topic, body))
        return answers[-1]

    roster = ring.terms.roster_of(ring.sites[HOLDER].roster)
    sums = RemoteSums(roster, ask)
    sums.sum(SumsQuery())
    sums.sum(SQUARES)
    first, second = [answer for answer in answers if answer[:1] == READY]
    return roster, first, second


def test_sums_are_those_of_all_hospitals(ring):
    sums = ring.sums()
    X = np.concatenate([X for X, _ in shards().values()])
    total = sums.sum(SquaresQuery(np.zeros(2), 0.0))
    np.testing.assert_allclose(total[-3:-1], (X**2).sum(axis=0), rtol=1e-12)
    assert (sums.n_clients, sums.n_features, sums.n_rounds) == (3, 2, 1)
    integers = sums.exact_sum(GramQuery(Slots.EXACT))
    assert integers[0] == len(X)
    assert sums.n_rounds == 2


def test_bytes_of_running_sums_are_counted(ring):
    sums = ring.sums()
    sums.sum(SumsQuery())
    sent = [letter for letter in ring.letters if letter.topic == "sum"]
    bodies = [ring.seals[letter.target].open(letter.payload)[2][16:] for letter in sent]
    assert sums.running_sum_bytes == sum(map(len, bodies))


def test_an_observer_is_shown_queries_and_totals(ring):
    seen = []
    with observe(seen.append):
        sums = ring.sums()
    total = sums.sum(SumsQuery())
    assert [(one.kind, one.receiver) for one in seen] == [
        (kind, name) for kind in ("query", "total") for name in HOSPITALS
    ]
    assert {(one.round, one.sender) for one in seen} == {(1, KEY_HOLDER)}
    assert read_query(seen[0].payload, 2) == SumsQuery()
    np.testing.assert_array_equal(read_total(seen[-1].payload), total)


def test_the_analyst_asks_again_while_the_round_is_made(recorded):
    roster, first, _ = recorded
    asked, answers = [], [AT_WORK, AT_WORK, first]

    def ask(topic, body):
        asked.append((topic, body[: NUMBER.size]))
        return answers.pop(0)

    RemoteSums(roster, ask).sum(SumsQuery())
    assert asked == [(Topic.ASK, NUMBER.pack(1)), (Topic.WAIT, b""), (Topic.WAIT, b"")]


def test_a_total_of_another_query_is_refused(recorded):
    roster, first, _ = recorded
    message = "The key holder's total is of another query than the analyst asked; the fit ends"
    with pytest.raises(RefusedMessageError, match=message):
        RemoteSums(roster, lambda *_: first).sum(SQUARES)


def test_a_total_that_was_told_before_is_refused(recorded):
    roster, first, _ = recorded
    sums = RemoteSums(roster, lambda *_: first)
    sums.sum(SumsQuery())
    with pytest.raises(RefusedMessageError, match="for round 1 and waits for the query of round"):
        sums.sum(SumsQuery())


def test_a_total_of_a_later_round_is_refused(recorded):
    roster, _, second = recorded
    with pytest.raises(RefusedMessageError, match="the analyst refuses a query for round 2"):
        RemoteSums(roster, lambda *_: second).sum(SQUARES)


def test_a_total_that_was_altered_is_refused(recorded):
    roster, first, second = recorded
    question_bytes, _ = LENGTHS.unpack_from(second, 1)
    total_of_another = second[1 + LENGTHS.size + question_bytes :]
    start = 1 + LENGTHS.size + LENGTHS.unpack_from(first, 1)[0]
    for answer in (first[:-1], first + b"\0", first[:start] + total_of_another):
        with pytest.raises(RefusedMessageError, match="A total of"):
            RemoteSums(roster, lambda *_, answer=answer: answer).sum(SumsQuery())


@pytest.mark.parametrize("answer", [b"", READY, READY + b"\0" * 7, b"x" + b"\0" * 20])
def test_what_is_no_result_is_refused(recorded, answer):
    message = f"The key holder answered {len(answer)} bytes that are no result of a round; all"
    with pytest.raises(RefusedMessageError, match=message):
        RemoteSums(recorded[0], lambda *_: answer).sum(SumsQuery())


def test_lengths_that_reach_beyond_the_answer_are_refused(recorded):
    answer = READY + struct.pack(">II", 2**32 - 1, 0) + recorded[1][9:]
    with pytest.raises(RefusedMessageError, match="is of another query than"):
        RemoteSums(recorded[0], lambda *_: answer).sum(SumsQuery())
