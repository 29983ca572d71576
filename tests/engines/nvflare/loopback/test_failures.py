"""Somebody is killed, or stands still, at each stage: all stop, and the next fit works.

``pytest -n0 -rP tests/engines/nvflare/loopback/test_failures.py`` prints the seconds until the
analyst is told, and until nobody's process of the job is left.
"""

import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from afternoon import HOSPITALS, SITES

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import FederationError
from sklearn_fedphe.protocol import observe

pytestmark = pytest.mark.xdist_group("failures")

LIMIT = 30
TIMEOUT = 8

LONG_FIT = """
from afternoon import Afternoon, ANALYST, HOSPITALS
from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import NVFlareFederation
federation = NVFlareFederation({kit!r}, HOSPITALS, "trustee", timeout=8)
FederatedLinearRegression(
    learning_rate=0.1, max_iter=100_000, tol=None, verbose=1
).fit(federation)
"""


@pytest.fixture(scope="module", autouse=True)
def soon(machines):
    """Sites that leave after the least time of silence that there can be."""
    for name in SITES:
        printed = machines.run(
            f"python -m sklearn_fedphe.engines.nvflare site --kit kits/{name} --timeout {TIMEOUT}"
        )
        assert name in printed


@pytest.fixture
def unfinished(running):
    """Start a long fit, act at a round of it, and see how it ends."""

    def unfinished(act, round_number=3, max_iter=100_000):
        acted = []

        def note(message):
            if message.round == round_number and not acted:
                acted.append(time.monotonic())
                act()

        est = FederatedLinearRegression(learning_rate=0.1, max_iter=max_iter, tol=None)
        with observe(note), pytest.raises(FederationError) as caught:
            est.fit(running.federation(timeout=TIMEOUT))
        told = time.monotonic() - acted[0]
        stopped = wait_until_stopped(running, acted[0])
        print(f"told after {told:.0f} s, all stopped after {stopped:.0f} s: {caught.value}")
        assert max(told, stopped) < LIMIT
        assert not hasattr(est, "coef_")
        no_partial_total(running)
        return str(caught.value)

    return unfinished


def wait_until_stopped(machines, since, names=("localhost", *SITES)):
    while any(machines.processes(name, "job") for name in names):
        assert time.monotonic() - since < LIMIT, [machines.processes(n, "job") for n in names]
        time.sleep(0.2)
    return time.monotonic() - since


def no_partial_total(machines):
    """Every total that was opened has an answer of every hospital in it."""

    def rounds(name, event):
        return {
            (line["study"], line["round"])
            for line in machines.audit(name)
            if line["event"] == event
        }

    opened = rounds("trustee", "opened")
    assert opened
    for name in HOSPITALS:
        assert opened <= rounds(name, "answered")


def test_a_hospital_is_killed_while_the_job_starts(running):
    killed, before = [], running.connected()

    def kill():
        killed.append(time.monotonic())
        running.signal("south", "site")
        running.signal("south", "job")

    timer = threading.Timer(3, kill)
    timer.start()
    with pytest.raises(FederationError) as caught:
        FederatedLinearRegression().fit(running.federation(timeout=TIMEOUT))
    told = time.monotonic() - killed[0]
    stopped = wait_until_stopped(running, killed[0])
    print(f"told after {told:.0f} s, all stopped after {stopped:.0f} s: {caught.value}")
    assert max(told, stopped) < LIMIT
    running.wait_until_connected(["south"], before)  # its own script starts it again


def test_a_hospital_is_killed_when_the_last_total_is_told(running, unfinished):
    """A fit is only one whose job ended as completed."""
    text = unfinished(lambda: running.signal("north", "job"), round_number=5, max_iter=3)

    assert re.search("'north'|^The job ended as", text)


def test_a_hospitals_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("east", "job"))

    assert re.match("client 'east' had not answered for|The job ended as", text)


def test_the_key_holders_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("trustee", "job"))

    assert re.search("'trustee'|^The job ended as", text)


def test_the_servers_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("localhost", "job"))

    assert re.match("The (job ended as FINISHED|server)", text)


def test_a_hospital_stands_still_and_comes_back(running, unfinished):
    def stop_for_a_while():
        running.signal("south", number=signal.SIGSTOP)
        threading.Timer(14, running.signal, ("south", "", signal.SIGCONT)).start()

    assert re.search(
        "'south' gave no (answer in|sign of life for) 8 s", unfinished(stop_for_a_while)
    )


def test_a_whole_hospital_is_killed_and_restarted(running, unfinished):
    text = unfinished(lambda: running.stop("north"))

    assert re.search("'north' (gave no (answer in|sign of life for) 8 s|had not answered)", text)
    before = running.connected()
    running.start("north")
    running.wait_until_connected(["north"], before)


def test_the_analyst_is_killed(running, tmp_path):
    analyst = long_fit(running, tmp_path)
    killed = time.monotonic()
    analyst.kill()
    analyst.communicate()

    print(f"all stopped after {wait_until_stopped(running, killed):.0f} s")


def test_control_c_ends_the_job(running, tmp_path):
    analyst = long_fit(running, tmp_path)
    pressed = time.monotonic()
    analyst.send_signal(signal.SIGINT)
    _, errors = analyst.communicate(timeout=LIMIT)

    assert errors.rstrip().endswith("KeyboardInterrupt")
    told = time.monotonic() - pressed
    stopped = wait_until_stopped(running, pressed)
    print(f"told after {told:.0f} s, all stopped after {stopped:.0f} s")


def long_fit(machines, folder):
    script = folder / "long_fit.py"
    script.write_text(LONG_FIT.format(kit=str(machines.kit("analyst@study.org"))))
    from afternoon import __file__ as beside

    analyst = subprocess.Popen(  # noqa: S603
        [sys.executable, "-u", script],
        env={"PYTHONPATH": f"{beside.rsplit('/', 1)[0]}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in analyst.stdout:
        if "iteration 3" in line:
            return analyst
    raise AssertionError(analyst.communicate()[1])


def test_the_server_is_killed_and_comes_back(running, unfinished, shards):
    text = unfinished(lambda: running.stop("localhost"))

    assert text.startswith("The server")
    before = running.connected()
    running.start("localhost")
    running.wait_until_connected(before=before)
    est = FederatedLinearRegression(solver="normal_equations")
    found = est.fit(running.federation()).coef_
    np.testing.assert_array_equal(found, est.fit(shards).coef_)
