"""A hospital's part: what it refuses to join, how it fails, and what it says of it."""

import dataclasses
import logging
import threading

import numpy as np
import pytest
from stand_ins import (
    ANALYST,
    EAST,
    HOLDER,
    KEY_LENGTH,
    NORTH,
    PLAN,
    SECRET,
    SOUTH,
    Ring,
    audit_of,
    events_of,
    shards,
    study,
    wait_until,
    write_rows,
)

from sklearn_fedphe import GaussianPrivacy
from sklearn_fedphe.engines.nvflare import terms as terms_module
from sklearn_fedphe.engines.nvflare.hospital import HospitalPart
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.refusals import TooManyRefusalsError
from sklearn_fedphe.engines.nvflare.terms import Terms
from sklearn_fedphe.engines.nvflare.topics import AT_WORK, READY, Topic
from sklearn_fedphe.federation import Plan
from sklearn_fedphe.own_steps import OwnSteps
from sklearn_fedphe.protocol import Client, DisclosureRules, RefusedMessageError
from sklearn_fedphe.protocol.queries import SquaresQuery, SumsQuery


@pytest.fixture
def ring(tmp_path):
    made = Ring(tmp_path)
    yield made
    made.close()


@pytest.fixture
def east_with(tmp_path):
    """A ring whose east has settings of its own."""
    made = []

    def ring(**changes):
        made.append(Ring(tmp_path, **{EAST: changes}))
        return made[-1]

    yield ring
    for one in made:
        one.close()


def refusal_to_open(ring, plan=PLAN):
    with pytest.raises(RefusedMessageError) as refusal:
        ring.open(plan, names=[EAST])
    return str(refusal.value)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            SitePolicy(min_rows=5),
            "refuses a fit of min_rows=3: its policy has min_rows=5.",
        ),
        (SitePolicy(privacy_required=True), "refuses a fit without privacy: its policy has priv"),
        (SitePolicy(analysts=("bob@study.org",)), f"refuses a fit by '{ANALYST}'"),
    ],
)
def test_its_policy_refuses_a_fit_before_anything_is_loaded(east_with, policy, message):
    ring = east_with(policy=policy)
    assert message in refusal_to_open(ring)
    assert (ring.sites[EAST].state / "sessions").read_text() == ""
    (line,) = audit_of(ring.sites[EAST])
    assert line["event"] == "refused"
    assert message in line["why"]
    assert ring.parts[EAST].failure is None


def test_its_policy_limits_what_noise_may_cost(east_with):
    ring = east_with(policy=SitePolicy(max_epsilon=0.5))
    privacy = GaussianPrivacy(epsilon=1.0, delta=1e-6, bounds_X=(0.0, 1.0), bounds_y=(0.0, 1.0))
    plan = Plan(DisclosureRules(privacy=privacy), KEY_LENGTH)
    found = refusal_to_open(ring, plan)
    assert "client 'east' refuses a fit of epsilon=1.0: its policy has max_epsilon=0.5" in found


def test_another_version_is_refused(ring, monkeypatch):
    def open_from(version):
        monkeypatch.setattr(terms_module, "__version__", version)
        terms = terms_module.Terms.propose(PLAN, ring.sites[EAST].roster)
        data = terms.to_bytes()
        monkeypatch.undo()
        return ring.sender(ANALYST)(EAST, Topic.OPEN, data)

    with pytest.raises(RefusedMessageError, match=r"client 'east' runs version .* comes from"):
        open_from("0.0.0")
    assert ring.parts[EAST].failure is None


def test_another_roster_is_refused_with_both_digests(ring):
    roster = ring.sites[EAST].roster
    other = dataclasses.replace(roster, features=("age", "weight"))
    terms = terms_module.Terms.propose(PLAN, other)
    with pytest.raises(RefusedMessageError) as refusal:
        ring.sender(ANALYST)(EAST, Topic.OPEN, terms.to_bytes())
    assert str(refusal.value) == (
        f"client 'east' has the roster {roster.digest.hex()}, and the analyst "
        f"{other.digest.hex()}; all parties need the same file."
    )
    assert events_of(ring.sites[EAST]) == ["refused"]


