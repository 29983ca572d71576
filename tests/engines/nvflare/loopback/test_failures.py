"""Somebody is killed, or stands still, at each stage: all stop, and the next fit works.

``pytest -n0 -rP tests/engines/nvflare/loopback`` prints the seconds until the
analyst is told, and until nobody's process of the job is left.
"""

import re
import threading
import time

import numpy as np
import pytest
from failing_fits import LIMIT, TIMEOUT, wait_until_stopped

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import FederationError


def test_a_hospital_is_killed_while_the_job_starts(running, soon):  # noqa: ARG001
    killed = []

    def kill():
        while not running.processes("south", "job"):
            time.sleep(0.05)
        killed.append(time.monotonic())
        running.signal("south", "job")

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(FederationError) as caught:
        FederatedLinearRegression().fit(running.federation(timeout=TIMEOUT))
    told = time.monotonic() - killed[0]
    stopped = wait_until_stopped(running, killed[0])
    print(f"told after {told:.0f} s, all stopped after {stopped:.0f} s: {caught.value}")
    assert max(told, stopped) < LIMIT
    assert str(caught.value).startswith("client 'south' is missing: its process ended before the")


def test_a_hospital_is_killed_when_the_last_total_is_told(running, unfinished):
    """A fit is only one whose job ended as completed."""
    text = unfinished(lambda: running.signal("north", "job"), round_number=5, max_iter=3)

    assert text.startswith("client 'north' is missing: its process ended before the fit did")


def test_a_hospitals_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("east", "job"))

    assert text.startswith("client 'east' is missing: its process ended before the fit did")


def test_the_key_holders_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("trustee", "job"))

    assert text.startswith("client 'trustee' is missing: its process ended before the fit did")


def test_the_servers_part_is_killed(running, unfinished):
    text = unfinished(lambda: running.signal("localhost", "job"))

    assert re.match("The (job ended as FINISHED|server)", text)


def test_the_server_is_killed_and_comes_back(running, unfinished, shards):
    text = unfinished(lambda: running.stop("localhost"))

    assert text.startswith("The server")
    before = running.connected()
    running.start("localhost")
    running.wait_until_connected(before=before)
    est = FederatedLinearRegression(solver="normal_equations")
    found = est.fit(running.federation()).coef_
    np.testing.assert_array_equal(found, est.fit(shards).coef_)
