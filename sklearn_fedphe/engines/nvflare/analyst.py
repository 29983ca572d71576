"""The analyst's handle on a federation of machines: what `fit` takes in place of shards."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...federation import Federation, Plan, Session
from ...members import Members
from ...protocol import RefusedMessageError
from .admin_session import AdminSession
from .channel import opened_answer
from .job import write_job
from .pinned_roster import PinnedRoster
from .remote_sums import RemoteSums
from .sealed import Seal
from .server_calls import FederationError
from .site import MIN_TIMEOUT, kit_name
from .terms import Terms
from .topics import AT_WORK, Topic

_START, _END = 120.0, 60.0
"""Seconds that a job has to start, and to end."""

_POLL = 0.1


class NVFlareFederation(Federation):
    """Hospitals and a key holder on machines of their own, reached by NVIDIA FLARE.

    `FederatedLinearRegression.fit` takes it in place of shards. Every fit is a job of its own,
    which ends with it, and with an error or Ctrl-C.

    Parameters
    ----------
    admin_kit : path-like
        The analyst's kit, as it was provisioned.
    sites : iterable of str
        Names of the hospitals that are meant to take part: all that are on the roster.
    key_holder : str
        Name of the site that has the private key.
    roster : path-like, default=None
        The roster that all parties have pinned. None: ``local/roster.json`` in the kit.
    timeout : float, default=15.0
        Seconds of silence of a site, the key holder or the server after which a fit ends with
        a `FederationError`; at least 8.

    Raises
    ------
    ValueError
        If roster, kit and names do not belong together.

    Notes
    -----
    *Reveals* what a fit over shards reveals, to the same parties and to the analyst, who hears
    queries and totals as they do. The server hands on what it cannot read: it sees who talks to
    whom, when, and how much.
    """

    def __init__(
        self,
        admin_kit: str | Path,
        sites: Iterable[str],
        key_holder: str,
        *,
        roster: str | Path | None = None,
        timeout: float = 15.0,
    ) -> None:
        if not isinstance(timeout, int | float) or not MIN_TIMEOUT <= timeout < math.inf:
            raise ValueError(
                f"timeout={timeout!r}: pass seconds, at least {MIN_TIMEOUT:g}; a server that is "
                "busy can be silent for as long."
            )
        self._kit = Path(admin_kit).resolve()
        self._roster = PinnedRoster.load(Path(roster or self._kit / "local" / "roster.json"))
        self._timeout = float(timeout)
        self._name = kit_name(self._kit)
        if self._name not in self._roster.analysts:
            raise ValueError(
                f"The kit is that of {self._name!r}, and the roster's analysts are "
                f"{sorted(self._roster.analysts)}; make a card of it and a new roster."
            )
        self._check_names(list(sites), key_holder)
        self._seal = Seal(self._roster, self._name, self._kit)

    def __repr__(self) -> str:
        return (
            f"NVFlareFederation(sites={list(self._roster.hospitals)}, "
            f"key_holder={self._roster.key_holder.name!r})"
        )

    @property
    def members(self) -> Members:
        """Who takes part, and in which columns: the roster's."""
        names = np.array(self._roster.features, dtype=np.object_)
        return Members(tuple(self._roster.hospitals), len(names), names)

    @contextmanager
    def session(self, plan: Plan) -> Iterator[Session]:
        """Run a job for one fit, and end it, in whatever way, when the block is left.

        Parameters
        ----------
        plan : Plan
            What the parties are to agree on.

        Yields
        ------
        Session
            Sums can be asked for: all parties have agreed and loaded their rows.

        Raises
        ------
        FederationError
            If a party refuses, fails or is not there; says which, and why.
        """
        self._check_key_length(plan.key_length)
        terms = Terms.propose(plan, self._roster)
        admin = AdminSession(self._kit, self._name, self._timeout)
        try:
            with tempfile.TemporaryDirectory() as folder:
                admin.submit(write_job(Path(folder), self._roster, self._timeout), _START)
            self._tell_everybody(admin, Topic.OPEN, terms.to_bytes())
            holder = self._roster.key_holder.name
            sums = RemoteSums(
                terms.roster_of(self._roster),
                lambda topic, body: self._ask(admin, holder, topic, terms.session + body),
            )
            yield Session(sums)
            self._tell_everybody(admin, Topic.END, terms.session)
            admin.complete(_END)
        except RefusedMessageError as error:  # by the analyst's own transcript
            admin.abort()
            raise FederationError(str(error)) from None
        except BaseException:
            admin.abort()
            raise
        finally:
            admin.close()

    def _tell_everybody(self, admin: AdminSession, topic: Topic, body: bytes) -> None:
        waiting = [*self._roster.hospitals, self._roster.key_holder.name]
        while waiting:
            waiting = [
                name for name in waiting if self._ask(admin, name, topic, body)[:1] == AT_WORK
            ]
            if waiting:
                time.sleep(_POLL)

    def _ask(self, admin: AdminSession, receiver: str, topic: Topic, body: bytes) -> bytes:
        message = self._seal.close(receiver, topic.value.encode(), body)
        answer = admin.deliver(receiver, message)
        try:
            return opened_answer(answer, self._seal, receiver, message)
        except RefusedMessageError as error:
            raise FederationError(str(error)) from None

    def _check_names(self, sites: list[str], key_holder: str) -> None:
        on_roster = list(self._roster.hospitals)
        if sorted(sites) != sorted(on_roster):
            raise ValueError(
                f"sites={sites}, where the roster has {on_roster}: a fit is of all of them, since "
                "totals over others could be subtracted. Make a new roster for other hospitals."
            )
        if key_holder != self._roster.key_holder.name:
            raise ValueError(
                f"key_holder={key_holder!r}, where the roster has "
                f"{self._roster.key_holder.name!r}; make a new roster for another one."
            )

    def _check_key_length(self, key_length: int) -> None:
        if key_length != self._roster.key_length:
            raise ValueError(
                f"key_length={key_length}, and the key holder's key on the roster has "
                f"{self._roster.key_length} bits; pass key_length={self._roster.key_length}."
            )


__all__ = ["FederationError", "NVFlareFederation"]
