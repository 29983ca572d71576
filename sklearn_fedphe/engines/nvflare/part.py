"""A party's part in one fit: what hospital and key holder have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ...protocol import RefusedMessageError, without_locals
from .audit import AuditLog
from .site import Site
from .terms import Terms
from .topics import AT_WORK, READY, Send, Topic

_OURS = __name__.partition(".")[0] + "."


class Part(ABC):
    """A state machine, asked by verified senders; it holds no transport.

    What it is told out of turn it refuses by name, and stays as it was. Terms are taken once.

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
        self._audit = AuditLog(site.state / "audit.jsonl")
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
        if topic is Topic.END:
            self._check_sender(sender, topic, self._analyst)
            self.has_ended = True
            self._note("ended")
            return READY
        if self.failure is not None:
            raise RefusedMessageError(self.failure)
        if self._joining is None or not self._joining.done():
            raise RefusedMessageError(
                f"{self.label} refuses {topic.value!r} before it has joined."
            )
        return self._told(sender, topic, body)

    def leave(self, why: str) -> None:
        """End the part here: what comes is refused with the reason from now on."""
        if self.failure is None:
            self.failure = why
            self._note("failed", why=why)

    def close(self) -> None:
        """Let go of threads. What is being computed is finished, and sent nowhere."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    @abstractmethod
    def _join(self, terms: Terms) -> None:
        """Take part under these terms, or refuse with a `ValueError`."""

    @abstractmethod
    def _told(self, sender: str, topic: Topic, body: bytes) -> bytes:
        """Take a message of the fit that has begun."""

    def _opened(self, analyst: str, body: bytes) -> bytes:
        if self._joining is None:
            terms = Terms.from_bytes(body, self.label)
            self._check_terms(terms, analyst)
            self._terms, self._session, self._analyst = body, terms.session, analyst
            self._joining = self._worker.submit(self._joined, terms)
        elif (self._analyst, self._terms) != (analyst, body):
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
        except ValueError as error:
            self._audit.write("refused", study=terms.session, analyst=analyst, why=str(error))
            raise

    def _joined(self, terms: Terms) -> None:
        try:
            with without_locals():
                self._join(terms)
            self._note("joined")
        except Exception as error:  # noqa: BLE001 - whatever it is, the party stops and says so
            self.leave(self._told_to_others(error))

    def _told_to_others(self, error: Exception) -> str:
        """Return what may be said of an error to others: our own texts hold no values of rows.

        Libraries' errors are subclasses of their own, and may quote what they stumbled over.
        """
        if type(error) is ValueError or type(error).__module__.startswith(_OURS):
            return str(error)
        return f"{self.label} failed with an unexpected {type(error).__name__}; see its own log."

    def _check_sender(self, sender: str, topic: Topic, *expected: str) -> None:
        if sender not in expected:
            raise RefusedMessageError(
                f"{self.label} takes {topic.value!r} from {' or '.join(map(repr, expected))}, and "
                f"refuses it from {sender!r}."
            )

    def _note(self, event: str, **more: Any) -> None:
        self._audit.write(event, study=self._session, analyst=self._analyst, **more)
