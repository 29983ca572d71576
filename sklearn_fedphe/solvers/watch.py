"""Who looks on while a solver works, and may stop it."""

from __future__ import annotations

from typing import Protocol

from ..typing import FloatArray


class Watch(Protocol):
    """What a solver tells of its rounds: all of it follows from totals."""

    def begin_round(self) -> None:
        """Hear that a round begins."""

    def end_round(
        self, gradient_norm: float | None = None, point: FloatArray | None = None
    ) -> bool:
        """Hear what a round found.

        Parameters
        ----------
        gradient_norm : float or None, default=None
            None where no gradient is asked for.
        point : ndarray of shape (n_unknowns,) or None, default=None
            What the solver would answer if it stopped here.

        Returns
        -------
        bool
            Whether to stop here.
        """


class _Nobody:
    """Nobody looks on: what a client does alone is nobody's business."""

    def begin_round(self) -> None:
        """Do nothing."""

    def end_round(
        self, _gradient_norm: float | None = None, _point: FloatArray | None = None
    ) -> bool:
        """Go on."""
        return False


NOBODY: Watch = _Nobody()
"""For a solver that nobody watches."""
