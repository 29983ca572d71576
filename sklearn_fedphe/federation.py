"""What `fit` learns a model from: a federation, which yields secure sums and no rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from .members import Members
from .own_steps import OwnSteps
from .protocol import DisclosureRules, SecureSums
from .typing import FloatArray


@dataclass(frozen=True)
class Plan:
    """What a fit asks all parties to agree on before it begins. Public.

    Parameters
    ----------
    rules : DisclosureRules
        What clients and key holder refuse, and the privacy that is promised.
    key_length : int
        Bits of the Paillier modulus.
    own_steps : OwnSteps or None, default=None
        What each client does alone before.
    n_jobs : int or None, default=None
        Cores that encrypt and decrypt, as scikit-learn means it, where they are ours.
    """

    rules: DisclosureRules
    key_length: int
    own_steps: OwnSteps | None = None
    n_jobs: int | None = None


@dataclass(frozen=True)
class Session:
    """What one fit has of a federation.

    Parameters
    ----------
    sums : SecureSums
        Over all its clients.
    starts : list of (coef, intercept) or None, default=None
        The model that each client came to alone, where the clients are played in this process.
    """

    sums: SecureSums
    starts: list[tuple[FloatArray, float]] | None = None


class Federation(ABC):
    """Several owners of rows, a key holder, and a way to ask all of them for sums.

    `FederatedLinearRegression.fit` takes one. Shards in this process are one
    (`LocalFederation`); ``engines.nvflare`` has one of real machines.
    """

    @property
    @abstractmethod
    def members(self) -> Members:
        """Who takes part, and in which columns."""

    @abstractmethod
    def session(self, plan: Plan) -> AbstractContextManager[Session]:
        """Begin one fit and end it, in whatever way, when the block is left.

        Parameters
        ----------
        plan : Plan
            What the parties are to agree on.

        Returns
        -------
        context manager of Session
            Within the block, sums can be asked for.
        """
