"""A hospital's part in one fit: a `Client` that others reach by messages."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import cast

from ...least_squares import LeastSquares
from ...protocol import Client, RefusedMessageError, without_locals
from ...protocol.envelope import RUNNING_SUM, QueryHeader
from ...protocol.query_bytes import query_from_bytes
from .keys import load_identity
from .part import Part
from .sessions import SessionLedger
from .site import Site
from .site_rows import read_rows
from .terms import Terms
from .topics import READY, NoReplyError, Send, Topic


class HospitalPart(Part):
    """Answers queries of the key holder, adds to running sums, hears totals.

    Run by a hospital. What leaves it is what leaves a `Client`: running sums, behind masks
    and encrypted, to the next in the ring, which is its own roster's order.

    Parameters
    ----------
    site : Site
        What the hospital decides for itself.
    send : Send
        How it reaches others.
    """

    def __init__(self, site: Site, send: Send) -> None:
        super().__init__(site, send)
        ring = [*site.roster.hospitals, site.roster.key_holder.name]
        position = ring.index(site.name)
        self._before = ring[position - 1] if position else None
        self._next = ring[position + 1]
        self._key_holder = ring[-1]
        self._client: Client
        self._in_use = threading.Lock()
        self._change = threading.Condition()
        self._arrived: deque[bytes] = deque(maxlen=4)  # sums that ran ahead
        self._question = self._total = b""

    def leave(self, why: str) -> None:
        """End the part here, whatever it waits for."""
        super().leave(why)
        with self._change:
            self._change.notify_all()

    def _join(self, terms: Terms) -> None:
        site, label = self.site, self.site.name
        roster = terms.roster_of(site.roster)
        X, y = read_rows(label, cast(Path, site.data_file), site.roster.features, str(site.target))
        rows = LeastSquares(X, y)
        if terms.own_steps is not None:
            rows = terms.own_steps.taken_from_zeros(label, rows)
        SessionLedger(site.state / "sessions").begin(label, terms.session)
        key, identity = site.roster.public_key(), load_identity(site.key_file)
        self._client = Client(label, rows, key, roster, identity, site.policy.check_query)

    def _told(self, sender: str, topic: Topic, body: bytes) -> bytes:
        match topic:
            case Topic.QUERY:
                self._check_sender(sender, topic, self._key_holder)
                return self._asked(body)
            case Topic.SUM:
                self._check_sender(sender, topic, *filter(None, [self._before]))
                with self._change:
                    self._arrived.append(body)
                    self._change.notify_all()
                return READY
            case Topic.TOTAL:
                self._check_sender(sender, topic, self._key_holder)
                return self._heard(body)
        raise RefusedMessageError(f"{self.label} takes no {topic.value!r}.")

    def _asked(self, question: bytes) -> bytes:
        with self._change:
            if question != self._question:  # else it comes a second time
                self._question = question
                self._worker.submit(self._answer, question)
        return READY

    def _heard(self, total: bytes) -> bytes:
        with self._in_use:
            if total != self._total:  # else it comes a second time
                self._client.hear(total)
                self._total = total
        return READY

    def _answer(self, question: bytes) -> None:
        """Answer one query, wherever in the ring this hospital is. Tell the key holder if not."""
        try:
            with without_locals():
                self._add(question)
        except NoReplyError as error:
            self.leave(str(error))
        except OverflowError:
            # The protocol's own text tells how large the value was.
            self.leave(
                f"{self.label} would send a value that does not fit its slot, and ends its part; "
                "look at its rows for values out of the ordinary, and rescale."
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the party stops and says so
            self.leave(self._told_to_others(error))
        else:
            return
        failed = hashlib.sha256(question).digest() + str(self.failure).encode()
        with suppress(NoReplyError, RefusedMessageError):
            self._send(self._key_holder, Topic.FAILED, failed)

    def _add(self, question: bytes) -> None:
        client = self._client
        with self._in_use:
            encoded = client.encode(question)
        own = client.public_key.encrypt(encoded)
        running = self._arriving() if self._before else b""
        with self._in_use:
            running = client.add_to(running, own)
        header, body = QueryHeader.open(question)
        kind = type(query_from_bytes(body, len(self.site.roster.features))).__name__
        self._note(
            "answered", round=header.number, query=kind, message=question, sent=len(running)
        )
        self._send(self._next, Topic.SUM, running)

    def _arriving(self) -> bytes:
        """Wait for the running sum of the open round; what is of another is left aside."""
        digest = self._client.open_round.digest
        with self._change:
            while self.failure is None:
                while self._arrived:
                    candidate = self._arrived.popleft()
                    with suppress(RefusedMessageError):
                        (_, of_round, *_), _ = RUNNING_SUM.open(candidate)
                        if of_round == digest:
                            return candidate
                self._change.wait()
        raise RefusedMessageError(self.failure)
