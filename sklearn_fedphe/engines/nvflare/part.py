"""A party's part in one fit: what hospital and key holder have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ...protocol import RefusedMessageError, without_locals
from ...protocol.roster import SESSION_BYTES
from .audit import AuditLog
from .failures import words_for_others
from .refusals import RefusalCount
from .sessions import SessionLedger
from .site import AUDIT_LOG, REFUSALS, SESSIONS, Site
from .terms import Terms
from .topics import AT_WORK, READY, Send, Topic


class Part(ABC):
    """A state machine, asked by verified senders; it holds no transport.

    What it is told out of turn it refuses by name, and stays as it was. Terms are taken once.
    Whatever comes after them names their session first: who hands on messages may keep some of
    an earlier fit, and hand them on again.

    Parameters
    ----------
    site : Site
        What the party decides for itself.
    send : Send
        How it reaches others.

    Attributes
    ----------
    failure : str or None
        Why the part is over, if it failed.
    has_ended : bool
        Whether the analyst said that the fit is over.
    """

    def __init__(self, site: Site, send: Send) -> None:
        self.site = site
        self.failure: str | None = None
        self.has_ended = False
        self._send = send
        self._audit = AuditLog(site.state / AUDIT_LOG)
        self._refusals = RefusalCount(site.state / REFUSALS)
        self._change = threading.Condition()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="part")
        self._joining: Future[None] | None = None
        self._session = self._terms = b""
        self._analyst = ""

    @property
    def label(self) -> str:
        """Who it is, for errors."""
        kind = "client" if self.site.role == "hospital" else "the key holder"
        return f"{kind} {self.site.name!r}"

    def handle(self, sender: str, topic: Topic, body: bytes) -> bytes:
        """Take a message, and answer it.

        Parameters
        ----------
        sender : str
            As its certificate says.
        topic : Topic
        body : bytes

        Returns
        -------
        bytes
            The answer, for the sender alone.

        Raises
        ------
        RefusedMessageError, ValueError
            If it is refused; the text is for the sender.
        """
        if topic is Topic.OPEN:
            return self._opened(sender, body)
        if self.failure is not None and topic is not Topic.END:
            raise RefusedMessageError(self.failure)
        if self._joining is None or not self._joining.done():
            raise RefusedMessageError(
                f"{self.label} refuses {topic.value!r} before it has joined."
            )
        if body[:SESSION_BYTES] != self._session:
            raise RefusedMessageError(
                f"{self.label} refuses {topic.value!r} of another fit than it takes part in."
            )
        if topic is Topic.END:
            return self._ended(sender)
        return self._told(sender, topic, body[SESSION_BYTES:])

    def leave(self, why: str) -> None:
        """End the part here, whatever it waits for: what comes is refused with the reason."""
        with self._change:
            if self.failure is None:
                with suppress(OSError):  # a log that cannot be written may be why
                    self._note("failed", why=why)
                self._stop(why)

    def close(self) -> None:
        """Let go of threads. What is being computed is finished, and sent nowhere."""
        self._stop(f"{self.label} has left: the job is over.")
        self._worker.shutdown(wait=False, cancel_futures=True)

    @abstractmethod
    def _join(self, terms: Terms) -> None:
        """Take part under these terms, or refuse with a `ValueError`."""

    @abstractmethod
    def _told(self, sender: str, topic: Topic, body: bytes) -> bytes:
        """Take a message of the fit that has begun."""

    def _stop(self, why: str) -> None:
        with self._change:
            self.failure = self.failure or why
            self._change.notify_all()

    def _opened(self, analyst: str, body: bytes) -> bytes:
        with self._change:
            if self._joining is None:
                if self.failure is not None:
                    raise RefusedMessageError(self.failure)
                terms = Terms.from_bytes(body, self.label)
                self._check_terms(terms, analyst)
                self._terms, self._session, self._analyst = body, terms.session, analyst
                self._joining = self._worker.submit(self._joined, terms)
        if (self._analyst, self._terms) != (analyst, body):
            raise RefusedMessageError(
                f"{self.label} takes part in one fit a job, and refuses the terms of another."
            )
        if not self._joining.done():
            return AT_WORK
        if self.failure is not None:
            raise RefusedMessageError(self.failure)
        return READY

    def _check_terms(self, terms: Terms, analyst: str) -> None:
        try:
            if analyst not in self.site.roster.analysts:
                raise RefusedMessageError(
                    f"{self.label} takes terms from analysts of the roster, not from {analyst!r}."
                )
            if terms.roster_digest != self.site.roster.digest:
                raise RefusedMessageError(
                    f"{self.label} has the roster {self.site.roster.digest.hex()}, and the "
                    f"analyst {terms.roster_digest.hex()}; all parties need the same file."
                )
            self.site.policy.check_terms(self.label, terms, analyst)
            self._refusals.check(self.label)
            SessionLedger(self.site.state / SESSIONS).begin(self.label, terms.session)
        except ValueError as error:
            self._audit.write("refused", study=terms.session, analyst=analyst, why=str(error))
            raise

    def _joined(self, terms: Terms) -> None:
        try:
            with without_locals():
                self._join(terms)
            self._note("joined")
        except Exception as error:  # noqa: BLE001 - whatever it is, the party stops and says so
            words = words_for_others(self.label, error)
            self.leave(words if repr(self.site.name) in words else f"{self.label}: {words}")

    def _ended(self, sender: str) -> bytes:
        self._check_sender(sender, Topic.END, self._analyst)
        with self._change:
            if not self.has_ended:  # else it comes a second time
                self._note("ended")
                self.has_ended = True
        return READY

    def _tell(self, receiver: str, topic: Topic, body: bytes) -> None:
        self._send(receiver, topic, self._session + body)

    def _check_sender(self, sender: str, topic: Topic, *expected: str) -> None:
        if sender not in expected:
            names = " or ".join(map(repr, expected)) or "nobody"
            raise RefusedMessageError(
                f"{self.label} takes {topic.value!r} from {names}, and refuses it from {sender!r}."
            )

    def _note(self, event: str, **more: Any) -> None:
        self._audit.write(event, study=self._session, analyst=self._analyst, **more)
