"""Lengths of gradient steps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..typing import FloatArray


@dataclass(frozen=True)
class FixedStep:
    """The same step every time."""

    step: float

    def length(self, _point: FloatArray, _gradient: FloatArray) -> float:
        """Return the step."""
        return self.step


class BarzilaiBorwein:
    """Steps that fit the curvature met on the last step; no gradient beyond those made.

    Between the two steps of Barzilai and Borwein, "Two-point step size gradient methods",
    IMA Journal of Numerical Analysis 8 (1988), the choice is that of the ABBmin1 rule of
    Frassoldati, Zanghirati and Zanni, "New adaptive stepsize selections in gradient
    methods", Journal of Industrial and Management Optimization 4 (2008), section 3: a
    short step, the least of the last few, where the two differ much, else the long one.

    Parameters
    ----------
    first_step : float
        Length of the first step: 1 / L is safe.
    """

    _RATIO = 0.8  # tau of the paper
    _MEMORY = 10  # m + 1 of the paper: this short step and the nine before it

    def __init__(self, first_step: float) -> None:
        self._step = first_step
        self._short_steps: deque[float] = deque(maxlen=self._MEMORY)
        self._last: tuple[FloatArray, FloatArray] | None = None

    def length(self, point: FloatArray, gradient: FloatArray) -> float:
        """Return the step to take from `point`, whose gradient is `gradient`."""
        if self._last is not None:
            moved, bent = point - self._last[0], gradient - self._last[1]
            curvature = float(moved @ bent)
            # Rounding alone can make it vanish, at the very end; the last step is as good.
            if curvature > 0:
                long, short = float(moved @ moved) / curvature, curvature / float(bent @ bent)
                self._short_steps.append(short)
                self._step = min(self._short_steps) if short < self._RATIO * long else long
        self._last = point, gradient
        return self._step
