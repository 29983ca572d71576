"""Sealed messages between the processes of a job, over NVIDIA FLARE's cells."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nvflare.fuel.f3.cellnet.defs import MessageHeaderKey, ReturnCode
from nvflare.fuel.f3.cellnet.fqcn import FQCN
from nvflare.fuel.f3.message import Message

from ...protocol import RefusedMessageError
from .failures import words_for_others
from .sealed import Seal
from .topics import NoReplyError, Topic

CHANNEL = "sklearn_fedphe"
"""Of all our messages in a cell."""

SEALED, PING, GONE = "sealed", "ping", "gone"
"""Topics in it: what parties say to each other, the server's question who is there, and a site's
word that its process in the job is not."""

_ATTEMPT = 3.0
"""Seconds until a message is sent once more; every message may come twice."""

_ANSWERED, _REFUSED, _UNSEALED = b"a", b"r", b"u"

Handle = Callable[[str, Topic, bytes], bytes]


def answer_to(message: bytes, seal: Seal, handle: Handle) -> bytes:
    """Open a message, have it handled, and seal what comes of it. Run by its receiver.

    What cannot be opened has nobody to be answered to: those words are in the clear, and
    the same for all.
    """
    try:
        sender, topic, body = seal.open(message)
    except RefusedMessageError as error:
        return _UNSEALED + str(error).encode()
    try:
        answer = _ANSWERED + handle(sender, Topic(topic.decode(errors="replace")), body)
    except Exception as error:  # noqa: BLE001 - whatever it is, who asked hears of it
        answer = _REFUSED + words_for_others(repr(seal.name), error).encode()
    return b"s" + seal.close_answer(sender, message, answer)


def opened_answer(answer: bytes, seal: Seal, receiver: str, message: bytes) -> bytes:
    """Open what came as an answer. Run by who asked.

    Raises
    ------
    RefusedMessageError
        With the receiver's words, if it refused; and if the answer is not its own.
    """
    if answer[:1] == _UNSEALED:
        raise RefusedMessageError(
            f"From the place of {receiver!r}, and unsigned: {answer[1:].decode(errors='replace')}"
        )
    content = seal.open_answer(receiver, message, answer[1:])
    if content[:1] != _ANSWERED:
        raise RefusedMessageError(content[1:].decode(errors="replace"))
    return content[1:]


class Channel:
    """One process's way to all parties of its job.

    Parameters
    ----------
    cell : Cell
        NVIDIA FLARE's, of this process.
    job_id : str
    patience : float
        Seconds after which there is no answer.
    """

    def __init__(self, cell: Any, job_id: str, patience: float) -> None:
        # The part of a cell that sends a message whole; the other streams it, and is slower.
        self._cell = getattr(cell, "core_cell", cell)
        self._job_id = job_id
        self._patience = patience

    def listen(self, topic: str, answer: Callable[[str, bytes], bytes | None]) -> None:
        """Have what comes under a topic from a place answered; None is no answer."""

        def answered(request: Message) -> Message:
            payload = request.payload if isinstance(request.payload, bytes) else b""
            found = answer(str(request.get_header(MessageHeaderKey.ORIGIN)), payload)
            code = ReturnCode.PROCESS_EXCEPTION if found is None else ReturnCode.OK
            return Message({MessageHeaderKey.RETURN_CODE: code}, found)

        self._cell.register_request_cb(CHANNEL, topic, answered)

    def deliver(self, receiver: str, message: bytes) -> bytes:
        """Send a sealed message until it is answered, and return what came as the answer.

        Raises
        ------
        NoReplyError
            If nothing comes.
        """
        give_up = time.monotonic() + self._patience
        while True:
            left = give_up - time.monotonic()
            found = self.attempt(receiver, SEALED, message, max(0.1, min(_ATTEMPT, left)))
            if found is not None:
                return found
            if time.monotonic() >= give_up:
                raise NoReplyError(f"{receiver!r} gave no answer in {self._patience:g} s.")
            time.sleep(0.1)

    def attempt(self, receiver: str, topic: str, payload: bytes, timeout: float) -> bytes | None:
        """Send something once, and return the answer, if there is one in time."""
        try:
            reply = self._cell.send_request(
                channel=CHANNEL,
                target=FQCN.join([receiver, self._job_id]),
                topic=topic,
                request=Message({}, payload),
                timeout=timeout,
                optional=True,
            )
        except RuntimeError:  # the cell is stopped, since the job ends
            return None
        if reply.get_header(MessageHeaderKey.RETURN_CODE) != ReturnCode.OK:
            return None
        answer = reply.payload
        return bytes(answer) if isinstance(answer, bytes | bytearray | memoryview) else None

    def sender(self, seal: Seal) -> Callable[[str, Topic, bytes], bytes]:
        """Return how the party of this seal reaches others."""

        def send(receiver: str, topic: Topic, body: bytes) -> bytes:
            message = seal.close(receiver, topic.value.encode(), body)
            return opened_answer(self.deliver(receiver, message), seal, receiver, message)

        return send
