"""Somebody leaves, for a while or for good: all stop, and the next fit works."""

import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import afternoon
import pytest
from afternoon import ANALYST
from failing_fits import LIMIT, TIMEOUT, wait_until_stopped

pytestmark = pytest.mark.usefixtures("soon")

LONG_FIT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has jobs ignore it
from afternoon import Afternoon, ANALYST, HOSPITALS
from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import NVFlareFederation
federation = NVFlareFederation({kit!r}, HOSPITALS, "trustee", timeout={timeout})
FederatedLinearRegression(
    learning_rate=0.1, max_iter=100_000, tol=None, verbose=1
).fit(federation)
"""


def test_a_hospital_stands_still_and_comes_back(running, unfinished):
    def stop_for_a_while():
        running.signal("south", number=signal.SIGSTOP)
        threading.Timer(TIMEOUT + 6, running.signal, ("south", "", signal.SIGCONT)).start()

    assert re.search(
        f"'south' gave no (answer in|sign of life for) {TIMEOUT} s", unfinished(stop_for_a_while)
    )


def test_a_whole_hospital_is_killed_and_restarted(running, unfinished):
    before = running.connected()

    def kill_and_restart():
        running.stop("north")
        running.start("north")

    text = unfinished(kill_and_restart)

    assert re.search(f"'north' gave no (answer in|sign of life for) {TIMEOUT} s", text)
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
    try:
        _, errors = analyst.communicate(timeout=2 * LIMIT)
    finally:
        analyst.kill()
        analyst.communicate()

    assert errors.rstrip().endswith("KeyboardInterrupt")
    told = time.monotonic() - pressed
    stopped = wait_until_stopped(running, pressed)
    print(f"told after {told:.0f} s, all stopped after {stopped:.0f} s")


def long_fit(machines, folder):
    script = folder / "long_fit.py"
    script.write_text(LONG_FIT.format(kit=str(machines.kit(ANALYST)), timeout=TIMEOUT))
    analyst = subprocess.Popen(  # noqa: S603
        [sys.executable, "-u", script],
        env={"PYTHONPATH": str(Path(afternoon.__file__).parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in analyst.stdout:
        if "iteration 3" in line:
            return analyst
    raise AssertionError(analyst.communicate()[1])
