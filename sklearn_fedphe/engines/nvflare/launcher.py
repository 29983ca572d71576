"""How a site starts its process in a job, and tells the server's part if that ends too early."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_launcher_spec import JobHandleSpec, JobReturnCode
from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.fuel.f3.cellnet.fqcn import FQCN

from .channel import GONE, Channel

_PATIENCE = 120.0
"""Seconds until the analyst knows: the server's part may be the last to start."""

_ATTEMPT, _BETWEEN = 3.0, 0.1
"""Seconds for one, and until the next."""


class RingLauncher(ClientProcessJobLauncher):
    """Starts processes as NVIDIA FLARE does, and says first who is gone.

    Once a site reports that a process failed, NVIDIA FLARE's server ends the whole job and names
    nobody: all processes fall silent at one time. So the server's part in the job hears of it
    before that. Run by a site's own process; reveals that a process of it ended.
    """

    def launch_job(self, job_meta: dict[str, Any], fl_ctx: FLContext) -> JobHandleSpec:
        """Start the site's process in a job.

        Parameters
        ----------
        job_meta : dict
        fl_ctx : FLContext

        Returns
        -------
        JobHandleSpec
            Its `wait` returns when the process has ended, and that was told if it was too early.
        """
        channel = Channel(fl_ctx.get_engine().get_cell(), job_meta["job_id"], _ATTEMPT)

        def tell() -> bool:
            return channel.attempt(FQCN.ROOT_SERVER, GONE, b"", _ATTEMPT) is not None

        return _WatchedProcess(super().launch_job(job_meta, fl_ctx), tell)


class _WatchedProcess(JobHandleSpec):
    """A process that is told of when it ends by an error or a kill, until the job is ended."""

    def __init__(self, process: JobHandleSpec, tell: Callable[[], bool]) -> None:
        self._process = process
        self._tell = tell
        self._is_terminated = False

    def terminate(self) -> None:
        self._is_terminated = True
        self._process.terminate()

    def poll(self) -> int:
        code: int = self._process.poll()
        return code

    def wait(self) -> None:
        self._process.wait()
        if self.poll() == JobReturnCode.SUCCESS:
            return
        give_up = time.monotonic() + _PATIENCE
        while not (self._is_terminated or self._tell()) and time.monotonic() < give_up:
            time.sleep(_BETWEEN)
