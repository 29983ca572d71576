"""A party's process in a job: it begins with the run, and leaves when the server is silent."""

import shutil
import threading

import pytest
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.shareable import Shareable
from nvflare.apis.signal import Signal
from stand_ins import (
    ANALYST,
    EAST,
    HOLDER,
    HOSPITALS,
    JOB,
    NORTH,
    PLAN,
    FakeCell,
    FakeEngine,
    Network,
    context_of,
    events_of,
    site_of,
    study,
    wait_until,
)

from sklearn_fedphe.engines.nvflare import executor
from sklearn_fedphe.engines.nvflare.channel import PING, SEALED, Channel, opened_answer
from sklearn_fedphe.engines.nvflare.executor import LEFT, THERE, PartyExecutor
from sklearn_fedphe.engines.nvflare.hospital import HospitalPart
from sklearn_fedphe.engines.nvflare.key_holder import KeyHolderPart
from sklearn_fedphe.engines.nvflare.terms import Terms
from sklearn_fedphe.engines.nvflare.topics import READY, Topic
from sklearn_fedphe.engines.nvflare.watch import Watch
from sklearn_fedphe.protocol import RefusedMessageError


class Process:
    """One party's, and the server that asks it."""

    def __init__(self, folder, name):
        self.name = name
        self.network = Network()
        self.site = site_of(name, folder)
        self.kit = shutil.copytree(study().folder / name, folder / "kit")
        (self.kit / "local").mkdir()
        self.site.save(self.kit)
        self.engine = FakeEngine(FakeCell(self.network, name), self.kit)
        self.executor = PartyExecutor()
        self.server = Channel(FakeCell(self.network, "server"), JOB, 1.0)

    def event(self, event_type):
        self.executor.handle_event(event_type, context_of(self.engine))

    def ping(self):
        return self.server.attempt(self.name, PING, b"", 1.0)

    def tell(self, topic, body=b""):
        seal = study().seals[ANALYST]
        message = seal.close(self.name, topic.value.encode(), body)
        answer = self.server.attempt(self.name, SEALED, message, 1.0)
        return answer and opened_answer(answer, seal, self.name, message)

    def join(self):
        terms = Terms.propose(PLAN, study().roster)
        wait_until(lambda: self.tell(Topic.OPEN, terms.to_bytes()) == READY)
        return terms

    @property
    def part(self):
        return self.executor._part


@pytest.fixture
def process(tmp_path, monkeypatch):
    monkeypatch.setattr(executor, "_STEP", 0.01)
    before = set(threading.enumerate())
    made = []

    def start(name=EAST):
        made.append(Process(tmp_path, name))
        return made[-1]

    yield start
    for one in made:
        one.event(EventType.END_RUN)
    wait_until(lambda: set(threading.enumerate()) <= before)  # no thread is left


@pytest.mark.parametrize("name", [*HOSPITALS, HOLDER])
def test_a_party_listens_as_soon_as_the_run_starts(process, name):
    party = process(name)
    assert party.ping() is None
    party.event(EventType.START_RUN)
    assert type(party.part) is (KeyHolderPart if name == HOLDER else HospitalPart)
    assert party.ping() == THERE
    party.join()
    assert events_of(party.site) == ["joined"]


def test_other_events_are_none_of_its_business(process):
    party = process()
    party.event(EventType.ABOUT_TO_START_RUN)
    assert party.part is None
    party.event(EventType.END_RUN)  # of a run that never started
    assert party.part is None


@pytest.mark.parametrize("event", [EventType.END_RUN, EventType.ABORT_TASK])
def test_a_job_that_is_ended_ends_the_part(process, event):
    party = process()
    party.event(EventType.START_RUN)
    party.join()
    party.event(event)
    party.event(event)
    assert party.part.failure == "client 'east' left: the job was ended."
    assert events_of(party.site) == ["joined", "failed"]
    assert party.ping() == LEFT
    assert party.tell(Topic.QUERY) is None  # who ended it knows why


def test_a_job_that_ends_after_the_fit_is_no_failure(process):
    party = process()
    party.event(EventType.START_RUN)
    assert party.tell(Topic.END, party.join().session) == READY
    party.event(EventType.END_RUN)
    assert events_of(party.site) == ["joined", "ended"]


def test_a_run_that_is_started_again_has_the_same_part(process):
    party = process()
    party.event(EventType.START_RUN)
    party.join()
    part = party.part
    party.event(EventType.START_RUN)
    assert party.part is part
    assert part.failure is None


def test_a_task_is_refused(process):
    party = process()
    reply = party.executor.execute("train", Shareable(), context_of(party.engine), Signal())
    assert reply.get_return_code() == ReturnCode.TASK_UNSUPPORTED


def test_a_part_that_failed_says_so_to_the_server_but_not_why(process):
    party = process()
    party.event(EventType.START_RUN)
    party.join()
    party.part.leave("client 'east' fell.")
    assert party.ping() == LEFT
    with pytest.raises(RefusedMessageError, match="client 'east' fell"):
        party.tell(Topic.WAIT)
    assert not any(b"fell" in (payload or b"") for _, payload in party.network.seen)


def test_a_silent_server_ends_part_and_run(process, monkeypatch):
    monkeypatch.setattr(Watch, "silent", lambda _: silent)
    silent = []
    party = process(NORTH)
    party.event(EventType.START_RUN)
    party.join()
    assert party.ping() == THERE
    assert not party.engine.panics
    silent.append("the server")
    wait_until(lambda: party.engine.panics)
    why = "client 'north' left: the server has not asked for it for 15 s."
    assert party.engine.panics == [why]
    assert party.part.failure == why
    assert events_of(party.site) == ["joined", "failed"]


def test_a_server_has_time_to_ask_for_the_first_time_and_less_after(process, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("sklearn_fedphe.engines.nvflare.watch.time.monotonic", lambda: clock[0])
    party = process(NORTH)
    party.event(EventType.START_RUN)
    clock[0] += 15.0 + executor._GRACE - 1
    threading.Event().wait(0.05)
    assert not party.engine.panics
    assert party.ping() == THERE
    clock[0] += 16.0
    wait_until(lambda: party.engine.panics)


@pytest.mark.parametrize("how", ["no settings", "another kit", "another authority", "locked key"])
def test_a_site_that_is_not_prepared_says_no_more_to_others(process, how, caplog):
    party = process()
    startup = party.kit / "startup"
    other = study().folder / ANALYST / "startup"
    match how:
        case "no settings":
            (party.kit / "local" / "federation.json").unlink()
        case "another kit":
            shutil.copy(other / "client.crt", startup)
        case "another authority":
            shutil.copy(other / "client.crt", startup / "rootCA.pem")
        case "locked key":
            lock(startup / "client.key")
    party.event(EventType.START_RUN)
    assert party.part is None
    assert party.ping() == THERE
    with pytest.raises(RefusedMessageError) as refusal:
        party.tell(Topic.OPEN)
    assert str(refusal.value) == (
        "From the place of 'east', and unsigned: The site is not prepared, or its roster, key or "
        "kit has changed; run doctor there."
    )
    assert "this site is not prepared: " in caplog.text


def lock(path):
    """Encrypt a key, as an administrator might who does not know that nobody will unlock it."""
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(path.read_bytes(), password=None)
    locked = BestAvailableEncryption(b"secret")
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
