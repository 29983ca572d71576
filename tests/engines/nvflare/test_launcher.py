"""A site's process in a job that ends too early: the server's part hears of it, and is named."""

import sys
import threading
import time
from types import SimpleNamespace

import pytest
from nvflare.apis.fl_constant import FLContextKey
from nvflare.apis.job_launcher_spec import JobReturnCode
from stand_ins import EAST, JOB, FakeCell, FakeEngine, Network, context_of, wait_until

from sklearn_fedphe.engines.nvflare import launcher
from sklearn_fedphe.engines.nvflare.channel import GONE, Channel
from sklearn_fedphe.engines.nvflare.launcher import RingLauncher


@pytest.fixture
def site(monkeypatch, tmp_path):
    """A site that can launch real processes, and what the server's part has heard of it."""
    monkeypatch.setattr(launcher, "_PATIENCE", 0.3)
    network, heard, answers = Network(), [], [b"heard"]

    def hear(origin, payload):
        heard.append((origin, payload))
        return answers.pop(0)

    Channel(FakeCell(network, "server"), JOB, 1.0).listen(GONE, hear)
    fl_ctx = context_of(FakeEngine(FakeCell(network, EAST, "")))
    folder = SimpleNamespace(get_app_custom_dir=lambda _: "")
    fl_ctx.set_prop(FLContextKey.WORKSPACE_OBJECT, folder, private=True, sticky=False)

    def launch(code):
        script = tmp_path / "process.py"
        script.write_text(code)
        monkeypatch.setattr(RingLauncher, "get_command", lambda *_: f"{sys.executable} {script}")
        return RingLauncher().launch_job({"job_id": JOB}, fl_ctx)

    return SimpleNamespace(launch=launch, heard=heard, answers=answers, network=network)


def test_a_process_that_ends_well_is_not_told_of(site):
    process = site.launch("pass")
    process.wait()
    assert process.poll() == JobReturnCode.SUCCESS
    assert site.heard == []


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"])
def test_a_process_that_fails_or_is_killed_is_told_of_by_its_site(site, code):
    process = site.launch(code)
    process.wait()
    assert process.poll() == JobReturnCode.EXECUTION_ERROR
    assert site.heard == [(EAST, b"")]


def test_it_is_told_until_it_is_heard_before_the_end_is_known(site, monkeypatch):
    monkeypatch.setattr(launcher, "_PATIENCE", 10.0)
    site.answers[:] = [None, None, b"heard"]
    process = site.launch("raise SystemExit(1)")
    process.wait()
    assert site.heard == 3 * [(EAST, b"")]


def test_it_is_told_once_the_servers_part_has_started(site, monkeypatch):
    monkeypatch.setattr(launcher, "_PATIENCE", 10.0)
    post, posted = site.network.post, []

    def late(*letter):
        posted.append(letter)
        return post(*letter) if len(posted) > 3 else None

    site.network.post = late
    process = site.launch("raise SystemExit(1)")
    process.wait()
    assert site.heard == [(EAST, b"")]


def test_a_server_that_is_gone_as_well_is_not_told_for_ever(site):
    site.network.post = lambda *_: None
    process = site.launch("raise SystemExit(1)")
    wait_until(lambda: process.poll() != JobReturnCode.UNKNOWN)
    before = time.monotonic()
    process.wait()
    assert time.monotonic() - before < 2
    assert site.heard == []


def test_it_is_told_no_more_once_the_job_is_ended(site, monkeypatch):
    monkeypatch.setattr(launcher, "_PATIENCE", 60.0)
    site.network.post = lambda *_: None
    process = site.launch("raise SystemExit(1)")
    wait_until(lambda: process.poll() != JobReturnCode.UNKNOWN)
    threading.Timer(0.3, process.terminate).start()
    before = time.monotonic()
    process.wait()
    assert time.monotonic() - before < 30


def test_a_process_that_its_site_ends_is_not_told_of(site):
    process = site.launch("import time; time.sleep(60)")
    process.terminate()
    process.wait()
    assert process.poll() == JobReturnCode.EXECUTION_ERROR
    assert site.heard == []
