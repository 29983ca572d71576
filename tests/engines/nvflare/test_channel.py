"""Sealed messages over cells that drop, delay and alter them."""

import logging

import pytest
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.message import Message
from stand_ins import EAST, JOB, NORTH, SECRET, SOUTH, FakeCell, Network, study

from sklearn_fedphe.engines.nvflare import channel
from sklearn_fedphe.engines.nvflare.channel import (
    CHANNEL,
    GONE,
    PING,
    SEALED,
    Channel,
    answer_to,
    opened_answer,
)
from sklearn_fedphe.engines.nvflare.topics import NoReplyError, Topic
from sklearn_fedphe.protocol import RefusedMessageError


def seal(name):
    return study().seals[name]


def sealed(body=b"body", topic=Topic.SUM, sender=NORTH, receiver=EAST):
    return seal(sender).close(receiver, topic.value.encode(), body)


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def north(network, monkeypatch):
    monkeypatch.setattr(channel, "_ATTEMPT", 0.5)
    return Channel(FakeCell(network, NORTH), JOB, 0.3)


def listen(network, answer, name=EAST, topic=SEALED):
    Channel(FakeCell(network, name), JOB, 0.3).listen(topic, answer)


def echo(sender, topic, body):
    return f"{sender} {topic.value} ".encode() + body


def test_a_message_is_answered_to_its_sender(network, north):
    listen(network, lambda _, message: answer_to(message, seal(EAST), echo))
    assert north.sender(seal(NORTH))(EAST, Topic.SUM, b"body") == b"north sum body"
    assert not any(b"body" in payload for _, payload in network.seen)


def test_a_refusal_comes_back_with_its_words(network, north):
    def refuse(*_):
        raise RefusedMessageError("client 'east' refuses it.")

    listen(network, lambda _, message: answer_to(message, seal(EAST), refuse))
    with pytest.raises(RefusedMessageError, match="client 'east' refuses it"):
        north.sender(seal(NORTH))(EAST, Topic.SUM, b"")
    assert not any(b"refuses" in payload for _, payload in network.seen)


@pytest.mark.parametrize("kind", [KeyError, OSError, UnicodeError, RecursionError, OverflowError])
def test_no_error_of_a_receiver_escapes_and_none_is_quoted(kind, caplog):
    def fail(*_):
        raise kind(str(SECRET))

    message = sealed()
    with caplog.at_level(logging.ERROR):
        answer = answer_to(message, seal(EAST), fail)
    told = f"^'east' failed with an unexpected {kind.__name__}; see its own log.$"
    with pytest.raises(RefusedMessageError, match=told):
        opened_answer(answer, seal(NORTH), EAST, message)
    assert "str(SECRET)" in caplog.text  # where it failed
    assert str(SECRET) not in caplog.text


@pytest.mark.parametrize(
    "made",
    [
        lambda: b"",
        lambda: b"\0",
        lambda: b"\xff" * 700,
        lambda: sealed(receiver=SOUTH),
        lambda: sealed()[:-1],
        lambda: sealed() + b"\0",
    ],
    ids=["empty", "byte", "junk", "another's", "cut off", "longer"],
)
def test_what_cannot_be_opened_is_answered_in_the_clear(made):
    message = made()
    answer = answer_to(message, seal(EAST), echo)
    with pytest.raises(RefusedMessageError) as refusal:
        opened_answer(answer, seal(NORTH), EAST, message)
    assert str(refusal.value) == (
        "From the place of 'east', and unsigned: 'east' cannot open a message: its sender is not "
        "on the roster as it has it, or it was altered on the way. Compare the rosters' digests."
    )


def test_words_in_the_clear_may_be_anybodys():
    with pytest.raises(
        RefusedMessageError, match="From the place of 'east', and unsigned: h\ufffd"
    ):
        opened_answer(b"uh\xff", seal(NORTH), EAST, b"")


def test_every_byte_of_a_message_counts():
    message = bytearray(sealed())
    for position in range(0, len(message), 23):
        message[position] ^= 1
        assert answer_to(bytes(message), seal(EAST), echo)[:1] == b"u"
        message[position] ^= 1
    assert answer_to(bytes(message), seal(EAST), echo)[:1] == b"s"


