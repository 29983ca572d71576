"""The guide's federation on this machine, started once for each of two workers."""

import time
from pathlib import Path

import pytest
from afternoon import SITES, Afternoon, study_shards
from failing_fits import LIMIT, TIMEOUT, no_partial_total, wait_until_stopped

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import FederationError
from sklearn_fedphe.protocol import observe


@pytest.fixture(scope="session")
def shards():
    return study_shards()


@pytest.fixture(scope="session")
def machines(tmp_path_factory, shards):
    """Prepared, looked over and not started."""
    afternoon = Afternoon(tmp_path_factory.mktemp("afternoon"), shards)
    afternoon.prepare()
    yield afternoon
    afternoon.stop_all()


@pytest.fixture(scope="session")
def record(machines):
    """All that comes to the server's processes is written here."""
    path = machines.folder / "seen"
    recording = Path(__file__).parent / "recording"
    machines.environments["localhost"] = {"PYTHONPATH": str(recording), "RECORD_TO": str(path)}
    return path


@pytest.fixture(scope="session")
def running(machines, record):  # noqa: ARG001 - it records from the start
    """Started and connected."""
    machines.start_all()
    return machines


@pytest.fixture(scope="session")
def soon(machines):
    """Sites that leave after the least time of silence that there can be."""
    for name in SITES:
        printed = machines.run(
            f"python -m sklearn_fedphe.engines.nvflare site --kit kits/{name} --timeout {TIMEOUT}"
        )
        assert name in printed


@pytest.fixture
def unfinished(running, soon):  # noqa: ARG001 - sites that do not wait long
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


def pytest_collection_modifyitems(items):
    """First of all: they take longest, and mostly wait."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    items[:] = here + [item for item in items if item not in here]
