"""Parties of a study in this process: kits, a network between them, NVIDIA FLARE's server."""

import atexit
import base64
import contextlib
import dataclasses
import json
import shutil
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from nvflare.apis.event_type import EventType
from nvflare.apis.fl_constant import ReservedKey
from nvflare.apis.fl_context import FLContext
from nvflare.apis.signal import Signal
from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.message import Message
from nvflare.fuel.flare_api.api_spec import JobNotRunning

from sklearn_fedphe.engines.nvflare import admin_session, analyst, controller, executor
from sklearn_fedphe.engines.nvflare.analyst import NVFlareFederation
from sklearn_fedphe.engines.nvflare.cards import Card
from sklearn_fedphe.engines.nvflare.channel import PING, answer_to, opened_answer
from sklearn_fedphe.engines.nvflare.controller import COMMAND, RingController
from sklearn_fedphe.engines.nvflare.executor import PartyExecutor
from sklearn_fedphe.engines.nvflare.hospital import HospitalPart
from sklearn_fedphe.engines.nvflare.key_holder import KeyHolderPart
from sklearn_fedphe.engines.nvflare.keys import make_identity, make_paillier_key
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster
from sklearn_fedphe.engines.nvflare.policy import SitePolicy
from sklearn_fedphe.engines.nvflare.remote_sums import RemoteSums
from sklearn_fedphe.engines.nvflare.sealed import Seal
from sklearn_fedphe.engines.nvflare.sessions import SessionLedger
from sklearn_fedphe.engines.nvflare.site import Site
from sklearn_fedphe.engines.nvflare.terms import Terms
from sklearn_fedphe.engines.nvflare.topics import AT_WORK, NoReplyError, Topic
from sklearn_fedphe.federation import Federation, Plan, Session
from sklearn_fedphe.members import Members
from sklearn_fedphe.protocol import DisclosureRules

NORTH, EAST, SOUTH = HOSPITALS = ("north", "east", "south")
HOLDER = "trustee"
ANALYST, OTHER_ANALYST = "ann@study.org", "bob@study.org"
FEATURES = ("age", "dose")
PARTIES = (*HOSPITALS, HOLDER)
KEY_LENGTH = 2048
JOB = "job-1"
PLAN = Plan(DisclosureRules(3, 3), KEY_LENGTH)
SECRET = 271.828182845904  # a value of north's rows, to be looked for


@cache
def study():
    """Kits, keys, rows and roster of all parties, made once and not to be written to."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    authority = _key(), "authority"
    cards = {}
    for name in (*PARTIES, ANALYST, OTHER_ANALYST):
        _make_kit(folder / name, name, authority)
        pem = (folder / name / "startup" / "client.crt").read_text()
        if name in HOSPITALS:
            cards[name] = Card(
                "hospital", name, pem, identity=make_identity(folder / f"{name}.key")
            )
        elif name == HOLDER:
            modulus = make_paillier_key(folder / f"{name}.key", KEY_LENGTH)
            cards[name] = Card("key holder", name, pem, modulus=modulus)
        else:
            cards[name] = Card("analyst", name, pem)
    analysts = [cards[ANALYST], cards[OTHER_ANALYST]]
    roster = PinnedRoster.of_cards(
        FEATURES, [cards[name] for name in HOSPITALS], cards[HOLDER], analysts
    )
    roster.save(folder / "roster.json")
    for name, (X, y) in shards().items():
        write_rows(folder / f"{name}.csv", X, y)
    seals = {name: Seal(roster, name, folder / name) for name in cards}
    return SimpleNamespace(folder=folder, roster=roster, seals=seals, authority=authority)


@cache
def shards():
    rng = np.random.default_rng(7)
    made = {}
    for name in HOSPITALS:
        X = rng.normal(size=(8, 2)) * [10.0, 0.1] + [50.0, 1.0]
        made[name] = X, X @ [0.3, -2.0] + rng.normal(size=8)
    made[NORTH][0][3, 0] = SECRET
    return made


def write_rows(path, X, y, columns=(*FEATURES, "outcome")):
    lines = [",".join(columns)]
    lines += [",".join(map(repr, [*row, value])) for row, value in zip(X.tolist(), y, strict=True)]
    path.write_text("\n".join(lines).replace("np.float64(", "").replace(")", "") + "\n")


def site_of(name, state, **changes):
    """A party's settings, with a state folder of its own in `state`."""
    made = study()
    (state / name).mkdir(exist_ok=True)
    SessionLedger(state / name / "sessions").create()
    is_hospital = name in HOSPITALS
    site = Site(
        name=name,
        roster_file=made.folder / "roster.json",
        roster=made.roster,
        key_file=made.folder / f"{name}.key",
        state=state / name,
        policy=SitePolicy(max_epsilon=5.0, max_honest_clients=3),
        data_file=made.folder / f"{name}.csv" if is_hospital else None,
        target="outcome" if is_hospital else None,
    )
    return dataclasses.replace(site, **changes)


