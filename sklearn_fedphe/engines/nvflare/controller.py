"""What the server runs in a job: it hands on what it cannot read, and watches who is there."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

from nvflare.apis.fl_context import FLContext
from nvflare.apis.impl.controller import Controller
from nvflare.apis.signal import Signal

from .channel import PING, SEALED, Channel
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

_NOTABLE = 3.0
"""Seconds of silence that the analyst is told of, should the job end without us knowing why."""

_TELLING = 4.0
"""Seconds that the analyst has to fetch why the job is about to end, or who is missing."""


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
        self._silent: dict[str, float] | None = None
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
            self._why = self._suspicion()
        self._silent = self._silences()  # from now on, all are about to leave
        self._asking.clear()
        if not self._over.is_set():
            self._told.wait(_TELLING)
            if self._why is not None:
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
            With ``"answer"`` (base64) if there is one, ``"why"`` if the job is ending, and
            ``"silent"``, the seconds since each party was heard that missed an answer.
        """
        self._watch.heard(ANALYST)
        found: dict[str, Any] = {}
        if self._why is not None:
            found["why"] = self._why
        elif data.get("over"):
            self._over.set()
        elif data.get("to") in self._parties:
            message = base64.b64decode(data["message"])
            answer = self._channel.attempt(data["to"], SEALED, message, _ATTEMPT)
            if answer is not None:
                found["answer"] = base64.b64encode(answer).decode()
        silent = self._silent
        if silent is None:
            silent = self._silences()
        else:
            self._told.set()
        return found | {"silent": silent}

    def _silences(self) -> dict[str, float]:
        silences = self._watch.silences(_NOTABLE)
        silences.pop(ANALYST, None)
        return silences

    def _ask_for(self, name: str) -> None:
        """Ask one party whether it is there, again and again: none waits for another."""
        while self._asking.is_set():
            if self._channel.attempt(name, PING, b"", _ATTEMPT) is not None:
                self._watch.heard(name)
            time.sleep(_EVERY)

    def _suspicion(self) -> str | None:
        silent = self._watch.silent()
        if not silent:
            return None
        names = ", ".join(name if name == ANALYST else f"client {name!r}" for name in silent)
        return f"{names} gave no sign of life for {self._timeout:g} s; the job was ended."
