"""Queries as bytes: one way to write each, and no other is read."""

from __future__ import annotations

import struct

import numpy as np

from ..least_squares import Frame
from ..typing import FloatArray
from .envelope import RefusedMessageError
from .queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    PrivateGramQuery,
    Query,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)

_HEADER = struct.Struct("<BBI")  # kind, slots, number of floats

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
