"""The closed set of what clients may be asked.

A query asks every client for one vector computed from its rows. Queries are public: they
hold nothing but what follows from earlier totals. A client answers these dataclasses and
nothing else (`client.Client`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, TypeAlias

from ..crypto.fixed_point import FixedPoint
from ..least_squares import Frame
from ..typing import FloatArray


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
