import numpy as np
import pytest

from sklearn_fedphe.least_squares import Frame
from sklearn_fedphe.protocol import RefusedMessageError
from sklearn_fedphe.protocol.queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)
from sklearn_fedphe.protocol.query_bytes import query_from_bytes, query_to_bytes

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
        lambda d: b"\x06" + d[1:],
        lambda d: d[:1] + b"\x05" + d[2:],
        lambda d: d[:1] + bytes([d[1] ^ 2]) + d[2:],
    ],
    ids=["short", "long", "a float more", "empty", "kind", "slots", "other slots"],
)
def test_refuses_what_is_no_query(query, change):
    with pytest.raises(ValueError, match="that are no query about 2 features"):
        query_from_bytes(change(query_to_bytes(query)), n_features=2)


@pytest.mark.parametrize("query", QUERIES[2:5], ids=lambda query: type(query).__name__)
def test_refuses_a_query_about_other_features(query):
    with pytest.raises(ValueError, match="about 7 features"):
        query_from_bytes(query_to_bytes(query), n_features=7)


def test_refuses_slots_that_do_not_belong_to_the_query():
    data = bytearray(query_to_bytes(SumsQuery()))
    data[1] = list(Slots).index(Slots.LONG)

    with pytest.raises(ValueError, match="that are no query"):
        query_from_bytes(bytes(data), n_features=2)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", range(6))
def test_refuses_points_and_centers_that_are_not_finite(number, place):
    center, target_center, weight, point = np.array([1.0, 2.0]), 3.0, 4.0, np.array([5.0, 6.0])
    match place:
        case 0 | 1:
            center[place] = number
        case 2:
            target_center = number
        case 3:
            weight = number
        case _:
            point[place - 4] = number
    frame = Frame(center, np.ones(2), target_center, 1.0, weight)
    queries = [GradientQuery(point, frame, Slots.STANDARD)]
    if place < 3:
        queries.append(SquaresQuery(center, target_center))
    if place == 2:
        queries.append(ErrorsQuery(target_center))

    for query in queries:
        with pytest.raises(RefusedMessageError, match="that are no query"):
            query_from_bytes(query_to_bytes(query), n_features=2)


@pytest.mark.parametrize("number", [np.nan, -np.inf, -1.0, 0.0])
def test_refuses_scales_and_weights_that_are_not_positive(number):
    for frame in (
        Frame(np.zeros(2), np.array([1.0, number]), 0.0, 1.0, 1.0),
        Frame(np.zeros(2), np.ones(2), 0.0, number, 1.0),
        Frame(np.zeros(2), np.ones(2), 0.0, 1.0, number),
    ):
        query = GradientQuery(np.zeros(2), frame, Slots.STANDARD)
        with pytest.raises(RefusedMessageError, match="that are no query"):
            query_from_bytes(query_to_bytes(query), n_features=2)


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
