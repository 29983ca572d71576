"""What a site runs in a job: its part, listening until the job ends. The only class it allows."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from nvflare.apis.event_type import EventType
from nvflare.apis.executor import Executor
from nvflare.apis.fl_constant import ReturnCode
from nvflare.apis.fl_context import FLContext
from nvflare.apis.shareable import Shareable, make_reply
from nvflare.apis.signal import Signal

from .channel import PING, SEALED, Channel, answer_to
from .hospital import HospitalPart
from .key_holder import KeyHolderPart
from .part import Part
from .sealed import Seal
from .site import Site
from .watch import Watch

SERVER = "the server"

LEFT, THERE = b"left", b"there"
"""Answers to the server's question."""

_GRACE = 60.0
"""Seconds until the server has asked for the first time: other sites may take long to start."""

_STEP = 0.5


class PartyExecutor(Executor):
    """A hospital's or the key holder's process in a job.

    It takes no task. Messages reach it from the moment that the run starts; it ends its part
    and the run when the server has not asked for it for the site's own `timeout`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._part: Part | None = None
        self._begun = False
        self._over = threading.Event()

    def handle_event(self, event_type: str, fl_ctx: FLContext) -> None:
        """Begin with the run, and end with it.

        Parameters
        ----------
        event_type : str
        fl_ctx : FLContext
        """
        if event_type == EventType.START_RUN and not self._begun:
            self._begun = True  # a server may say so again
            self._start(fl_ctx)
        elif event_type in (EventType.END_RUN, EventType.ABORT_TASK):
            self._over.set()
            if self._part is not None:
                if not self._part.has_ended:
                    self._part.leave(f"{self._part.label} left: the job was ended.")
                self._part.close()

    def execute(
        self,
        task_name: str,  # noqa: ARG002 - NVIDIA FLARE's
        shareable: Shareable,  # noqa: ARG002
        fl_ctx: FLContext,  # noqa: ARG002
        abort_signal: Signal,  # noqa: ARG002
    ) -> Shareable:
        """Refuse a task: none is ever sent by the controller that belongs to this."""
        return make_reply(ReturnCode.TASK_UNSUPPORTED)

    def _start(self, fl_ctx: FLContext) -> None:
        engine = fl_ctx.get_engine()
        kit = Path(engine.get_workspace().get_root_dir())
        cell, job_id = engine.get_cell(), fl_ctx.get_job_id()
        try:
            site = Site.load(kit)
            seal = Seal(site.roster, site.name, kit)
        except Exception as error:  # noqa: BLE001 - of files, settings, keys, certificates
            # Who asked cannot be told in secret why; the site's own log has it.
            self.log_error(fl_ctx, f"this site is not prepared: {error}", fire_event=False)
            Channel(cell, job_id, 0.0).listen(SEALED, _unprepared)
            Channel(cell, job_id, 0.0).listen(PING, lambda *_: THERE)
            return
        channel = Channel(cell, job_id, site.timeout)
        kind = HospitalPart if site.role == "hospital" else KeyHolderPart
        self._part = part = kind(site, channel.sender(seal))
        watch = Watch([SERVER], site.timeout, _GRACE)

        def answered(_: str, message: bytes) -> bytes | None:
            watch.heard(SERVER)
            # A job that is ended from outside has a reason that this party does not know.
            found = answer_to(message, seal, part.handle)
            return None if self._over.is_set() else found

        def asked(*_: object) -> bytes:
            watch.heard(SERVER)
            return THERE if part.failure is None else LEFT

        channel.listen(SEALED, answered)
        channel.listen(PING, asked)
        threading.Thread(
            target=self._watch, args=(watch, part, site.timeout, engine), daemon=True
        ).start()

    def _watch(self, watch: Watch, part: Part, timeout: float, engine: Any) -> None:
        while not self._over.wait(_STEP):
            if watch.silent():
                why = f"{part.label} left: {SERVER} has not asked for it for {timeout:g} s."
                part.leave(why)
                with engine.new_context() as fl_ctx:
                    self.system_panic(why, fl_ctx)
                return


def _unprepared(*_: object) -> bytes:
    return b"uThe site is not prepared, or its roster, key or kit has changed; run doctor there."
