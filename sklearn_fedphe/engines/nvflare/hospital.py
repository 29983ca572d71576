"""A hospital's part in one fit: a `Client` that others reach by messages."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from pathlib import Path
from typing import cast

from ...least_squares import LeastSquares
from ...protocol import Client, RefusedMessageError, without_locals
from ...protocol.envelope import RUNNING_SUM, QueryHeader
from ...protocol.query_bytes import query_from_bytes
from .failures import words_for_others
from .keys import load_identity
from .part import Part
from .site import Site
from .site_rows import read_rows
from .terms import Terms
from .topics import READY, NoReplyError, Send, Topic


class _LeftError(Exception):
    """The part is over already."""


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
        self._arrived = 0, b""  # the latest round's sum, which may run ahead of its query
        self._heard: set[bytes] = set()  # digests of queries and totals

    def _join(self, terms: Terms) -> None:
        site, label = self.site, self.site.name
        roster = terms.roster_of(site.roster)
        X, y = read_rows(label, cast(Path, site.data_file), site.roster.features, str(site.target))
        key, identity = site.roster.public_key(), load_identity(site.key_file)
        if identity.identity != site.roster.hospitals[label].identity:
            raise ValueError(
                f"{self.label} has the key of another identity than the roster has for it; run "
                "doctor there."
            )
        rows = LeastSquares(X, y)
        try:
            if terms.own_steps is not None:
                rows = terms.own_steps.taken_from_zeros(label, rows)
            self._client = Client(label, rows, key, roster, identity, site.policy.check_query)
        except ValueError:
            self._refusals.note(terms.session)
            raise

    def _told(self, sender: str, topic: Topic, body: bytes) -> bytes:
        match topic:
            case Topic.QUERY:
                self._check_sender(sender, topic, self._key_holder)
                return self._asked(body)
            case Topic.SUM:
                self._check_sender(sender, topic, *filter(None, [self._before]))
                return self._received(body)
            case Topic.TOTAL:
                self._check_sender(sender, topic, self._key_holder)
                return self._hear(body)
        raise RefusedMessageError(f"{self.label} takes no {topic.value!r}.")

    def _asked(self, question: bytes) -> bytes:
        digest = hashlib.sha256(question).digest()
        with self._change:
            if digest not in self._heard:  # else it comes a second time
                self._heard.add(digest)
                self._worker.submit(self._answer, question)
        return READY

    def _received(self, running_sum: bytes) -> bytes:
        (number, *_), _ = RUNNING_SUM.open(running_sum)
        with self._change:
            if number > self._arrived[0]:  # else it comes a second time, or late
                self._arrived = number, running_sum
                self._change.notify_all()
        return READY

    def _hear(self, total: bytes) -> bytes:
        digest = hashlib.sha256(total).digest()
        with self._in_use:
            if digest not in self._heard:  # else it comes a second time
                self._client.hear(total)
                self._heard.add(digest)
        return READY

    def _answer(self, question: bytes) -> None:
        """Answer one query, wherever in the ring this hospital is. Tell the key holder if not."""
        try:
            with without_locals():
                self._add(question)
        except _LeftError:
            return  # whoever ended the job knows
        except NoReplyError as error:
            self.leave(f"{self.label} waited: {error}")
        except OverflowError:
            self._refusals.note(self._session)
            # The protocol's own text tells how large the value was.
            self.leave(
                f"{self.label} would send a value that does not fit its slot, and ends its part; "
                "look at its rows for values out of the ordinary, and rescale."
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the party stops and says so
            self.leave(words_for_others(self.label, error))
        else:
            return
        failed = hashlib.sha256(question).digest() + str(self.failure).encode()
        with suppress(NoReplyError, RefusedMessageError):
            self._tell(self._key_holder, Topic.FAILED, failed)

    def _add(self, question: bytes) -> None:
        client = self._client
        with self._in_use:
            encoded = client.encode(question)
        own = client.public_key.encrypt(encoded)
        running = self._arriving()
        with self._in_use:
            running = client.add_to(running, own)
        header, body = QueryHeader.open(question)
        kind = type(query_from_bytes(body, len(self.site.roster.features))).__name__
        self._note(
            "answered", round=header.number, query=kind, message=question, sent=len(running)
        )
        self._tell(self._next, Topic.SUM, running)

    def _arriving(self) -> bytes:
        """Wait for the running sum of the open round; who comes first has none to wait for."""
        number = self._client.open_round.number if self._before else 0
        with self._change:
            self._change.wait_for(lambda: self.failure is not None or self._arrived[0] >= number)
            if self.failure is not None:
                raise _LeftError
            return self._arrived[1]
