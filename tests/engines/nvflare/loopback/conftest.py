"""The guide's federation on this machine, started once for all tests of this folder."""

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
def running(machines):
    """Started and connected."""
    machines.start_all()
    return machines


def pytest_collection_modifyitems(items):
    """All on one worker, and first, since they take longest."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.xdist_group("loopback"))
    items[:] = here + [item for item in items if item not in here]
