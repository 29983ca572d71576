import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sklearn_fedphe.engines.nvflare import sessions
from sklearn_fedphe.engines.nvflare.sessions import SessionError, SessionLedger


def ledger(folder):
    made = SessionLedger(folder / "sessions")
    made.create()
    return made


def test_a_session_is_taken_part_in_once_by_all_processes_after(tmp_path):
    first, second = os.urandom(16), os.urandom(16)
    ledger(tmp_path).begin("client 'north'", first)
    SessionLedger(tmp_path / "sessions").begin("client 'north'", second)
    message = f"client 'north' has taken part in session {first.hex()} before, and masks"
    with pytest.raises(SessionError, match=message):
        SessionLedger(tmp_path / "sessions").begin("client 'north'", first)


def test_a_session_is_taken_part_in_by_one_of_two_who_begin_at_once(tmp_path, monkeypatch):
    """Each opens the file for itself, as two processes do, and the second waits."""
    looked, may_note, append_line = threading.Event(), threading.Event(), sessions.append_line

    def noted_late(path, line):
        looked.set()
        assert may_note.wait(30)
        append_line(path, line)

    ledger(tmp_path)

    def begin():
        SessionLedger(tmp_path / "sessions").begin("client 'north'", bytes(16))

    with ThreadPoolExecutor(2) as threads:
        monkeypatch.setattr(sessions, "append_line", noted_late)
        first = threads.submit(begin)
        assert looked.wait(30)
        monkeypatch.setattr(sessions, "append_line", append_line)
        second = threads.submit(begin)
        with pytest.raises(TimeoutError):
            second.result(0.1)
        may_note.set()
        assert first.result(30) is None
        with pytest.raises(SessionError):
            second.result(30)
    assert (tmp_path / "sessions").read_text() == "00" * 16 + "\n"


def test_a_line_cut_off_before_hides_no_session(tmp_path):
    path, session = tmp_path / "sessions", os.urandom(16)
    path.write_text("ab12")  # of a process that was ended, or a disk that was full
    SessionLedger(path).begin("client 'north'", session)
    with pytest.raises(SessionError):
        SessionLedger(path).begin("client 'north'", session)


def test_the_list_is_its_owners_alone(tmp_path):
    ledger(tmp_path).begin("client 'north'", bytes(16))
    assert stat.S_IMODE((tmp_path / "sessions").stat().st_mode) == 0o600


def test_without_a_list_nothing_is_begun(tmp_path):
    """An empty one in its place would take part in everything again."""
    ledger(tmp_path).begin("client 'north'", bytes(16))
    (tmp_path / "sessions").unlink()
    with pytest.raises(
        SessionError,
        match="client 'north' has no list of the sessions that it took part in, and cannot tell "
        "whether its masks would be the same; run doctor there",
    ):
        SessionLedger(tmp_path / "sessions").begin("client 'north'", bytes(16))


def test_a_list_that_is_there_is_not_begun_anew(tmp_path):
    ledger(tmp_path).begin("client 'north'", bytes(16))
    with pytest.raises(SessionError, match="before"):
        ledger(tmp_path).begin("client 'north'", bytes(16))
