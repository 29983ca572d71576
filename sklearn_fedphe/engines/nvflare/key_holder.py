"""The key holder's part in one fit: a `KeyHolder` that others reach by messages."""

from __future__ import annotations

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor

from ...protocol import KeyHolder, RefusedMessageError, without_locals
from ...protocol.envelope import RUNNING_SUM
from ...protocol.query_bytes import query_from_bytes
from .failures import words_for_others
from .keys import load_paillier_key
from .part import Part
from .site import Site
from .terms import Terms
from .topics import AT_WORK, READY, NoReplyError, Send, Topic

NUMBER = struct.Struct(">I")
"""Of the round that the analyst asks for."""

LENGTHS = struct.Struct(">II")
"""Before a round's result: of its query, and of a running sum of it."""

_PATIENCE = 1.0
"""Seconds that an analyst's question is held before it is told to ask again."""


class KeyHolderPart(Part):
    """Turns an analyst's queries into rounds, and opens their totals.

    Run by the key holder. It tells hospitals queries and totals, and the analyst both.

    Parameters
    ----------
    site : Site
        What the key holder decides for itself.
    send : Send
        How it reaches others.
    """

    def __init__(self, site: Site, send: Send) -> None:
        super().__init__(site, send)
        self._hospitals = tuple(site.roster.hospitals)
        self._holder: KeyHolder
        self._asked: bytes | None = None
        self._number, self._digest = 0, b""
        self._question = self._sum = self._result = b""
        self._to_all = ThreadPoolExecutor(len(self._hospitals), thread_name_prefix="to all")

    def close(self) -> None:
        """Let go of threads."""
        super().close()
        self._to_all.shutdown(wait=False, cancel_futures=True)

    def _join(self, terms: Terms) -> None:
        roster = terms.roster_of(self.site.roster)
        self._holder = KeyHolder(load_paillier_key(self.site.key_file), roster)

    def _told(self, sender: str, topic: Topic, body: bytes) -> bytes:
        match topic:
            case Topic.ASK:
                self._check_sender(sender, topic, self._analyst)
                return self._ask(body)
            case Topic.WAIT:
                self._check_sender(sender, topic, self._analyst)
                return self._found()
            case Topic.SUM:
                self._check_sender(sender, topic, self._hospitals[-1])
                return self._received(body)
            case Topic.FAILED:
                self._check_sender(sender, topic, *self._hospitals)
                if body[:32] == hashlib.sha256(self._question).digest():
                    self.leave(body[32:].decode(errors="replace"))
                return READY
        raise RefusedMessageError(f"{self.label} takes no {topic.value!r}.")

    def _ask(self, body: bytes) -> bytes:
        with self._change:
            if body != self._asked:  # else it comes a second time
                if self._number and not self._result:
                    raise RefusedMessageError(
                        f"{self.label} is at round {self._number}; ask when it is told."
                    )
                self._begin(body)
        return self._found()

    def _begin(self, body: bytes) -> None:
        number = int.from_bytes(body[: NUMBER.size], "big")
        if number != self._number + 1:
            raise RefusedMessageError(
                f"{self.label} waits for the query of round {self._number + 1}, and refuses one "
                f"of round {number}."
            )
        query = query_from_bytes(body[NUMBER.size :], len(self.site.roster.features))
        kind = type(query).__name__
        try:
            self.site.policy.check_query(self.label, query, number)
        except ValueError as error:
            self._note("refused", round=number, query=kind, why=str(error))
            raise
        self._question, of_round = self._holder.ask(query)
        self._digest = of_round.digest
        self._number, self._asked, self._sum, self._result = number, body, b"", b""
        self._worker.submit(self._round, kind)

    def _received(self, running_sum: bytes) -> bytes:
        (number, digest, *_), _ = RUNNING_SUM.open(running_sum)
        with self._change:
            if number < self._number:  # it comes a second time, and late
                return READY
            if digest != self._digest:
                raise RefusedMessageError(
                    f"{self.label} refuses a running sum of another round than the one open."
                )
            self._sum = self._sum or running_sum
            self._change.notify_all()
        return READY

    def _round(self, kind: str) -> None:
        """Make one secure sum, and keep what comes of it for the analyst."""
        try:
            with without_locals():
                self._tell_all(Topic.QUERY, self._question)
                with self._change:
                    self._change.wait_for(lambda: self._sum or self.failure)
                if self.failure is None:
                    total = self._holder.open_total(self._sum)
                    self._note(
                        "opened", round=self._number, query=kind, message=total, sent=len(total)
                    )
                    self._tell_all(Topic.TOTAL, total)
                    self._keep(total)
        except NoReplyError as error:
            self.leave(f"{self.label} waited: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the party stops and says so
            self.leave(words_for_others(self.label, error))

    def _tell_all(self, topic: Topic, message: bytes) -> None:
        told = [self._to_all.submit(self._tell, name, topic, message) for name in self._hospitals]
        for one in told:
            one.result()

    def _keep(self, total: bytes) -> None:
        with self._change:
            lengths = LENGTHS.pack(len(self._question), len(self._sum))
            self._result = lengths + self._question + total
            self._change.notify_all()

    def _found(self) -> bytes:
        with self._change:
            self._change.wait_for(lambda: self._result or self.failure, _PATIENCE)
        if self._result:
            return READY + self._result
        if self.failure is not None:
            raise RefusedMessageError(self.failure)
        return AT_WORK
