"""The guide's federation on this machine, started once for each of two workers."""

from pathlib import Path

import pytest
from afternoon import Afternoon, study_shards


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


def pytest_collection_modifyitems(items):
    """First of all: they take longest, and mostly wait."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    items[:] = here + [item for item in items if item not in here]
