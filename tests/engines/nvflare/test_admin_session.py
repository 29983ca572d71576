"""The analyst's session: what the server says of a job, and what is made of it."""

import base64
import threading
import time

import pytest
from nvflare.fuel.flare_api.api_spec import InternalError, JobNotRunning, NoConnection, NoReply
from stand_ins import ANALYST, JOB, wait_until

from sklearn_fedphe.engines.nvflare import admin_session
from sklearn_fedphe.engines.nvflare.admin_session import AdminSession
from sklearn_fedphe.engines.nvflare.server_calls import FederationError

KIT = "/kits/ann"


class FakeSession:
    """NVIDIA FLARE's, that answers what it is told to."""

    def __init__(self):
        self.answers = []  # of commands, in order; the last one again and again
        self.status = ["RUNNING"]  # the same
        self.detail = None
        self.commands, self.calls = [], []
        self.errors = {}

    def _called(self, name, *given):
        self.calls.append((name, *given))
        if name in self.errors:
            raise self.errors[name]

    def submit_job(self, folder):
        self._called("submit", folder)
        return JOB

    def do_app_command(self, job, topic, data):
        self.commands.append(data)
        self._called("ask", job, topic)
        found = self.answers.pop(0) if len(self.answers) > 1 else (self.answers or [{}])[0]
        if isinstance(found, Exception):
            raise found
        return found

    def get_job_meta(self, job):
        self._called("meta", job)
        status = self.status.pop(0) if len(self.status) > 1 else self.status[0]
        return {"status": status, "job_deploy_detail": self.detail}

    def abort_job(self, job):
        self._called("abort", job)

    def close(self):
        self._called("close")


@pytest.fixture
def server(monkeypatch):
    made = FakeSession()
    monkeypatch.setattr(admin_session, "_BEAT", 0.1)
    monkeypatch.setattr(admin_session, "_STARTING", 0.6)
    monkeypatch.setattr(admin_session, "_ABORTING", 0.2)

    def connect(name, kit, timeout):
        print("Trying to connect")
        made._called("connect", name, kit, timeout)
        return made

    monkeypatch.setattr(admin_session, "new_secure_session", connect)
    return made


@pytest.fixture
def session(server):
    made = AdminSession(KIT, ANALYST, 0.3)
    assert server.calls == [("connect", ANALYST, KIT, 0.3)]
    yield made
    made.close()


def test_connecting_prints_nothing(session, capsys):
    assert capsys.readouterr().out == ""
    assert session.status() == "RUNNING"


def test_a_server_that_cannot_be_reached_is_an_error_of_ours(server):
    server.errors["connect"] = ConnectionRefusedError("no way")
    message = "The server could not be asked: ConnectionRefusedError: no way"
    with pytest.raises(FederationError, match=message) as error:
        AdminSession(KIT, ANALYST, 0.3)
    assert isinstance(error.value.__cause__, ConnectionRefusedError)


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_twice_the_timeout(
    server, monkeypatch
):
    go_on = threading.Event()
    monkeypatch.setattr(admin_session, "new_secure_session", lambda *_, **__: go_on.wait(5))
    with pytest.raises(FederationError, match=r"The server gave no answer in 0\.2 s\."):
        AdminSession(KIT, ANALYST, 0.1)
    go_on.set()
    assert server.calls == []


def test_a_job_has_started_when_its_servers_part_answers(session, server):
    server.answers = [InternalError("not yet"), JobNotRunning(), NoReply(), NoConnection(), {}]
    started = time.monotonic()
    wait = threading.Event().wait
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(admin_session.time, "sleep", lambda _: wait(0.001))
        session.submit("folder", 5.0)
    assert time.monotonic() - started < 1
    assert ("submit", "folder") in server.calls
    assert server.commands[:4] == 4 * [{"alive": True}]


def test_a_job_that_does_not_start_says_how_far_it_is(session, server):
    server.answers, server.status = [JobNotRunning()], ["SUBMITTED"]
    message = r"did not start in 0 s \(it is SUBMITTED\): are all sites and the key holder conne"
    with pytest.raises(FederationError, match=message):
        session.submit("folder", 0.0)


