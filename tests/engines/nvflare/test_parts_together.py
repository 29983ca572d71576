"""All parts of a study, and a server between them that delivers as it likes."""

import threading

import numpy as np
import pytest
from stand_ins import (
    ANALYST,
    EAST,
    HOLDER,
    HOSPITALS,
    KEY_LENGTH,
    NORTH,
    OTHER_ANALYST,
    PARTIES,
    SECRET,
    SOUTH,
    Ring,
    audit_of,
    events_of,
    shards,
)

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare.topics import READY, Topic
from sklearn_fedphe.protocol import RefusedMessageError
from sklearn_fedphe.protocol.envelope import RUNNING_SUM, TOTAL
from sklearn_fedphe.protocol.queries import SumsQuery
from sklearn_fedphe.protocol.query_bytes import query_to_bytes

FITS = [
    {"max_iter": 4, "tol": None},
    {"solver": "normal_equations"},
    {"init": "local", "max_iter": 2, "tol": None, "precondition": False, "learning_rate": 1e-4},
]


@pytest.fixture
def ring(tmp_path):
    made = Ring(tmp_path)
    yield made
    made.close()


def check_fit(ring, given):
    est = FederatedLinearRegression(key_length=KEY_LENGTH, **given).fit(ring)
    local = FederatedLinearRegression(key_length=KEY_LENGTH, **given).fit(shards())
    np.testing.assert_array_equal(est.coef_, local.coef_)
    assert est.intercept_ == local.intercept_
    assert est.n_rounds_ == local.n_rounds_
    assert [part.failure for part in ring.parts.values()] == [None] * 4


@pytest.mark.parametrize("given", FITS)
def test_a_fit_is_that_of_the_shards(ring, given):
    check_fit(ring, given)


@pytest.mark.parametrize("given", FITS)
def test_a_fit_whose_messages_all_come_twice_is_the_same(ring, given):
    def twice(letter, deliver):
        deliver(letter)
        return deliver(letter)

    ring.post = twice
    check_fit(ring, given)
    assert all(events_of(site).count("ended") == 1 for site in ring.sites.values())


def test_a_fit_whose_answers_are_all_lost_once_is_the_same(ring):
    lost = set()

    def lose(letter, deliver):
        answer = deliver(letter)
        if letter.payload in lost:
            return answer
        lost.add(letter.payload)
        return None

    ring.post = lose
    check_fit(ring, FITS[0])


def test_a_fit_where_all_that_came_before_comes_again_is_the_same(ring):
    """After a message, and all over: of earlier rounds too."""
    replaying = threading.Lock()
    sent = []

    def replay(letter, deliver):
        answer = deliver(letter)
        with replaying:
            for earlier in [*sent, letter]:
                deliver(earlier)
            if letter.topic != Topic.WAIT.value:
                sent.append(letter)
        return answer

    ring.post = replay
    check_fit(ring, {"max_iter": 1, "tol": None})


def test_a_fit_in_which_messages_of_an_earlier_one_come_again_is_the_same(tmp_path):
    first = Ring(tmp_path)
    check_fit(first, FITS[0])
    first.close()
    again = Ring(tmp_path)
    heard = []

    def replay(letter, deliver):
        heard.extend(again_to(deliver, first.letters))
        return deliver(letter)

    def again_to(deliver, letters):
        return [deliver(old)[:1] for old in letters if old.topic != Topic.WAIT.value]

    again_to(again.deliver, first.letters)
    assert all(part.failure is None for part in again.parts.values())
    again.post = replay
    check_fit(again, FITS[1])
    again.close()
    assert heard


def test_what_is_of_another_fit_is_refused_by_name(tmp_path):
    first = Ring(tmp_path)
    first.open()
    old = first.terms
    first.close()
    again = Ring(tmp_path)
    again.open()
    for name in PARTIES:
        with pytest.raises(RefusedMessageError, match=f"'{name}' refuses 'end' of another fit"):
            again.sender(ANALYST)(name, Topic.END, old.session)
        assert not again.parts[name].has_ended
    again.close()


