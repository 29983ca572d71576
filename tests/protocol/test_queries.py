import numpy as np
import pytest

from sklearn_fedphe.least_squares import Frame
from sklearn_fedphe.protocol.queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
    query_from_bytes,
    query_to_bytes,
)

FRAME = Frame(np.array([1.0, 2.0]), np.array([3.0, np.inf]), 4.0, 5.0, 6.0)
QUERIES = [
    SumsQuery(),
    StartQuery(),
    SquaresQuery(np.array([1.0, 2.0]), 3.0),
    GradientQuery(np.array([7.0, 8.0]), FRAME, Slots.STANDARD),
    GradientQuery(np.array([7.0, 8.0, 9.0]), FRAME, Slots.LONG),
    GramQuery(Slots.EXACT),
    GramQuery(Slots.EXACT_WEIGHTED),
    ErrorsQuery(3.0),
]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
def test_query_survives_the_way(query):
    again = query_from_bytes(query_to_bytes(query), n_features=2)

    assert type(again) is type(query)
    assert again.slots is query.slots
    assert query_to_bytes(again) == query_to_bytes(query)
    # A dataclass of arrays has no plain equality; its repr shows every field.
    assert repr(again) == repr(query)


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
@pytest.mark.parametrize(
    "change",
    [
        lambda d: d[:-1],
        lambda d: d + b"\0",
        lambda d: d + bytes(8),
        lambda _: b"",
        lambda d: b"\x02" + d[1:],
        lambda d: d[:1] + b"\x06" + d[2:],
        lambda d: d[:2] + b"\x05" + d[3:],
        lambda d: d[:2] + bytes([d[2] ^ 2]) + d[3:],
    ],
    ids=["short", "long", "a float more", "empty", "version", "kind", "slots", "other slots"],
)
def test_refuses_what_is_no_query(query, change):
    with pytest.raises(ValueError, match="is not a query of version 1 about 2 features"):
        query_from_bytes(change(query_to_bytes(query)), n_features=2)


@pytest.mark.parametrize("query", QUERIES[2:5], ids=lambda query: type(query).__name__)
def test_refuses_a_query_about_other_features(query):
    with pytest.raises(ValueError, match="about 7 features"):
        query_from_bytes(query_to_bytes(query), n_features=7)


def test_refuses_slots_that_do_not_belong_to_the_query():
    data = bytearray(query_to_bytes(SumsQuery()))
    data[2] = list(Slots).index(Slots.LONG)

    with pytest.raises(ValueError, match="is not a query"):
        query_from_bytes(bytes(data), n_features=2)


@pytest.mark.parametrize(("slots", "weight"), [(Slots.EXACT, 0), (Slots.EXACT_WEIGHTED, 130 + 41)])
@pytest.mark.parametrize("n_clients", [3, 4, 100])
def test_exact_slots_are_as_wide_as_products_need_and_no_wider(slots, weight, n_clients):
    layout = slots.layout(3070, n_clients)
    largest = (2 ** (93 + 145) - 1) ** 2 * 2**weight  # of one product, in units of the grid

    rows_of_each_client = 2**34 // 2**layout.guard_bits
    edge = np.array([rows_of_each_client * largest], dtype=object)
    assert layout.encode_integers(edge).integers == (edge[0],)
    with pytest.raises(OverflowError):
        layout.encode_integers(edge + rows_of_each_client * 2**240 * 2**weight)

    assert layout.n_slots == {Slots.EXACT: 6, Slots.EXACT_WEIGHTED: 4}[slots]
    assert (
        slots.layout(2046, n_clients).n_slots == {Slots.EXACT: 4, Slots.EXACT_WEIGHTED: 3}[slots]
    )
