"""Messages altered at random, at every door of every party: documented errors and no others.

``docs/benchmarks/fuzz_messages.py`` does the same to a million messages, by the code they reach.
"""

import tracemalloc
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_fedphe.protocol import RefusedMessageError

PATH = Path(__file__).parents[2] / "docs" / "benchmarks" / "doors.py"
QUERIES = ("sums", "start", "squares", "gradient", "errors", "products", "noisy products")
DOORS = [
    "public key",
    *(
        f"{kind}, {query}{party}"
        for query in QUERIES
        for kind, party in (
            ("query", ""),
            ("running sum", ", client"),
            ("running sum", ", key holder"),
            ("total", ""),
        )
    ),
]


@pytest.fixture(scope="module")
def doors():
    spec = spec_from_file_location("doors", PATH)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.all_doors()


def test_every_door_is_known_and_takes_what_fits_it(doors):
    assert sorted(doors) == sorted(DOORS)
    for take, message in doors.values():
        take(message)
        take(message)


ALTERATIONS = {
    "flip": lambda m, at, data, _: m[:at] + bytes([m[at] ^ data[0]]) + m[at + 1 :],
    "set": lambda m, at, data, _: m[:at] + data + m[at + len(data) :],
    "cut": lambda m, at, *_: m[:at],
    "drop": lambda m, at, _, amount: m[:at] + m[at + amount :],
    "insert": lambda m, at, data, _: m[:at] + data + m[at:],
    "repeat": lambda m, at, _, amount: m + m[at : at + amount],
    "anything": lambda _m, _at, data, amount: data * amount,
}


@st.composite
def alterations(draw):
    """A function from one message to another."""
    change = ALTERATIONS[draw(st.sampled_from(sorted(ALTERATIONS)))]
    place, amount = draw(st.floats(0, 1)), draw(st.integers(1, 300))
    data = draw(st.binary(min_size=1, max_size=12))

    def alter(message):
        at = min(int(place * len(message)), len(message) - 1)
        return change(message, at, data, amount) or b"\0"

    return alter


def refusal(take, message):
    try:
        take(message)
    except (ValueError, OverflowError) as error:
        return error


@pytest.mark.parametrize("door", DOORS)
@settings(max_examples=150)
@given(altered=st.lists(alterations(), min_size=1, max_size=3))
def test_an_altered_message_is_taken_or_refused_as_documented(doors, door, altered):
    take, message = doors[door]
    for alter in altered:
        message = alter(message)

    error = refusal(take, message)

    assert len(str(error)) < 500
    if isinstance(error, RefusedMessageError):
        assert door != "public key"
    elif isinstance(error, OverflowError):
        assert door.startswith("query")
        assert "client 'B' would send" in str(error)
    elif error is not None:
        texts = ["is not a sum of encoded vectors"]
        if door == "public key":
            texts = ["A public key"]
        elif door.endswith(("sums, key holder", "squares, key holder", "products, key holder")):
            texts.append("on fewer rows in all")  # a count that happens to decode, below 0
        assert any(text in str(error) for text in texts)
        assert door == "public key" or "key holder" in door


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("other", DOORS)
def test_a_message_for_another_door_is_refused(doors, door, other):
    (take, own), (_, message) = doors[door], doors[other]
    if message == own:
        return
    with pytest.raises(ValueError, match=r"A public key|A message of|round|roster|where|in order"):
        take(message)


@pytest.mark.parametrize("door", [door for door in DOORS if door != "public key"])
def test_a_long_message_takes_no_more_memory_than_it_has(doors, door):
    take, message = doors[door]
    long = message + bytes(10**6)
    tracemalloc.start()
    with pytest.raises(RefusedMessageError):
        take(long)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 5 * len(long)