def test_rows_without_a_column_are_refused_by_its_name(east_with, tmp_path):
    write_rows(tmp_path / "rows.csv", *shards()[EAST], columns=("age", "weight", "outcome"))
    ring = east_with(data_file=tmp_path / "rows.csv")
    found = refusal_to_open(ring)
    assert found == "client 'east': its file has no columns ['dose']; run doctor there."
    assert events_of(ring.sites[EAST]) == ["failed"]
    assert audit_of(ring.sites[EAST])[0]["why"] == found
    with pytest.raises(RefusedMessageError, match="its file has no columns"):
        ring.tell(HOLDER, EAST, Topic.QUERY)


def test_fewer_rows_than_were_agreed_on_are_refused(east_with):
    ring = east_with()
    plan = Plan(DisclosureRules(3, 100), KEY_LENGTH)
    assert "client 'east' refuses to take part: it has fewer rows than min" in refusal_to_open(
        ring, plan
    )


def test_steps_of_its_own_that_diverge_are_told_without_a_number_of_its_own(ring):
    plan = dataclasses.replace(
        PLAN, own_steps=OwnSteps(1e9, 50, fit_intercept=True, precondition=False)
    )
    found = refusal_to_open(ring, plan)
    assert found == (
        "client 'east', training alone: learning_rate=1000000000.0 diverges. Use a smaller one."
    )


@pytest.mark.parametrize("how", ["readable by others", "missing", "another's"])
def test_a_key_file_that_is_unsafe_is_told_without_its_path(east_with, tmp_path, how, caplog):
    key = tmp_path / "identity.pem"
    if how != "missing":
        key.write_text("no key")
        key.chmod(0o644 if how == "readable by others" else 0o600)
    with caplog.at_level(logging.ERROR):
        found = refusal_to_open(east_with(key_file=key))
    assert found == (
        "client 'east' cannot use its key file: it is unsafe, broken or not there; run doctor."
    )
    assert str(key) in caplog.text  # in its own log


def test_a_key_that_is_not_the_rosters_is_refused(east_with, ring):
    found = refusal_to_open(east_with(key_file=ring.sites[NORTH].key_file))
    assert found == (
        "client 'east' has the key of another identity than the roster has for it; run doctor "
        "there."
    )


def test_an_error_of_a_library_is_told_by_its_kind(ring, monkeypatch, caplog):
    def fail(*_):
        raise KeyError(str(SECRET))

    monkeypatch.setattr("sklearn_fedphe.engines.nvflare.hospital.read_rows", fail)
    with caplog.at_level(logging.ERROR):
        found = refusal_to_open(ring)
    assert found == "client 'east' failed with an unexpected KeyError; see its own log."
    assert "str(SECRET)" in caplog.text  # where it failed
    assert str(SECRET) not in caplog.text


