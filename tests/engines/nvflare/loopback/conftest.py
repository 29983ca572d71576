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
def running(machines):
    """Started and connected."""
    machines.start_all()
    return machines


def pytest_collection_modifyitems(items):
    """A federation for each of two workers, and first: they mostly wait."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        of_failures = item.path.stem == "test_failures"
        item.add_marker(pytest.mark.xdist_group("failures" if of_failures else "fits"))
    items[:] = here + [item for item in items if item not in here]