@pytest.mark.parametrize("name", PARTIES)
def test_terms_of_an_earlier_fit_are_refused_and_new_ones_taken(tmp_path, name):
    first = Ring(tmp_path)
    old = first.open()
    first.close()
    again = Ring(tmp_path)
    kind = "the key holder" if name == HOLDER else "client"
    message = f"{kind} '{name}' has taken part in session {old.session.hex()} before, and masks"
    with pytest.raises(RefusedMessageError, match=message):
        again.sender(ANALYST)(name, Topic.OPEN, old.to_bytes())
    assert audit_of(again.sites[name])[-1]["event"] == "refused"
    again.open()
    assert events_of(again.sites[name]) == ["joined", "refused", "joined"]
    again.close()


@pytest.mark.parametrize("late", [EAST, SOUTH])
def test_a_sum_that_runs_ahead_of_its_query_waits_for_it(ring, late):
    has_sum = threading.Event()
    order = []

    def hold_back(letter, deliver):
        if letter.target == late and letter.topic == Topic.QUERY.value:
            assert has_sum.wait(5)
        answer = deliver(letter)
        if letter.target == late and letter.topic in (Topic.QUERY.value, Topic.SUM.value):
            order.append(letter.topic)
            has_sum.set()
        return answer

    ring.post = hold_back
    check_fit(ring, FITS[1])
    assert order == ["sum", "query"]


@pytest.mark.parametrize("topic", [Topic.QUERY, Topic.TOTAL])
def test_a_query_or_total_that_comes_late_to_one_holds_up_the_others(ring, topic):
    def delay(letter, deliver):
        if letter.topic == topic.value and letter.target == NORTH:
            threading.Event().wait(0.02)
        return deliver(letter)

    ring.post = delay
    check_fit(ring, FITS[0])


WRONG = [
    (NORTH, Topic.QUERY, b"", ANALYST, "client 'north' takes 'query' from 'trustee', and refuses"),
    (NORTH, Topic.QUERY, b"", EAST, "client 'north' takes 'query' from 'trustee', and refuses"),
    (EAST, Topic.SUM, b"", HOLDER, "client 'east' takes 'sum' from 'north', and refuses it from"),
    (EAST, Topic.SUM, b"", SOUTH, "client 'east' takes 'sum' from 'north', and refuses it from"),
    (NORTH, Topic.SUM, b"", SOUTH, "client 'north' takes 'sum' from nobody, and refuses it from"),
    (SOUTH, Topic.TOTAL, b"", ANALYST, "client 'south' takes 'total' from 'trustee', and refuses"),
    (SOUTH, Topic.END, b"", HOLDER, f"client 'south' takes 'end' from '{ANALYST}', and refuses"),
    (SOUTH, Topic.END, b"", OTHER_ANALYST, f"client 'south' takes 'end' from '{ANALYST}', and"),
    (SOUTH, Topic.ASK, b"", ANALYST, "client 'south' takes no 'ask'"),
    (SOUTH, Topic.WAIT, b"", ANALYST, "client 'south' takes no 'wait'"),
    (SOUTH, Topic.FAILED, b"", NORTH, "client 'south' takes no 'failed'"),
    (HOLDER, Topic.ASK, b"", OTHER_ANALYST, f"key holder 'trustee' takes 'ask' from '{ANALYST}'"),
    (HOLDER, Topic.WAIT, b"", NORTH, f"key holder 'trustee' takes 'wait' from '{ANALYST}', and"),
    (HOLDER, Topic.SUM, b"", NORTH, "the key holder 'trustee' takes 'sum' from 'south', and"),
    (
        HOLDER,
        Topic.FAILED,
        b"",
        ANALYST,
        "'failed' from 'north' or 'east' or 'south', and refuses",
    ),
    (HOLDER, Topic.END, b"", SOUTH, f"key holder 'trustee' takes 'end' from '{ANALYST}', and"),
    (HOLDER, Topic.QUERY, b"", NORTH, "the key holder 'trustee' takes no 'query'"),
    (HOLDER, Topic.TOTAL, b"", NORTH, "the key holder 'trustee' takes no 'total'"),
]


