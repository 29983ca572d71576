"""The server's process in a job: it hands on, watches, and says who is missing."""

import base64
import threading

import pytest
from nvflare.apis.signal import Signal
from stand_ins import (
    EAST,
    HOLDER,
    JOB,
    NORTH,
    PARTIES,
    FakeCell,
    FakeEngine,
    Network,
    context_of,
    wait_until,
)

from sklearn_fedphe.engines.nvflare import controller
from sklearn_fedphe.engines.nvflare.channel import GONE, PING, SEALED, Channel
from sklearn_fedphe.engines.nvflare.controller import COMMAND, RingController


class Server:
    """The controller in a run, parties that answer or not, and an analyst that asks or not."""

    def __init__(self, timeout=0.4):
        self.network = Network()
        self.engine = FakeEngine(FakeCell(self.network, "server"))
        self.messages = []
        for name in PARTIES:
            party = Channel(FakeCell(self.network, name), JOB, 1.0)
            party.listen(PING, lambda *_: b"there")
            party.listen(SEALED, self.answer)
        self.controller = RingController(list(PARTIES), timeout)
        self.controller.start_controller(context_of(self.engine))
        self.signal = Signal()
        self.thread = threading.Thread(target=self._flow)

    def _flow(self):
        self.controller.control_flow(self.signal, context_of(self.engine))

    def answer(self, _origin, message):
        self.messages.append(message)
        return b"answer to " + message

    def start(self):
        self.thread.start()

    def ask(self, **data):
        return self.engine.commands[COMMAND](COMMAND, data or {"alive": True}, None)

    def gone(self, name):
        return Channel(FakeCell(self.network, name), JOB, 1.0).attempt("server", GONE, b"", 1.0)

    def ends(self):
        self.thread.join(0.02)
        return not self.thread.is_alive()

    def keep_asking(self):
        """As an analyst does, until the run is over."""
        found = []
        wait_until(lambda: found.append(self.ask()) or self.ends())
        return found


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(controller, "_STEP", 0.01)
    monkeypatch.setattr(controller, "_EVERY", 0.02)
    monkeypatch.setattr(controller, "_GRACE", 0.0)
    monkeypatch.setattr(controller, "_TELLING", 0.2)
    made = Server()
    yield made
    made.signal.trigger("stop")
    if made.thread.ident:
        made.thread.join(5)
    made.controller.stop_controller(context_of(made.engine))


def lose(names, times=None):
    """A network that loses what goes to some; so many times, or always."""
    left = [times if times is not None else 10**9]

    def post(letter, deliver):
        if letter.target.split(".")[0] in names and left[0] > 0:
            left[0] -= 1
            return None
        return deliver(letter)

    return post


def test_it_returns_when_the_analyst_says_that_the_fit_is_over(server):
    server.start()
    assert server.ask(over=True) == {}
    server.thread.join(5)
    assert server.ends()
    assert server.engine.panics == []


def test_it_returns_when_the_job_is_aborted(server):
    server.start()
    server.signal.trigger("aborted")
    server.thread.join(5)
    assert server.ends()
    assert server.engine.panics == []


def test_nobody_is_blamed_for_answers_that_were_missed(server):
    server.network.post = lose(PARTIES, times=12)
    server.start()
    for _ in range(20):
        assert "why" not in server.ask()
        assert not server.ends()
    assert server.engine.panics == []


def test_a_silent_party_is_named_to_the_analyst_and_the_job_ends(server):
    server.network.post = lose([EAST])
    server.start()
    found = server.keep_asking()
    why = "client 'east' gave no sign of life for 0.4 s; the job was ended."
    assert {one["why"] for one in found if "why" in one} == {why}
    assert server.engine.panics == [why]


def test_all_that_are_silent_are_named(server):
    server.network.post = lose([NORTH, HOLDER])
    server.start()
    server.keep_asking()
    (why,) = server.engine.panics
    assert why.startswith("client 'north', client 'trustee' gave no sign of life for 0.4 s")


