from itertools import pairwise

import numpy as np
import pytest
from hypothesis import settings
from sklearn.datasets import load_diabetes

from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.protocol import ring


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep tests of one federation of processes on one worker; hand out all others one by one."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFederation(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            if "/loopback/" not in nodeid:
                return nodeid
            of_first = "/test_failures.py" in nodeid or "/test_refusals.py" in nodeid
            return "first federation" if of_first else "second federation"

    return ByFederation(config, log)


settings.register_profile("suite", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def short_key():
    """The shortest that holds a wide slot: for properties that do not depend on length."""
    return generate_private_key(1024)


@pytest.fixture(scope="session")
def private_key():
    return generate_private_key(2048)


@pytest.fixture(scope="module")
def known_key(private_key):
    """Every ring of 2048 bits formed in the module takes this key, and the test holds it."""
    keys = {2048: private_key}

    def known(key_length):
        if key_length not in keys:
            keys[key_length] = generate_private_key(key_length)
        return keys[key_length]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring, "generate_private_key", known)
        yield private_key


@pytest.fixture(scope="session")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="session")
def cut():
    """Cut rows in contiguous shards of the given sizes."""

    def cut(sizes, *arrays):
        edges = np.cumsum([0, *sizes])
        return [tuple(array[start:stop] for array in arrays) for start, stop in pairwise(edges)]

    return cut


@pytest.fixture
def watcher():
    """Who notes what a solver tells, and may ask it to stop after so many rounds."""

    class Watcher:
        stop_after = None

        def __init__(self):
            self.begun, self.norms, self.points = 0, [], []

        def begin_round(self):
            self.begun += 1

        def end_round(self, gradient_norm=None, point=None):
            self.norms.append(gradient_norm)
            self.points.append(point)
            return self.begun == self.stop_after

    return Watcher()