def test_what_comes_from_who_does_not_send_it_is_refused_by_name(ring):
    ring.open()
    for receiver, topic, body, sender, message in WRONG:
        with pytest.raises(RefusedMessageError) as refusal:
            ring.tell(sender, receiver, topic, body)
        assert message in str(refusal.value)
    check_sums(ring)


def check_sums(ring):
    """All parts go on as if nothing had been."""
    total = ring.sums().sum(SumsQuery())
    assert total[0] == sum(len(y) for _, y in shards().values())


def test_terms_come_from_an_analyst_of_the_roster(ring):
    message = "client 'east' takes terms from analysts of the roster, not from 'north'"
    with pytest.raises(RefusedMessageError, match=message):
        ring.open(names=[EAST], analyst=NORTH)
    (line,) = audit_of(ring.sites[EAST])
    assert line["event"] == "refused"
    assert line["analyst"] == NORTH
    assert line["study"] == ring.terms.session.hex()
    ring.open()
    check_sums(ring)


def test_one_job_is_for_one_fit(ring):
    taken = ring.open()
    for analyst in (ANALYST, OTHER_ANALYST):
        with pytest.raises(RefusedMessageError, match="takes part in one fit a job, and refuses"):
            ring.open(analyst=analyst)
    with pytest.raises(RefusedMessageError, match="takes part in one fit a job, and refuses"):
        ring.sender(OTHER_ANALYST)(NORTH, Topic.OPEN, taken.to_bytes())
    ring.terms = taken
    check_sums(ring)


@pytest.mark.parametrize("name", PARTIES)
@pytest.mark.parametrize("topic", [topic for topic in Topic if topic is not Topic.OPEN])
def test_nothing_is_taken_before_the_terms(ring, name, topic):
    with pytest.raises(RefusedMessageError, match=f"refuses '{topic.value}' before it has joined"):
        ring.tell(ANALYST, name, topic)


def test_a_topic_that_is_none_is_refused(ring):
    with pytest.raises(RefusedMessageError, match="'sing' is not a valid Topic"):
        ring.sender(ANALYST)(NORTH, type("Sung", (), {"value": "sing"}), b"")


def test_sealed_messages_show_nothing_of_what_is_in_them(ring):
    check_fit(ring, FITS[0])
    seen = b"".join(letter.payload for letter in ring.letters)
    assert ring.terms.session not in seen
    assert query_to_bytes(SumsQuery()) not in seen
    assert np.float64(SECRET).tobytes() not in seen
    assert RUNNING_SUM.seal(b"", 1, b"", 1, 1)[:6] not in seen
    assert TOTAL.seal(b"", 1, b"")[:6] not in seen


def test_audit_logs_say_what_each_party_did_and_no_values(ring):
    check_fit(ring, FITS[1])
    for name in HOSPITALS:
        assert events_of(ring.sites[name]) == ["joined", "answered", "ended"]
    assert events_of(ring.sites[HOLDER]) == ["joined", "opened", "ended"]
    answered, opened = audit_of(ring.sites[NORTH])[1], audit_of(ring.sites[HOLDER])[1]
    for line in (answered, opened):
        assert line["analyst"] == ANALYST
        assert line["study"] == ring.terms.session.hex()
        assert (line["round"], line["query"]) == (1, "GramQuery")
        assert len(line["digest"]) == 64
    assert answered.keys() == {
        "time", "event", "study", "analyst", "round", "query", "sent", "digest"
    }  # fmt: skip
    assert answered["sent"] > opened["sent"]


def test_what_a_part_is_told_after_the_end_changes_nothing(ring):
    check_fit(ring, FITS[1])
    for name in PARTIES:
        assert ring.tell(ANALYST, name, Topic.END) == READY
        assert ring.parts[name].has_ended
        assert events_of(ring.sites[name]).count("ended") == 1
