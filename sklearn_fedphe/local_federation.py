"""Shards as a federation: every party played in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .federation import Federation, Plan, Session
from .least_squares import LeastSquares
from .members import Members
from .protocol import DisclosureRules, form_ring
from .shards import Shards, members_of


class LocalFederation(Federation):
    """A ring of clients that have these shards, formed anew for each session.

    It computes what a federation would and shows what would travel; it protects nobody
    from the process it runs in.

    Parameters
    ----------
    shards : dict from label to Shard
        Checked.
    simulated : bool
        Whether the shards are blocks of one table, which nobody has reason to refuse.
    """

    def __init__(self, shards: Shards, *, simulated: bool) -> None:
        self._shards = shards
        self._simulated = simulated

    @property
    def members(self) -> Members:
        """Who takes part, and in which columns."""
        return members_of(self._shards)

    @contextmanager
    def session(self, plan: Plan) -> Iterator[Session]:
        """Form a ring with a new key. The session ends with the last sum asked for.

        Parameters
        ----------
        plan : Plan
            What the parties agree on.

        Yields
        ------
        Session
        """
        rows = {
            label: LeastSquares(shard.X, shard.y, shard.sample_weight)
            for label, shard in self._shards.items()
        }
        starts = None
        if plan.own_steps is not None:
            rows = {
                label: plan.own_steps.taken_from_zeros(label, own) for label, own in rows.items()
            }
            starts = [own.start for own in rows.values()]
        rules = plan.rules
        if self._simulated and rules.privacy is None:
            rules = DisclosureRules()
        yield Session(form_ring(rows, plan.key_length, plan.n_jobs, rules), starts)
