"""A hospital that has told too often of its rows tells no more, until its owner has looked."""

import pytest

from sklearn_fedphe.engines.nvflare.refusals import MOST, RefusalCount, TooManyRefusalsError


def test_so_many_times_are_enough(tmp_path):
    for number in range(MOST):
        RefusalCount(tmp_path / "refusals").check("client 'north'")
        RefusalCount(tmp_path / "refusals").note(bytes([number]))
    with pytest.raises(
        TooManyRefusalsError,
        match="client 'north' has ended 3 fits for what is in its rows, each of which tells "
        "something of them, and 3 are the most; its owner looks at its audit log, and runs site "
        r"again\.",
    ):
        RefusalCount(tmp_path / "refusals").check("client 'north'")


def test_its_owner_begins_anew(tmp_path):
    count = RefusalCount(tmp_path / "refusals")
    count.clear()
    for _ in range(MOST):
        count.note(b"session")
    count.clear()
    count.check("client 'north'")