def test_a_job_that_ends_before_it_starts_says_which_site_refused(session, server):
    server.answers, server.status = [JobNotRunning()], ["FINISHED:CANT_SCHEDULE"]
    server.detail = ["north: OK", "east: the site accepts the job of sklearn_fedphe alone"]
    with pytest.raises(FederationError) as error:
        session.submit("folder", 5.0)
    assert str(error.value) == (
        "The job ended as FINISHED:CANT_SCHEDULE (east: the site accepts the job of "
        "sklearn_fedphe alone)."
    )


def test_a_job_that_cannot_be_submitted_says_why(session, server):
    server.errors["submit"] = PermissionError("not authorized")
    with pytest.raises(FederationError, match="could not be asked: PermissionError: not author"):
        session.submit("folder", 5.0)
    session.abort()  # there is none
    assert "abort" not in [name for name, *_ in server.calls]


def test_a_message_is_delivered_and_answered(session, server):
    server.answers = [{"answer": base64.b64encode(b"answer").decode()}]
    assert session.deliver("east", b"message") == b"answer"
    assert server.commands == [{"to": "east", "message": base64.b64encode(b"message").decode()}]


def test_a_message_that_is_not_answered_is_sent_again(session, server):
    server.answers = [{}, NoReply(), {"answer": "YQ=="}]
    assert session.deliver("east", b"message") == b"a"
    assert len(server.commands) == 3
    assert server.commands[0] == server.commands[1] == server.commands[2]


def test_why_a_job_is_about_to_end_is_told(session, server):
    server.answers = [{"why": "client 'east' gave no sign of life for 15 s."}]
    with pytest.raises(FederationError, match="client 'east' gave no sign of life for"):
        session.deliver("north", b"message")


def test_why_is_kept_whichever_question_it_answered(session, server):
    why = "client 'east' is missing: its process ended before the fit did."
    session.submit("folder", 5.0)
    server.answers = [{"why": why}]
    wait_until(lambda: session._why)  # by a sign of life
    server.answers, server.status = [JobNotRunning()], ["FINISHED:EXECUTION_EXCEPTION"]
    with pytest.raises(FederationError, match=f"^{why}$"):
        session.deliver("north", b"message")
    with pytest.raises(FederationError, match=f"^{why}$"):
        session.complete(5.0)


@pytest.mark.parametrize("error", [JobNotRunning(), NoConnection()])
def test_a_job_that_has_ended_meanwhile_says_how(session, server, error):
    server.answers, server.status = [error], ["FINISHED:ABORTED"]
    message = "^The job ended as FINISHED:ABORTED; see the server's log.$"
    with pytest.raises(FederationError, match=message):
        session.deliver("north", b"message")


def test_a_party_that_does_not_answer_is_named(session, server):
    server.answers = [{"answer": "YQ=="}, {}]
    session.deliver("east", b"message")
    with pytest.raises(FederationError, match=r"^'east' gave no answer in 0\.3 s\.$"):
        session.deliver("east", b"message")


def test_a_party_has_longer_for_its_first_answer(session, server):
    """Its process starts beside the others, on a machine that may be busy."""
    server.answers = [{"answer": "YQ=="}, {}]
    session.deliver("east", b"message")
    with pytest.raises(FederationError, match=r"^'north' gave no answer in 0\.6 s\.$"):
        session.deliver("north", b"message")


def test_a_server_that_hangs_is_an_error_in_time(session, server):
    go_on = threading.Event()
    server.do_app_command = lambda *_: go_on.wait(5)
    with pytest.raises(FederationError, match=r"The server gave no answer in 0\.3 s\."):
        session.deliver("east", b"message")
    go_on.set()


