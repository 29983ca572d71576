"""What the server runs in a job: it hands on what it cannot read, and watches who is there."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.signal import Signal

from .channel import GONE, PING, SEALED, Channel
from .watch import Watch

COMMAND = "sklearn_fedphe"
"""Topic of the analyst's commands to the job."""

ANALYST = "the analyst"

_EVERY = 0.5
"""Seconds between two questions to a party whether it is there."""

_STEP = 0.2

_ATTEMPT = 3.0
"""Seconds for one; less than the server's own limit on a command."""

_GRACE = 30.0
"""Seconds that parties and analyst have to be heard for the first time."""

_TELLING = 5.0
"""Seconds that the analyst has to fetch why the job is about to end."""

_HEARD = b"heard"
"""Answer to a site whose word the analyst has."""


class RingController(Controller):
    """The server's process in a job.

    Reveals nothing to whoever runs it but who talks to whom, when, and how much.

    Parameters
    ----------
    parties : list of str
        Names of the sites that take part.
    timeout : float
        Seconds of silence of one of them, or of the analyst, after which the job ends.
    """

    def __init__(self, parties: list[str], timeout: float) -> None:
        super().__init__()
        self._parties = parties
        self._timeout = timeout
        self._over = threading.Event()
        self._told = threading.Event()
        self._asking = threading.Event()
        self._asking.set()
        self._why: str | None = None
        self._channel: Channel
        self._watch: Watch

    def start_controller(self, fl_ctx: FLContext) -> None:
        """Listen to the analyst.

        Parameters
        ----------
        fl_ctx : FLContext
        """
        engine = fl_ctx.get_engine()
        self._channel = Channel(engine.get_cell(), fl_ctx.get_job_id(), _ATTEMPT)
        self._watch = Watch([*self._parties, ANALYST], self._timeout, _GRACE)
        self._channel.listen(GONE, self._gone)
        engine.register_app_command(COMMAND, self.command)

    def control_flow(self, abort_signal: Signal, fl_ctx: FLContext) -> None:
        """Watch until the analyst says that the fit is over, or somebody is missing.

        Parameters
        ----------
        abort_signal : Signal
        fl_ctx : FLContext
        """
        for name in self._parties:
            threading.Thread(target=self._ask_for, args=(name,), daemon=True).start()
        while not (self._over.wait(_STEP) or abort_signal.triggered or self._why):
            self._end_for(self._suspicion())
        self._asking.clear()
        if self._why is not None:
            self._told.wait(_TELLING)
            self.system_panic(self._why, fl_ctx)

    def stop_controller(self, fl_ctx: FLContext) -> None:
        """Nothing is left to be stopped.

        Parameters
        ----------
        fl_ctx : FLContext
        """

    def command(self, _topic: str, data: dict[str, Any], _fl_ctx: FLContext) -> dict[str, Any]:
        """Take a command of the analyst's.

        Parameters
        ----------
        data : dict
            ``{"to": name, "message": base64}`` to hand on; ``{"over": True}``; or anything else,
            a sign of life.

        Returns
        -------
        dict
            With ``"answer"`` (base64) if there is one, or ``"why"`` if the job is ending.
        """
        self._watch.heard(ANALYST)
        answer = None
        if self._why is None and data.get("over"):
            self._over.set()
        elif self._why is None and data.get("to") in self._parties:
            message = base64.b64decode(data["message"])
            answer = self._channel.attempt(data["to"], SEALED, message, _ATTEMPT)
        if answer is not None:
            return {"answer": base64.b64encode(answer).decode()}
        if self._why is not None:
            self._told.set()
            return {"why": self._why}
        return {}

    def _gone(self, name: str, _: bytes) -> bytes | None:
        """Hear a site say that its process ended; it is answered when the analyst knows."""
        if name in self._parties and not self._over.is_set():
            self._end_for(
                f"client {name!r} is missing: its process ended before the fit did; see its own "
                "log. The job was ended."
            )
        return _HEARD if self._over.is_set() or self._told.is_set() else None

    def _ask_for(self, name: str) -> None:
        """Ask one party whether it is there, again and again: none waits for another."""
        while self._asking.is_set():
            if self._channel.attempt(name, PING, b"", _ATTEMPT) is not None:
                self._watch.heard(name)
            time.sleep(_EVERY)

    def _end_for(self, why: str | None) -> None:
        # Who was missing first stays named: the others leave because of it.
        self._why = self._why or why

    def _suspicion(self) -> str | None:
        silent = self._watch.silent()
        if not silent:
            return None
        names = ", ".join(name if name == ANALYST else f"client {name!r}" for name in silent)
        return f"{names} gave no sign of life for {self._timeout:g} s; the job was ended."
