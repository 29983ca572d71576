"""The steps that a client takes on its own rows before the common ones: ``init="local"``."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from .least_squares import LeastSquares
from .protocol import FederatedLeastSquares, OwnSum
from .solvers import GradientDescent


@dataclass(frozen=True)
class OwnSteps:
    """How a client trains alone, the same for all clients. Public.

    Parameters
    ----------
    learning_rate : "auto" or float
    max_iter : int
        Steps taken.
    fit_intercept, precondition : bool
        As the estimator has them.
    """

    learning_rate: float | Literal["auto"]
    max_iter: int
    fit_intercept: bool
    precondition: bool

    def taken_from_zeros(self, label: Hashable, rows: LeastSquares) -> LeastSquares:
        """Take a client's own steps on its own rows. Run by the client, who tells nobody.

        Parameters
        ----------
        label : hashable
            The client's.
        rows : LeastSquares
            Its own.

        Returns
        -------
        LeastSquares
            The same rows, shifted by the model that the client ends with: its `start`.

        Raises
        ------
        ValueError
            If the steps diverge, with the client's label and no number of its own.
        """
        objective = FederatedLeastSquares(
            OwnSum(rows),
            rows.n_features,
            fit_intercept=self.fit_intercept,
            precondition=self.precondition,
            alpha=0.0,
        )
        try:
            solution = GradientDescent(self.learning_rate, self.max_iter, None).minimize(objective)
            return rows.shifted(*objective.to_raw(solution.point))
        except ValueError:
            pass
        # The solver's own text gives gradient norms, which here are the client's alone.
        raise ValueError(
            f"client {label!r}, training alone: learning_rate={self.learning_rate} diverges. Use "
            "a smaller one."
        )