def test_errors_of_the_session_are_errors_of_ours(session, server):
    server.errors["ask"] = RuntimeError("session is inactive")
    with pytest.raises(FederationError, match="could not be asked: RuntimeError: session is"):
        session.deliver("east", b"message")
    server.errors["meta"] = RuntimeError("session is inactive")
    with pytest.raises(FederationError, match="could not be asked: RuntimeError: session is"):
        session.status()


def test_a_server_that_is_gone_is_told_from_a_job_that_is(session, server):
    server.errors["ask"] = server.errors["meta"] = NoConnection("cannot connect")
    message = "^The server could not be asked: NoConnection: cannot connect$"
    with pytest.raises(FederationError, match=message):
        session.deliver("east", b"message")


def test_an_interruption_leaves_at_once(session, server):
    def interrupt(*_):
        raise KeyboardInterrupt

    server.do_app_command = interrupt
    with pytest.raises(KeyboardInterrupt):
        session.deliver("east", b"message")


def test_a_fit_that_is_over_waits_until_its_job_is(session, server):
    server.status = ["RUNNING", "RUNNING", "FINISHED:COMPLETED"]
    session.complete(5.0)
    assert server.commands == [{"over": True}]


def test_that_a_fit_is_over_is_said_until_it_is_heard(session, server):
    server.status = ["RUNNING", "RUNNING", "RUNNING", "FINISHED:COMPLETED"]
    server.answers = [NoReply(), NoReply(), {}]
    session.complete(5.0)
    assert server.commands == 3 * [{"over": True}]


@pytest.mark.parametrize(
    "status", ["FINISHED:ABORTED", "FINISHED:EXECUTION_EXCEPTION", "FINISHED"]
)
def test_there_is_one_success(session, server, status):
    server.status = [status]
    message = f"^The job ended as {status}, not as FINISHED:COMPLETED"
    with pytest.raises(FederationError, match=message):
        session.complete(5.0)


def test_a_job_that_does_not_end_is_an_error(session):
    with pytest.raises(FederationError, match="did not end in 0 s: it is RUNNING"):
        session.complete(0.0)


def test_an_abort_is_told_once_and_waits_for_nobody(session, server):
    session.submit("folder", 5.0)
    session.abort()
    assert ("abort", JOB) in server.calls
    server.errors["abort"] = RuntimeError("gone")
    session.abort()
    go_on = threading.Event()
    server.abort_job = lambda _: go_on.wait(5)
    started = time.monotonic()
    session.abort()
    assert time.monotonic() - started < 2
    go_on.set()


def test_closing_waits_for_nobody(session, server):
    server.errors["close"] = RuntimeError("gone")
    session.close()
    assert ("close",) in server.calls


def test_there_are_signs_of_life_while_nothing_is_asked(session, server):
    session.submit("folder", 5.0)
    n_asked = len(server.commands)
    wait_until(lambda: len(server.commands) >= n_asked + 2)
    assert all(data == {"alive": True} for data in server.commands)
    session.close()
    wait_until(lambda: not [one for one in threading.enumerate() if "_beat" in one.name])
    n_asked = len(server.commands)
    threading.Event().wait(0.3)
    assert len(server.commands) == n_asked


def test_signs_of_life_go_on_after_one_that_failed(session, server):
    session.submit("folder", 5.0)
    server.errors["ask"] = RuntimeError("for a moment")
    n_asked = len(server.commands)
    wait_until(lambda: len(server.commands) >= n_asked + 2)


def test_there_are_none_while_others_are_asked(session, server):
    session.submit("folder", 5.0)
    server.answers = [{"answer": "YQ=="}]
    n_asked = len(server.commands)
    for _ in range(10):
        session.deliver("east", b"message")
        threading.Event().wait(0.02)
    assert {"alive": True} not in server.commands[n_asked:]


@pytest.mark.parametrize("answer", ["not base64!", "a", 7, None, ["YQ=="]])
def test_an_answer_that_a_server_made_up_is_an_error_of_the_federation(session, server, answer):
    server.answers = [{"answer": answer}]
    with pytest.raises(
        FederationError, match="The server handed on an answer that is none; it wa"
    ):
        session.deliver("north", b"message")
