import threading

import pytest

from sklearn_fedphe.engines.nvflare import watch
from sklearn_fedphe.engines.nvflare.watch import Watch


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    return clock


def test_silence_counts_from_when_one_was_last_heard(clock):
    over = Watch(["north", "east"], timeout=15.0)
    clock.now += 15
    assert over.silent() == []
    over.heard("east")
    clock.now += 0.1
    assert over.silent() == ["north"]
    clock.now += 15
    assert over.silent() == ["north", "east"]
    over.heard("north")
    assert over.silent() == ["east"]


def test_all_have_longer_to_be_heard_for_the_first_time(clock):
    over = Watch(["north", "east"], timeout=10.0, grace=60.0)
    over.heard("east")
    clock.now += 11
    assert over.silent() == ["east"]
    clock.now += 58.9
    assert over.silent() == ["east"]
    clock.now += 0.2
    assert over.silent() == ["north", "east"]


def test_nobody_is_silent_where_nobody_is(clock):
    clock.now += 1e9
    assert Watch([], 1.0).silent() == []


def test_several_threads_may_say_what_they_heard():
    over = Watch(["server"], timeout=60.0)
    threads = [
        threading.Thread(target=lambda: [over.heard("server") for _ in range(200)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert over.silent() == []
