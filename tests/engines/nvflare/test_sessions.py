import multiprocessing
import os
import stat

import pytest

from sklearn_fedphe.engines.nvflare.sessions import SessionError, SessionLedger


def begin(path, session, barrier, taken):
    barrier.wait()
    try:
        SessionLedger(path).begin("north", session)
    except SessionError:
        taken.put(False)
    else:
        taken.put(True)


def test_a_session_is_taken_part_in_once_by_all_processes_after(tmp_path):
    first, second = os.urandom(16), os.urandom(16)
    SessionLedger(tmp_path / "sessions").begin("north", first)
    SessionLedger(tmp_path / "sessions").begin("north", second)
    message = f"client 'north' has taken part in session {first.hex()} before, and its masks"
    with pytest.raises(SessionError, match=message):
        SessionLedger(tmp_path / "sessions").begin("north", first)


def test_a_session_is_taken_part_in_by_one_of_two_processes_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    for _ in range(3):
        barrier, taken = context.Barrier(2), context.Queue()
        given = (tmp_path / "sessions", os.urandom(16), barrier, taken)
        both = [context.Process(target=begin, args=given) for _ in range(2)]
        for process in both:
            process.start()
        assert sorted(taken.get(timeout=60) for _ in both) == [False, True]
        for process in both:
            process.join()


def test_a_line_cut_off_before_hides_no_session(tmp_path):
    path, session = tmp_path / "sessions", os.urandom(16)
    path.write_text("ab12")  # of a process that was ended, or a disk that was full
    SessionLedger(path).begin("north", session)
    with pytest.raises(SessionError):
        SessionLedger(path).begin("north", session)


def test_the_list_is_its_owners_alone(tmp_path):
    SessionLedger(tmp_path / "sessions").begin("north", bytes(16))
    assert stat.S_IMODE((tmp_path / "sessions").stat().st_mode) == 0o600


def test_a_session_that_cannot_be_noted_is_not_begun(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        SessionLedger(tmp_path / "nowhere" / "sessions").begin("north", bytes(16))
