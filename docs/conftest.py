"""The pages' examples are tests: their fits take keys made once for each length and page."""

from functools import cache

import pytest

from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.protocol import ring


@pytest.fixture(autouse=True, scope="module")
def keys_made_once():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ring, "generate_private_key", cache(generate_private_key))
        yield
