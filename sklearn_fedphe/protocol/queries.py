"""The closed set of what clients may be asked, and its bytes.

A query asks every client for one vector computed from its rows. Queries are public: they
hold nothing but what follows from earlier totals. A client answers these dataclasses and
nothing else (`parties.Client`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

import numpy as np

from ..crypto.fixed_point import FixedPoint
from ..least_squares import Frame
from ..typing import FloatArray
from .envelope import RefusedMessageError

_HEADER = struct.Struct("<BBI")  # kind, slots, number of floats


class Slots(Enum):
    """How wide the slots of an answer are, and what to do where a value does not fit.

    STANDARD carries gradients in a standardised frame, where each client's share is about
    1 or less; LONG gradients where features are scaled and not centered, and what tells
    them apart can be small; WIDE sums and squares in the user's units, of features and
    targets between 1e-30 and 1e30 in size.

    EXACT carries products of two features without rounding. Features are multiples of
    ``2**-145`` below ``2**93`` in size: all 53 bits of any number from ``2**-93`` on, 1e-28.
    A product then has ``2 * 145`` bits after the point and ``2 * 93`` before; 34 more are
    for the number of rows, ``2**34`` if clients have equally many; and one is the sign: 511
    bits, of which 6 slots fit a key of 3072 bits and 4 one of 2048. EXACT_WEIGHTED has 171
    bits more, for weights that are multiples of ``2**-130`` below ``2**41``, all 53 bits of
    any number from ``2**-78`` on, 4e-24: 4 slots and 3.

    NOISY carries products of two values in [-1, 1], multiples of ``2**-20``, and noise, for
    ``2**52`` rows and more.
    """

    STANDARD = (64, 48, "use a smaller learning_rate, or learning_rate='auto'")
    LONG = (128, 64, "pass precondition=True")
    WIDE = (512, 256, "rescale X, y or sample_weight")
    EXACT = (511, 290, "rescale X or y")
    EXACT_WEIGHTED = (682, 420, "rescale X, y or sample_weight")
    NOISY = (96, 40, "X and y must be finite")

    def __init__(self, slot_bits: int, fraction_bits: int, remedy: str) -> None:
        self.slot_bits = slot_bits
        self.fraction_bits = fraction_bits
        self.remedy = remedy

    def layout(self, plaintext_bits: int, n_clients: int) -> FixedPoint:
        """Return the layout for the plaintexts of a key and a number of clients."""
        return FixedPoint(self.slot_bits, self.fraction_bits, plaintext_bits, n_clients)


@dataclass(frozen=True)
class SumsQuery:
    """Ask for the number of rows, their weight, and weighted sums of features and target."""

    slots: ClassVar[Slots] = Slots.WIDE


@dataclass(frozen=True)
class StartQuery:
    """Ask for the coefficients, then the intercept, of the model a client started from."""

    slots: ClassVar[Slots] = Slots.WIDE


@dataclass(frozen=True)
class SquaresQuery:
    """Ask for the number of rows, their weight, and weighted squares about the centers.

    Parameters
    ----------
    center : ndarray of shape (n_features,)
    target_center : float
        What the squared deviations are from.
    """

    center: FloatArray
    target_center: float
    slots: ClassVar[Slots] = Slots.WIDE


@dataclass(frozen=True)
class GradientQuery:
    """Ask for the gradient at a point of the given frame.

    Parameters
    ----------
    point : ndarray of shape (n_features,) or (n_features + 1,)
    frame : Frame
    slots : Slots
        STANDARD where the frame is standardised, else LONG.
    """

    point: FloatArray
    frame: Frame
    slots: Slots
    of_slots: ClassVar = (Slots.STANDARD, Slots.LONG)


@dataclass(frozen=True)
class GramQuery:
    """Ask for the number of rows and all products of the columns ``[X, y, 1]``, exactly.

    Parameters
    ----------
    slots : Slots
        EXACT where no client has sample weights, else EXACT_WEIGHTED.
    """

    slots: Slots
    of_slots: ClassVar = (Slots.EXACT, Slots.EXACT_WEIGHTED)

    @property
    def weight_bits(self) -> int:
        """Fraction bits of the weights."""
        return WEIGHT_BITS if self.slots is Slots.EXACT_WEIGHTED else 0


@dataclass(frozen=True)
class PrivateGramQuery:
    """Ask for all products of the columns ``[X, y, 1]`` of clipped rows, with noise.

    Bounds and noise are those that the clients agreed on before; a query cannot change them.
    """

    slots: ClassVar[Slots] = Slots.NOISY


@dataclass(frozen=True)
class ErrorsQuery:
    """Ask for weighted sums of absolute errors, squared errors and the target's squares.

    Errors are those of predictions that each client made of its own rows, and the number of
    rows and their weight have been asked for before, by `SumsQuery`.

    Parameters
    ----------
    target_center : float
        What the squares of the target are about.
    """

    target_center: float
    slots: ClassVar[Slots] = Slots.WIDE


FloatQuery: TypeAlias = SumsQuery | StartQuery | SquaresQuery | GradientQuery | ErrorsQuery
ExactQuery: TypeAlias = GramQuery | PrivateGramQuery
Query: TypeAlias = FloatQuery | ExactQuery

_KINDS: tuple[type[Query], ...] = (
    SumsQuery,
    StartQuery,
    SquaresQuery,
    GradientQuery,
    GramQuery,
    ErrorsQuery,
    PrivateGramQuery,
)
_SLOTS = tuple(Slots)

GRID_BITS = 145
"""Fraction bits of features and targets where products of them are exact."""

WEIGHT_BITS = 130
"""Fraction bits of sample weights there."""


def answer_size(query: Query, n_features: int) -> int:
    """Return the number of values that answer a query."""
    match query:
        case GradientQuery(point):
            return len(point)
        case StartQuery():
            return n_features + 1
        case GramQuery():
            return 1 + (n_features + 2) * (n_features + 3) // 2
        case PrivateGramQuery():
            return (n_features + 2) * (n_features + 3) // 2
        case ErrorsQuery():
            return 3
        case _:
            return n_features + 3


def query_to_bytes(query: Query) -> bytes:
    """Serialise a query: a header, then its floats."""
    parts: list[FloatArray | list[float]] = [[]]
    match query:
        case SquaresQuery(center, target_center):
            parts = [center, [target_center]]
        case GradientQuery(point, frame):
            scalars = [frame.target_center, frame.target_scale, frame.weight]
            parts = [frame.center, frame.scale, scalars, point]
        case ErrorsQuery(target_center):
            parts = [[target_center]]
    floats = np.concatenate(parts).astype("<f8")
    kind, slots = _KINDS.index(type(query)), _SLOTS.index(query.slots)
    return _HEADER.pack(kind, slots, len(floats)) + floats.tobytes()


def query_from_bytes(data: bytes, n_features: int) -> Query:
    """Parse a query.

    Raises
    ------
    RefusedMessageError
        If `data` is not exactly one query about `n_features` features, with finite numbers
        where numbers are asked about.
    """
    if len(data) >= _HEADER.size:
        kind, slots, size = _HEADER.unpack_from(data)
        body = data[_HEADER.size :]
        if slots < len(_SLOTS) and len(body) == 8 * size:
            query = _parse(kind, _SLOTS[slots], np.frombuffer(body, "<f8"), n_features)
            if query is not None and query.slots is _SLOTS[slots]:
                return query
    raise RefusedMessageError(
        f"{len(data)} bytes that are no query about {n_features} features; it was altered, or "
        "not all parties run the same version on the same features."
    )


def _parse(kind: int, slots: Slots, floats: FloatArray, n_features: int) -> Query | None:
    if kind == _KINDS.index(GradientQuery):
        return _parse_gradient(slots, floats, n_features)
    query: Query | None = None
    match kind, len(floats):
        case (0 | 1, 0):
            query = (SumsQuery, StartQuery)[kind]()
        case (2, size) if size == n_features + 1:
            query = SquaresQuery(floats[:n_features], float(floats[n_features]))
        case (4, 0) if slots in GramQuery.of_slots:
            query = GramQuery(slots)
        case (5, 1):
            query = ErrorsQuery(float(floats[0]))
        case (6, 0):
            query = PrivateGramQuery()
    return query if np.isfinite(floats).all() else None


def _parse_gradient(slots: Slots, floats: FloatArray, n_features: int) -> GradientQuery | None:
    p = n_features
    if len(floats) not in (3 * p + 3, 3 * p + 4) or slots not in GradientQuery.of_slots:
        return None
    center, scale, point = floats[:p], floats[p : 2 * p], floats[2 * p + 3 :]
    target_center, target_scale, weight = floats[2 * p : 2 * p + 3].tolist()
    # A scale is infinite where a column is constant, and drops out.
    scales_are_positive = bool((scale > 0).all()) and target_scale > 0
    others = [*center, target_center, weight, *point]
    if not scales_are_positive or not np.isfinite(others).all() or weight <= 0:
        return None
    return GradientQuery(point, Frame(center, scale, target_center, target_scale, weight), slots)