def audit_of(site):
    path = site.state / "audit.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def events_of(site):
    return [line["event"] for line in audit_of(site)]


def wait_until(condition, seconds=5.0):
    """Wait for what other threads are about to do."""
    pause = threading.Event()
    for _ in range(round(seconds / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("It did not come to that.")


@dataclasses.dataclass
class Letter:
    """A request on its way."""

    target: str
    channel: str
    topic: str
    payload: bytes
    origin: str = ""


class Network:
    """Cells of one job. `post` is what the server does with a request, and what it answers.

    Attributes
    ----------
    seen : list of (topic, bytes)
        All payloads of requests and answers, as the server sees them.
    """

    def __init__(self, post=None):
        self.cells = {}
        self.seen = []
        self.post = post or (lambda letter, deliver: deliver(letter))

    def deliver(self, letter):
        self.seen.append((letter.topic, letter.payload))
        listener = self.cells.get(letter.target, {}).get((letter.channel, letter.topic))
        if listener is None:
            return Message({MessageHeaderKey.RETURN_CODE: ReturnCode.TARGET_UNREACHABLE})
        reply = listener(Message({MessageHeaderKey.ORIGIN: letter.origin}, letter.payload))
        self.seen.append((letter.topic, reply.payload))
        return reply


class FakeCell:
    """One process's cell, as far as a `Channel` uses it."""

    def __init__(self, network, name, job=JOB):
        self._network = network
        self._name = name
        self._listeners = network.cells.setdefault(f"{name}.{job}", {})

    def register_request_cb(self, channel, topic, callback):
        self._listeners[channel, topic] = callback

    def send_request(self, channel, target, topic, request, timeout, optional):
        assert timeout > 0
        assert optional
        letter = Letter(target, channel, topic, request.payload, self._name)
        reply = self._network.post(letter, self._network.deliver)
        return reply or Message({MessageHeaderKey.RETURN_CODE: ReturnCode.TIMEOUT})


class FakeEngine:
    """NVIDIA FLARE's engine, as far as controller and executor use it."""

    def __init__(self, cell, kit=None):
        self.cell = cell
        self.kit = kit
        self.panics = []
        self.commands = {}

    def get_cell(self):
        return self.cell

    def get_workspace(self):
        return SimpleNamespace(get_root_dir=lambda: str(self.kit))

    def register_app_command(self, topic, command):
        self.commands[topic] = command

    def fire_event(self, event_type, fl_ctx):
        assert event_type == EventType.FATAL_SYSTEM_ERROR
        self.panics.append(fl_ctx.get_prop("__event_data__"))

    @contextlib.contextmanager
    def new_context(self):
        yield context_of(self)


def context_of(engine):
    fl_ctx = FLContext()
    fl_ctx.set_prop(ReservedKey.ENGINE, engine, private=True, sticky=False)
    fl_ctx.set_prop(ReservedKey.RUN_NUM, JOB, private=False, sticky=False)
    return fl_ctx


class Machines:
    """A whole study: every party's executor, the server's controller, and a session with it.

    Attributes
    ----------
    sites : dict from str to Site
    network : Network
    status : str
        Of the job.
    """

    def __init__(self, folder, post=None, **changes):
        self.network = Network(post)
        self.commands = []
        self.status, self.detail, self.aborted = "RUNNING", [], []
        self.sites, self.executors, self.engines = {}, {}, {}
        for name in PARTIES:
            site = site_of(name, folder, **changes.get(name, {}))
            kit = shutil.copytree(study().folder / name, folder / f"{name}.kit")
            (kit / "local").mkdir()
            site.save(kit)
            self.sites[name] = site
            self.engines[name] = FakeEngine(FakeCell(self.network, name), kit)
        self.server = FakeEngine(FakeCell(self.network, "server"))
        self.signal = Signal()
        self.threads = []
        self.is_closed = False

    def federation(self, **given):
        folder = study().folder
        given = {"roster": folder / "roster.json"} | given
        return NVFlareFederation(folder / ANALYST, HOSPITALS, HOLDER, **given)

    # What NVIDIA FLARE's session does.

    def submit_job(self, folder):
        job = json.loads((Path(folder) / "app" / "config" / "config_fed_server.json").read_text())
        self.controller = RingController(**job["workflows"][0]["args"])
        for name, engine in self.engines.items():
            self.executors[name] = PartyExecutor()
            self.executors[name].handle_event(EventType.START_RUN, context_of(engine))
        self.controller.start_controller(context_of(self.server))
        self.threads.append(threading.Thread(target=self._flow))
        self.threads[0].start()
        return JOB

    def do_app_command(self, job, topic, data):
        assert (job, topic) == (JOB, COMMAND)
        self.commands.append(json.loads(json.dumps(data)))
        if self.status != "RUNNING":
            raise JobNotRunning
        found = self.server.commands[topic](topic, self.commands[-1], None)
        return json.loads(json.dumps(found))

    def get_job_meta(self, job):
        assert job == JOB
        return {"status": self.status, "job_deploy_detail": self.detail}

    def abort_job(self, job):
        self.aborted.append(job)
        self.signal.trigger("aborted")
        self.stop()

    def close(self):
        self.is_closed = True

    def _flow(self):
        self.controller.control_flow(self.signal, context_of(self.server))
        how = "ABORTED" if self.signal.triggered else "COMPLETED"
        self._end_run()
        self.status = f"FINISHED:{'EXECUTION_EXCEPTION' if self.server.panics else how}"

    def _end_run(self):
        for name, one in self.executors.items():
            one.handle_event(EventType.END_RUN, context_of(self.engines[name]))

    def stop(self):
        """End what runs: a test leaves no thread behind."""
        self.signal.trigger("stopped")
        for thread in self.threads:
            thread.join(10)
        self._end_run()

    def plaintexts_in(self, *needles):
        """Which of some bytes the server saw, in any message or command."""
        seen = [payload or b"" for _, payload in self.network.seen]
        for command in self.commands:
            seen += [json.dumps(command).encode(), base64.b64decode(command.get("message", ""))]
        return [needle for needle in needles if any(needle in payload for payload in seen)]


def quicken(monkeypatch):
    """Have nobody wait for long."""
    monkeypatch.setattr(controller, "_STEP", 0.01)
    monkeypatch.setattr(controller, "_EVERY", 0.05)
    monkeypatch.setattr(controller, "_TELLING", 1.0)
    monkeypatch.setattr(executor, "_STEP", 0.01)
    monkeypatch.setattr(admin_session, "_BEAT", 0.2)
    monkeypatch.setattr(analyst, "_POLL", 0.005)


def use(monkeypatch, machines):
    """Have `AdminSession` find these machines where it looks for a server."""

    def session(name, kit, timeout):
        assert name == ANALYST
        assert Path(kit).name == ANALYST
        assert timeout > 0
        return machines

    monkeypatch.setattr(admin_session, "new_secure_session", session)
    return machines


def is_ping(letter):
    return letter.topic == PING


def _key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _make_kit(kit, name, authority):
    startup = kit / "startup"
    startup.mkdir(parents=True)
    key = _key()
    (startup / "client.crt").write_bytes(certificate(name, key, authority))
    (startup / "client.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (startup / "rootCA.pem").write_bytes(certificate(authority[1], authority[0], authority))


def certificate(name, key, authority):
    """A certificate that NVIDIA FLARE accepts, as PEM."""
    signer, issuer = authority
    is_authority = key is signer
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(signer, SHA256())
        .public_bytes(Encoding.PEM)
    )


class Ring(Federation):
    """A study's parts, which reach each other through `post` alone; a federation of its own.

    `post` is given a `Letter` (from whom as `channel`) and how to deliver it, and returns the
    answer, or None if it is lost. What is not answered is sent again, as by a `Channel`.
    """

    def __init__(self, folder, post=None, **changes):
        self.seals = study().seals
        self.post = post or (lambda letter, deliver: deliver(letter))
        self.letters = []
        self.sites = {name: site_of(name, folder, **changes.get(name, {})) for name in PARTIES}
        self.parts = {
            name: (KeyHolderPart if name == HOLDER else HospitalPart)(site, self.sender(name))
            for name, site in self.sites.items()
        }
        self.terms = None

    members = Members(HOSPITALS, 2, np.array(FEATURES, dtype=object))

    def sender(self, name):
        def send(receiver, topic, body):
            seal = self.seals[name]
            letter = Letter(
                receiver, name, topic.value, seal.close(receiver, topic.value.encode(), body)
            )
            self.letters.append(letter)
            for _ in range(3):
                answer = self.post(letter, self.deliver)
                if answer is not None:
                    return opened_answer(answer, seal, receiver, letter.payload)
            raise NoReplyError(f"{receiver!r} gave no answer in 15 s.")

        return send

    def deliver(self, letter):
        receiver = letter.target
        return answer_to(letter.payload, self.seals[receiver], self.parts[receiver].handle)

    def tell(self, sender, receiver, topic, body=b""):
        """Send something of the fit that has begun."""
        session = self.terms.session if self.terms else b""
        return self.sender(sender)(receiver, topic, session + body)

    def open(self, plan=PLAN, names=PARTIES, analyst=ANALYST):
        self.terms = Terms.propose(plan, study().roster)
        for name in names:
            while self.sender(analyst)(name, Topic.OPEN, self.terms.to_bytes()) == AT_WORK:
                threading.Event().wait(0.005)
        return self.terms

    def sums(self):
        return RemoteSums(
            self.terms.roster_of(study().roster),
            lambda topic, body: self.tell(ANALYST, HOLDER, topic, body),
        )

    @contextlib.contextmanager
    def session(self, plan):
        self.open(plan)
        yield Session(self.sums())
        for name in PARTIES:
            self.tell(ANALYST, name, Topic.END)

    def close(self):
        """End all threads, and wait for them."""
        for part in self.parts.values():
            part.close()
        for part in self.parts.values():
            part._worker.shutdown()
        self.parts[HOLDER]._to_all.shutdown()