def test_an_answer_to_another_message_or_of_another_party_is_refused():
    first, second = sealed(), sealed()
    answer = answer_to(first, seal(EAST), echo)
    assert opened_answer(answer, seal(NORTH), EAST, first) == b"north sum body"
    told = "What came as an answer from '{}' is none of its to this message; somebody on the way"
    with pytest.raises(RefusedMessageError, match=told.format("east")):
        opened_answer(answer, seal(NORTH), EAST, second)
    with pytest.raises(RefusedMessageError, match=told.format("south")):
        opened_answer(answer, seal(NORTH), SOUTH, first)
    for other in (b"", b"s", first, b"s" + first, answer[:-1]):
        with pytest.raises(RefusedMessageError, match="altered"):
            opened_answer(other, seal(NORTH), EAST, first)


def test_what_is_not_answered_is_sent_again_as_it_was(network, north):
    attempts = []

    def lose_once(letter, deliver):
        attempts.append(letter.payload)
        return deliver(letter) if len(attempts) > 1 else None

    network.post = lose_once
    listen(network, lambda _, message: answer_to(message, seal(EAST), echo))
    assert north.sender(seal(NORTH))(EAST, Topic.SUM, b"body") == b"north sum body"
    assert len(attempts) == 2
    assert attempts[0] == attempts[1]


def test_who_gives_no_answer_is_named(north):
    with pytest.raises(NoReplyError, match=r"^'east' gave no answer in 0\.3 s\.$"):
        north.deliver(EAST, b"message")


def test_an_attempt_waits_no_longer_than_there_is_time(north, monkeypatch):
    waits = []
    monkeypatch.setattr(
        north._cell, "send_request", lambda timeout, **_: waits.append(timeout) or Message({}, b"")
    )
    with pytest.raises(NoReplyError):
        north.deliver(EAST, b"message")
    assert waits == sorted(waits, reverse=True)
    assert waits[0] <= 0.3
    assert waits[-1] >= 0.1


def test_a_message_goes_to_the_receivers_process_of_this_job(network, north):
    letters = []
    network.post = lambda letter, _: letters.append(letter)
    assert north.attempt(EAST, PING, b"there?", 1.0) is None
    (letter,) = letters
    assert (letter.target, letter.channel, letter.topic) == (f"{EAST}.{JOB}", CHANNEL, PING)
    assert letter.payload == b"there?"


@pytest.mark.parametrize(
    ("payload", "found"),
    [(b"x", b"x"), (bytearray(b"x"), b"x"), (memoryview(b"x"), b"x"), ("x", None), (None, None)],
)
def test_an_answer_is_bytes(network, north, payload, found):
    code = {MessageHeaderKey.RETURN_CODE: ReturnCode.OK}
    network.post = lambda *_: Message(code, payload)
    assert north.attempt(EAST, SEALED, b"", 1.0) == found


@pytest.mark.parametrize("payload", [None, "text", 7, {"a": 1}])
def test_what_comes_as_no_bytes_is_taken_for_none(network, payload):
    heard = []
    listen(network, lambda _, message: heard.append(message) or b"answer")
    reply = network.cells[f"{EAST}.{JOB}"][CHANNEL, SEALED](Message({}, payload))
    assert heard == [b""]
    assert reply.payload == b"answer"


def test_who_listens_is_told_the_place_that_a_message_came_from(network, north):
    heard = []
    listen(network, lambda origin, _: heard.append(origin) or b"answer", topic=GONE)
    assert north.attempt(EAST, GONE, b"", 1.0) == b"answer"
    assert heard == [NORTH]


def test_none_is_no_answer(network, north):
    listen(network, lambda *_: None)
    assert north.attempt(EAST, SEALED, b"", 1.0) is None


def test_a_cell_that_is_stopped_gives_no_answer(network, north):
    def stopped(_letter, _deliver):
        raise RuntimeError("Messenger is not running")

    network.post = stopped
    assert north.attempt("east", PING, b"", 1.0) is None


def test_a_cell_is_used_by_its_part_that_sends_whole_messages(network):
    class Outer:
        core_cell = FakeCell(network, NORTH)

    Channel(Outer(), JOB, 1.0).listen(PING, lambda *_: b"there")
    assert (CHANNEL, PING) in network.cells[f"{NORTH}.{JOB}"]
