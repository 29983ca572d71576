import hashlib
import json
import os
import stat
from datetime import UTC, datetime

import pytest

from sklearn_fedphe.engines.nvflare import audit
from sklearn_fedphe.engines.nvflare.audit import AuditLog, append_line


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_event_is_a_line_of_what_was_done_for_whom(tmp_path):
    before = datetime.now(UTC)
    log = AuditLog(tmp_path / "audit.jsonl")
    log.write("answered", study=b"\1" * 16, analyst="ann", message=b"question", round=3, sent=7)
    log.write("ended", study=b"\1" * 16, analyst="ann")
    first, second = lines(tmp_path / "audit.jsonl")
    time = datetime.fromisoformat(first.pop("time"))
    assert abs((time - before).total_seconds()) < 60
    assert time.tzinfo == UTC
    assert first == {
        "event": "answered",
        "study": "01" * 16,
        "analyst": "ann",
        "round": 3,
        "sent": 7,
        "digest": hashlib.sha256(b"question").hexdigest(),
    }
    assert second["event"] == "ended"
    assert "digest" not in second


def test_what_others_say_stays_on_its_line(tmp_path):
    AuditLog(tmp_path / "audit.jsonl").write("refused", study=b"", analyst='a\n{"event": "x"}')
    (line,) = lines(tmp_path / "audit.jsonl")
    assert line["event"] == "refused"


def test_the_log_is_its_owners_alone_and_only_grows(tmp_path):
    path = tmp_path / "audit.jsonl"
    AuditLog(path).write("joined", study=b"", analyst="ann")
    AuditLog(path).write("ended", study=b"", analyst="ann")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [line["event"] for line in lines(path)] == ["joined", "ended"]


def test_a_line_is_on_the_disk_on_return(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(audit.os, "fsync", lambda fd: written.append(os.fstat(fd).st_size))
    append_line(tmp_path / "log", "line")
    assert written == [5]


def test_a_line_that_is_cut_off_is_an_error(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(audit.os, "write", lambda fd, data: write(fd, data[:3]))
    with pytest.raises(OSError, match="A line was cut off; make room on the disk"):
        append_line(tmp_path / "log", "line")