def test_a_log_that_cannot_be_written_ends_the_part(ring, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left", "/secret/path")

    monkeypatch.setattr("sklearn_fedphe.engines.nvflare.audit.append_line", fail)
    found = refusal_to_open(ring)
    assert found == "client 'east' failed with an unexpected OSError; see its own log."
    assert ring.parts[EAST].failure == found


def test_a_session_that_cannot_be_noted_is_not_taken_part_in(ring, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left", "/secret/path")

    monkeypatch.setattr("sklearn_fedphe.engines.nvflare.sessions.append_line", fail)
    assert refusal_to_open(ring) == "'east' failed with an unexpected OSError; see its own log."
    assert ring.parts[EAST].failure is None


def test_rows_are_loaded_once_while_the_analyst_asks_again(ring, monkeypatch):
    import sklearn_fedphe.engines.nvflare.hospital as module

    go_on, loaded = threading.Event(), []
    read = module.read_rows

    def slowly(*given):
        loaded.append(1)
        assert go_on.wait(5)
        return read(*given)

    monkeypatch.setattr(module, "read_rows", slowly)
    terms = terms_module.Terms.propose(PLAN, ring.sites[EAST].roster).to_bytes()
    ask = ring.sender(ANALYST)
    assert [ask(EAST, Topic.OPEN, terms) for _ in range(3)] == 3 * [AT_WORK]
    with pytest.raises(RefusedMessageError, match="refuses 'query' before it has joined"):
        ask(EAST, Topic.QUERY, b"")
    go_on.set()
    wait_until(lambda: ask(EAST, Topic.OPEN, terms) == READY)
    assert loaded == [1]


def test_terms_that_come_in_two_threads_at_once_are_taken_once(ring):
    """A message is sent again while the first is handled."""
    terms = terms_module.Terms.propose(PLAN, ring.sites[EAST].roster).to_bytes()
    barrier, found = threading.Barrier(4), []

    def ask():
        barrier.wait(5)
        found.append(ring.sender(ANALYST)(EAST, Topic.OPEN, terms))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) <= {AT_WORK, READY}
    wait_until(lambda: ring.sender(ANALYST)(EAST, Topic.OPEN, terms) == READY)
    assert events_of(ring.sites[EAST]) == ["joined"]


def failure_of(ring, query):
    with pytest.raises(RefusedMessageError) as refusal:
        ring.sums().sum(query)
    return str(refusal.value)


def test_a_value_that_does_not_fit_is_told_to_nobody(east_with, tmp_path):
    X, y = shards()[EAST]
    write_rows(tmp_path / "rows.csv", X, y * 1e60)
    ring = east_with(data_file=tmp_path / "rows.csv")
    ring.open()
    sums = ring.sums()
    sums.sum(SumsQuery())
    with pytest.raises(RefusedMessageError) as refusal:
        sums.sum(SquaresQuery(np.zeros(2), 0.0))
    found = str(refusal.value)
    assert found == (
        "client 'east' would send a value that does not fit its slot, and ends its part; look at "
        "its rows for values out of the ordinary, and rescale."
    )
    assert ring.parts[HOLDER].failure == ring.parts[EAST].failure == found
    assert events_of(ring.sites[EAST]) == ["joined", "answered", "failed"]
    assert events_of(ring.sites[HOLDER]) == ["joined", "opened", "failed"]
    assert (ring.sites[EAST].state / "refusals").read_text().count("\n") == 1


def test_a_hospital_that_told_of_its_rows_three_times_takes_part_no_more(ring):
    plan = Plan(DisclosureRules(3, 100), KEY_LENGTH)
    state = ring.sites[EAST].state
    assert "it has fewer rows than min" in refusal_to_open(ring, plan)
    assert (state / "refusals").read_text().count("\n") == 1
    (state / "refusals").write_text("1\n2\n3\n")
    again = HospitalPart(ring.sites[EAST], lambda *_: b"")
    with pytest.raises(TooManyRefusalsError, match="client 'east' has ended 3 fits for what is"):
        again.handle(ANALYST, Topic.OPEN, Terms.propose(PLAN, study().roster).to_bytes())
    again.close()


def test_an_unexpected_error_in_a_round_is_told_by_its_kind(ring, monkeypatch, caplog):
    def fail(*_):
        raise MemoryError(str(SECRET))

    ring.open()
    monkeypatch.setattr(Client, "encode", fail)
    monkeypatch.setattr(ring.parts[NORTH], "_answer", lambda _: None)
    monkeypatch.setattr(ring.parts[SOUTH], "_answer", lambda _: None)
    with caplog.at_level(logging.ERROR):
        found = failure_of(ring, SumsQuery())
    assert found == "client 'east' failed with an unexpected MemoryError; see its own log."
    assert "str(SECRET)" in caplog.text  # where it failed
    assert str(SECRET) not in caplog.text


def test_a_query_that_its_policy_has_not_ends_its_part(east_with):
    ring = east_with(policy=SitePolicy(queries=("GramQuery",)))
    ring.open()
    found = failure_of(ring, SumsQuery())
    assert found.startswith("client 'east' refuses a SumsQuery: its policy has queries=('Gram")


def test_who_gets_no_answer_says_so(ring):
    def lose(letter, deliver):
        return None if (letter.target, letter.topic) == (SOUTH, "sum") else deliver(letter)

    ring.open()
    ring.post = lose
    found = failure_of(ring, SumsQuery())
    assert found == "client 'east' waited: 'south' gave no answer in 15 s."
    assert events_of(ring.sites[EAST])[-1] == "failed"


def test_who_cannot_tell_the_key_holder_ends_its_part_all_the_same(ring):
    def lose(letter, deliver):
        return None if letter.topic in ("sum", "failed") else deliver(letter)

    ring.open()
    ring.post = lose
    asking = threading.Thread(target=failure_of, args=(ring, SumsQuery()))
    asking.start()
    wait_until(lambda: ring.parts[NORTH].failure is not None)
    assert ring.parts[NORTH].failure == "client 'north' waited: 'east' gave no answer in 15 s."
    ring.close()
    asking.join()


def test_a_part_that_has_failed_refuses_with_the_reason(ring):
    ring.open()
    ring.parts[EAST].leave("client 'east' left.")
    ring.parts[EAST].leave("later.")
    for topic in (Topic.QUERY, Topic.SUM, Topic.TOTAL):
        with pytest.raises(RefusedMessageError, match="client 'east' left"):
            ring.tell(HOLDER, EAST, topic)
    with pytest.raises(RefusedMessageError, match="client 'east' left"):
        ring.sender(ANALYST)(EAST, Topic.OPEN, ring.terms.to_bytes())
    assert events_of(ring.sites[EAST]) == ["joined", "failed"]
    assert ring.tell(ANALYST, EAST, Topic.END) == READY


def test_a_part_that_left_before_its_terms_takes_none(ring):
    ring.parts[EAST].leave("client 'east' left.")
    assert refusal_to_open(ring) == "client 'east' left."


def test_who_waits_for_a_sum_stops_waiting_when_it_leaves(ring):
    sent = []

    def lose(letter, deliver):
        sent.append(letter.topic)
        return b"" if letter.topic == "sum" else deliver(letter)

    ring.open()
    ring.post = lambda letter, deliver: deliver(letter)
    east = ring.parts[EAST]
    ring.parts[NORTH]._answer = lambda _: None
    asking = threading.Thread(target=failure_of, args=(ring, SumsQuery()))
    asking.start()
    wait_until(lambda: east._worker._work_queue.empty() and east._heard)
    ring.post = lose
    east.leave("client 'east' left: the job was ended.")
    east.close()
    east._worker.shutdown()
    assert "sum" not in sent
    assert "failed" not in sent
    ring.close()
    asking.join()


def test_a_sum_of_another_query_ends_the_part_that_was_asked_this_one(ring):
    """As if the key holder had asked the hospital before something else."""
    ring.open()
    changed = []

    def alter(letter, deliver):
        if (letter.target, letter.topic) == (EAST, "sum") and not changed:
            changed.append(letter)
            body = ring.seals[EAST].open(letter.payload)[2]
            body = body[:22] + bytes(32) + body[54:]  # session, header, then the round's digest
            payload = ring.seals[NORTH].close(EAST, b"sum", body)
            ring.deliver(dataclasses.replace(letter, payload=payload))
            return b"s" + ring.seals[EAST].close_answer(NORTH, letter.payload, b"a" + READY)
        return deliver(letter)

    ring.post = alter
    found = failure_of(ring, SumsQuery())
    assert "A running sum of round 1 (00000000" in found
    assert "it is of another round, query or fit" in found


def test_a_sum_that_is_none_is_refused_where_it_comes(ring):
    ring.open()
    with pytest.raises(RefusedMessageError, match="A running sum of 4 bytes, where its header"):
        ring.tell(NORTH, EAST, Topic.SUM, b"none")
    assert ring.parts[EAST].failure is None


def test_a_total_that_is_not_of_this_round_is_refused_and_nothing_is_changed(ring):
    ring.open()
    ring.sums().sum(SumsQuery())
    totals = [
        letter for letter in ring.letters if (letter.target, letter.topic) == (EAST, "total")
    ]
    body = ring.seals[EAST].open(totals[0].payload)[2]
    assert ring.tell(HOLDER, EAST, Topic.TOTAL, body[16:]) == READY  # late, and known
    with pytest.raises(RefusedMessageError, match="refuses a message where no round is open"):
        ring.tell(HOLDER, EAST, Topic.TOTAL, body[16:-1] + b"?")
    assert ring.parts[EAST].failure is None
