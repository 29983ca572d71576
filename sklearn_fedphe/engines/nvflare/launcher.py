"""How a site starts its process in a job, and tells the server's part if that ends too early."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_launcher_spec import JobHandleSpec, JobReturnCode
from nvflare.app_common.job_launcher.client_process_launcher import ClientProcessJobLauncher
from nvflare.fuel.f3.cellnet.fqcn import FQCN

from .channel import GONE, Channel
from .topics import NoReplyError

_PATIENCE = 10.0
"""Seconds until the server's part has told the analyst."""


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
        channel = Channel(fl_ctx.get_engine().get_cell(), job_meta["job_id"], _PATIENCE)

        def tell() -> None:
            with suppress(NoReplyError):  # the server's part is gone as well
                channel.deliver(FQCN.ROOT_SERVER, b"", GONE)

        return _WatchedProcess(super().launch_job(job_meta, fl_ctx), tell)


class _WatchedProcess(JobHandleSpec):
    """A process that is told of when it ends by an error or a kill, unless by this very handle."""

    def __init__(self, process: JobHandleSpec, tell: Callable[[], None]) -> None:
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
        if self.poll() != JobReturnCode.SUCCESS and not self._is_terminated:
            self._tell()