def test_a_silent_analyst_ends_the_job_though_nobody_hears_why(server):
    server.start()
    server.thread.join(5)
    assert server.engine.panics == [
        "the analyst gave no sign of life for 0.4 s; the job was ended."
    ]


def test_the_analyst_is_given_time_to_hear_why(server, monkeypatch):
    monkeypatch.setattr(controller, "_TELLING", 30.0)
    server.network.post = lose([EAST])
    server.start()
    server.ask()
    wait_until(lambda: server.controller._why)
    assert not server.ends()  # it waits to be asked
    assert server.engine.panics == []
    found = server.ask(to=NORTH, message="bm90IGhhbmRlZCBvbg==")
    assert "client 'east'" in found["why"]
    assert server.messages == []
    server.thread.join(5)
    assert len(server.engine.panics) == 1


def test_a_site_whose_process_ended_is_named_and_answered_once_the_analyst_knows(server):
    server.start()
    assert server.gone(EAST) is None
    why = (
        "client 'east' is missing: its process ended before the fit did; see its own log. The job "
        "was ended."
    )
    assert server.ask() == {"why": why}
    assert server.gone(EAST) == b"heard"
    server.thread.join(5)
    assert server.engine.panics == [why]


def test_who_was_gone_first_stays_named(server):
    server.start()
    server.gone(EAST)
    server.gone(NORTH)
    assert server.ask()["why"].startswith("client 'east' is missing")


def test_a_word_from_elsewhere_ends_nothing(server):
    server.start()
    for place in ("west", "server", f"{EAST}.{JOB}", ""):
        assert server.gone(place) is None
    assert server.ask() == {}
    assert not server.ends()


def test_processes_may_end_when_the_fit_is_over(server):
    server.start()
    server.ask(over=True)
    assert server.gone(EAST) == b"heard"
    assert server.ask() == {}
    server.thread.join(5)
    assert server.engine.panics == []


def test_why_is_told_to_who_asked_for_what_is_not_answered_any_more(server):
    def lose_and_tell(letter, deliver):
        if letter.topic == SEALED:
            server.gone(EAST)
            return None
        return deliver(letter)

    server.network.post = lose_and_tell
    assert "client 'east' is missing" in server.ask(to=EAST, message="bWVzc2FnZQ==")["why"]


def test_parties_and_analyst_have_time_to_be_heard_first(monkeypatch, server):
    monkeypatch.setattr(controller, "_GRACE", 30.0)
    late = Server()
    late.network.post = lose(PARTIES)
    late.start()
    threading.Event().wait(0.6)
    assert not late.ends()
    late.signal.trigger("stop")
    late.thread.join(5)
    assert late.engine.panics == []
    assert server.engine.panics == []


def test_a_message_is_handed_on_as_it_is(server):
    message = bytes(range(256))
    found = server.ask(to=EAST, message=base64.b64encode(message).decode())
    assert server.messages == [message]
    assert base64.b64decode(found["answer"]) == b"answer to " + message


def test_a_message_that_nobody_answers_has_no_answer(server):
    server.network.post = lose([EAST])
    found = server.ask(to=EAST, message="bWVzc2FnZQ==")
    assert "answer" not in found


@pytest.mark.parametrize("receiver", ["server", "west", "", None, 7])
def test_messages_go_to_parties_of_the_job_alone(server, receiver):
    assert server.ask(to=receiver, message="bWVzc2FnZQ==") == {}
    assert server.network.seen == []


def test_parties_are_asked_until_it_is_over(server):
    server.start()
    wait_until(lambda: len(server.network.seen) > 20)
    server.ask(over=True)
    server.thread.join(5)
    threading.Event().wait(0.05)
    n_seen = len(server.network.seen)
    threading.Event().wait(0.1)
    assert len(server.network.seen) == n_seen
