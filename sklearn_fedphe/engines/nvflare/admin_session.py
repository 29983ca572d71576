"""The analyst's session with NVIDIA FLARE: one job submitted, asked, ended or aborted."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from nvflare.fuel.flare_api.api_spec import InternalError, JobNotRunning, NoConnection, NoReply
from nvflare.fuel.flare_api.flare_api import Session, new_secure_session

from .controller import COMMAND
from .server_calls import FederationError, in_time

T = TypeVar("T")

COMPLETED = "FINISHED:COMPLETED"
"""How a job ends that did what it was for; there is no other success."""

_NO_JOB = (InternalError, JobNotRunning, NoConnection, NoReply)
"""Where the server's part in the job is not there yet, or not any more; whether the server itself
is, its answer on the job tells."""

_ALIVE = {"alive": True}
"""A command that says no more than that; without any, NVIDIA FLARE hands on none."""

_BEAT = 2.0
"""Seconds between signs of life while nothing is asked."""

_STARTING = 20.0
"""Seconds that a party has, if `timeout` is less, to give its first answer: it may still start."""

_ABORTING = 10.0
"""Seconds that the server has to hear that a job is aborted."""


class AdminSession:
    """One job, from its submission to its end.

    Parameters
    ----------
    kit : Path
        The analyst's, as it was provisioned.
    name : str
        The analyst's.
    timeout : float
        Seconds until the server counts as gone.
    """

    def __init__(self, kit: Path, name: str, timeout: float) -> None:
        self._timeout = timeout
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._last_asked = time.monotonic()
        self._job_id = ""
        self._answered: set[str] = set()
        self._why: str | None = None
        self._session: Session = self._in_time(lambda: _connected(kit, name, timeout), 2 * timeout)

    def submit(self, job: Path, patience: float) -> None:
        """Submit a job, and wait until its server's part can be asked.

        Raises
        ------
        FederationError
            If it does not start in `patience` seconds, with what the server says of it.
        """
        self._job_id = self._in_time(lambda: self._session.submit_job(str(job)))
        give_up = time.monotonic() + patience
        while self._asked(_ALIVE) is None:
            self._check_running()
            if time.monotonic() > give_up:
                raise FederationError(
                    f"The job did not start in {patience:g} s (it is {self.status()}): are all "
                    "sites and the key holder connected?"
                )
            time.sleep(0.5)
        threading.Thread(target=self._beat, daemon=True).start()

    def deliver(self, receiver: str, message: bytes) -> bytes:
        """Have the server hand on a sealed message, until it is answered.

        Raises
        ------
        FederationError
            If the job ends before, or there is no answer.
        """
        data = {"to": receiver, "message": base64.b64encode(message).decode()}
        has_started = receiver in self._answered
        patience = self._timeout if has_started else max(self._timeout, _STARTING)
        give_up = time.monotonic() + patience + 2 * _BEAT
        while True:
            found = self._asked(data)
            if found is not None and "answer" in found:
                self._answered.add(receiver)
                return _decoded(found["answer"])
            if found is None or self._why is not None:
                self._check_running()
            if time.monotonic() > give_up:
                raise FederationError(f"{receiver!r} gave no answer in {patience:g} s.")
            time.sleep(0.1)

    def complete(self, patience: float) -> None:
        """Say that the fit is over, and wait until the job is.

        Raises
        ------
        FederationError
            If it does not end as completed.
        """
        over = {"over": True}
        is_told = self._asked(over) is not None
        self._over.set()
        give_up = time.monotonic() + patience
        while not (status := self.status()).startswith("FINISHED"):
            if time.monotonic() > give_up:
                raise FederationError(f"The job did not end in {patience:g} s: it is {status}.")
            time.sleep(0.2)
            is_told = is_told or self._asked(over) is not None
        if status != COMPLETED:
            raise FederationError(self._why or f"The job ended as {status}, not as {COMPLETED}.")

    def abort(self) -> None:
        """End the job, if the server still hears; it is told once."""
        self._over.set()
        if self._job_id:
            self._quietly(lambda: self._session.abort_job(self._job_id))

    def close(self) -> None:
        """End the session."""
        self._over.set()
        self._quietly(self._session.close)

    def status(self) -> str:
        """Return how far the job is, in NVIDIA FLARE's words."""
        meta = self._in_time(lambda: self._session.get_job_meta(self._job_id))
        return str(meta.get("status"))

    def _check_running(self) -> None:
        if self._why is not None:
            raise FederationError(self._why)
        meta = self._in_time(lambda: self._session.get_job_meta(self._job_id))
        if str(meta.get("status")).startswith("FINISHED"):
            sites = map(str, meta.get("job_deploy_detail") or [])
            detail = "; ".join(site for site in sites if not site.endswith(": OK"))
            raise FederationError(
                f"The job ended as {meta['status']}"
                + (f" ({detail})." if detail else "; see the server's log.")
            )

    def _asked(self, data: dict[str, Any]) -> dict[str, Any] | None:
        self._last_asked = time.monotonic()

        def ask() -> dict[str, Any] | None:
            with self._lock:
                try:
                    found = self._session.do_app_command(self._job_id, COMMAND, data)
                except _NO_JOB:
                    return None
            return dict(found)

        found = self._in_time(ask)
        if found is not None and "why" in found:  # whoever of us asked: it is told once
            self._why = str(found["why"])
        return found

    def _beat(self) -> None:
        """Give signs of life while a solver computes."""
        while not self._over.wait(_BEAT / 4):
            if time.monotonic() - self._last_asked > _BEAT:
                self._quietly(lambda: self._asked(_ALIVE))

    def _quietly(self, call: Callable[[], object]) -> None:
        # Whatever it was about ends by the timeouts of those who are left.
        with suppress(FederationError):
            self._in_time(call, _ABORTING)

    def _in_time(self, call: Callable[[], T], seconds: float | None = None) -> T:
        return in_time(call, self._timeout if seconds is None else seconds)


def _decoded(answer: Any) -> bytes:
    try:
        return base64.b64decode(answer, validate=True)
    except (TypeError, ValueError):
        raise FederationError(
            "The server handed on an answer that is none; it was altered on the way."
        ) from None


def _connected(kit: Path, name: str, timeout: float) -> Session:
    with redirect_stdout(StringIO()):  # it says on the way that it connects
        return new_secure_session(name, str(kit), timeout=timeout)
