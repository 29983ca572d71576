"""Secure sums that other machines make, as a solver asks for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from ...protocol import KEY_HOLDER, Message, RefusedMessageError, Roster, SecureSums
from ...protocol.envelope import Round
from ...protocol.queries import Query
from ...protocol.query_bytes import query_to_bytes
from ...protocol.ring import current_observer
from ...protocol.transcript import Transcript
from .key_holder import LENGTHS, NUMBER
from .topics import AT_WORK, READY, Topic

Ask: TypeAlias = Callable[[Topic, bytes], bytes]
"""Asks the key holder, and returns its answer."""


class RemoteSums(SecureSums):
    """One fit's sums over the hospitals of a roster. Run by the analyst.

    It keeps a `Transcript` as every party does, so that a total of another query, or told
    twice, is refused. An observer is shown queries and totals; running sums never come here.

    Parameters
    ----------
    roster : Roster
        Who takes part.
    ask : callable
        Asks the key holder.

    Attributes
    ----------
    n_rounds : int
        Secure sums made.
    running_sum_bytes : int
        Bytes of the running sums that travelled, as the key holder counts them.
    """

    def __init__(self, roster: Roster, ask: Ask) -> None:
        super().__init__()
        self._roster = roster
        self._ask = ask
        self._transcript = Transcript(roster, "the analyst")
        self._observer = current_observer()

    @property
    def n_clients(self) -> int:
        """Hospitals in the ring."""
        return self._roster.n_clients

    @property
    def n_features(self) -> int:
        """Number of columns, the same for all."""
        return self._roster.n_features

    def _trip(self, query: Query) -> tuple[bytes, Round]:
        asked = query_to_bytes(query)
        answer = self._ask(Topic.ASK, NUMBER.pack(self.n_rounds + 1) + asked)
        while answer[:1] == AT_WORK:
            answer = self._ask(Topic.WAIT, b"")
        if answer[:1] != READY or len(answer) < 1 + LENGTHS.size:
            raise RefusedMessageError(
                f"The key holder answered {len(answer)} bytes that are no result of a round; all "
                "parties must run the same version."
            )
        content = answer[1 + LENGTHS.size :]
        question_bytes, sum_bytes = LENGTHS.unpack_from(answer, 1)
        question, total = content[:question_bytes], content[question_bytes:]
        self._transcript.answer(question, lambda body, _: _check_same(body, asked))
        of_round = self._transcript.round
        self._transcript.close(total)
        self.n_rounds += 1
        self.running_sum_bytes += sum_bytes * self.n_clients
        self._show("query", question)
        self._show("total", total)
        return total, of_round

    def _show(self, kind: Literal["query", "total"], payload: bytes) -> None:
        if self._observer is not None:
            for label in self._roster.identities:
                self._observer(Message(self.n_rounds, KEY_HOLDER, label, kind, payload))


def _check_same(found: bytes, asked: bytes) -> None:
    if found != asked:
        raise RefusedMessageError(
            "The key holder's total is of another query than the analyst asked; the fit ends here."
        )
