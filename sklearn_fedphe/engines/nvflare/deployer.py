"""What a site looks at in a job before it is deployed: it accepts one job, ours."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from nvflare.apis.app_deployer_spec import AppDeployerSpec
from nvflare.apis.fl_context import FLContext
from nvflare.apis.job_def import is_valid_job_id
from nvflare.apis.workspace import Workspace
from nvflare.lighter.tool_consts import NVFLARE_SIG_FILE, NVFLARE_SUBMITTER_CRT_FILE
from nvflare.private.defs import TrainingTopic
from nvflare.private.fed.client.client_req_processors import ClientRequestProcessors
from nvflare.private.fed.utils.app_deployer import AppDeployer

from .audit import AuditLog
from .job import client_config
from .site import AUDIT_LOG, Site

_CONFIG = "config/config_fed_client.json"
_SERVERS = "config/config_fed_server.json"
_MOST_BYTES = 100_000
"""Of a job, unpacked; ours has a hundredth of it."""

_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Others unpack by the block, however much that is."""

_UNPACKING = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)
"""What bytes can raise that are no zip, or an altered one."""

_MOST_SHOWN = 200
"""Characters of what came, in errors."""

NEEDED = frozenset(
    {
        TrainingTopic.ABORT,
        TrainingTopic.CANCEL_RESOURCE,
        TrainingTopic.CHECK_RESOURCE,
        TrainingTopic.CHECK_STATUS,
        TrainingTopic.DEPLOY,
        TrainingTopic.NOTIFY_JOB_STATUS,
        TrainingTopic.START_JOB,
    }
)
"""What a server may ask a site's own process: what a job takes, and nothing else."""


def limit_requests() -> None:
    """Have NVIDIA FLARE's client answer what is in `NEEDED` alone.

    It looks at ``authorization.json`` only where a request says that it is to be looked at,
    and who sends the request says so. Without this, a server reads any file that the site's
    user can read, by ``cat``, and deletes the kit's settings as the run named ``local``.
    """
    known = ClientRequestProcessors.request_processors
    known[:] = [processor for processor in known if set(processor.get_topics()) <= NEEDED]


class RingDeployer(AppDeployerSpec):
    """Refuses a job that brings or changes anything: files, settings, code, filters, arguments.

    NVIDIA FLARE writes a job's files before it looks at them, and its own settings are found
    by name, in jobs' folders too; the allow-list of classes is one of them.

    Being the one component of ours that a site's own process makes before it answers anything,
    it also limits what that process answers.
    """

    def __init__(self) -> None:
        limit_requests()

    def deploy(
        self,
        workspace: Workspace,
        job_id: str,
        job_meta: dict[str, Any],
        app_name: str,
        app_data: bytes,
        fl_ctx: FLContext,
    ) -> str:
        """Look at a job, and have NVIDIA FLARE deploy it if it is ours.

        Parameters
        ----------
        workspace : Workspace
        job_id : str
        job_meta : dict
        app_name : str
        app_data : bytes
            The job's files, zipped.
        fl_ctx : FLContext

        Returns
        -------
        str
            Why it is refused; empty if it is not.
        """
        problem = _problem_of_meta(job_id, job_meta) or problem_of(app_data)
        if problem is not None:
            _note(Path(workspace.get_root_dir()), job_meta, problem)
            return f"the site accepts the job of sklearn_fedphe alone, and this one {problem}"
        error: str | None = AppDeployer().deploy(
            workspace, job_id, job_meta, app_name, app_data, fl_ctx
        )
        return error or ""


def _problem_of_meta(job_id: str, job_meta: dict[str, Any]) -> str | None:
    if not is_valid_job_id(job_id):  # a job's folder is named by it, beside the kit's own
        return "has an id that no server makes."
    asked = [name for name in ("byoc", "launcher_spec") if job_meta.get(name)]
    return f"asks for {asked}." if asked else None


def _note(kit: Path, job_meta: dict[str, Any], problem: str) -> None:
    with suppress(OSError, ValueError):  # it is refused all the same
        analyst = str(job_meta.get("submitter_name"))[:_MOST_SHOWN]
        log = AuditLog(Site.load(kit).state / AUDIT_LOG)
        log.write("refused", study=b"", analyst=analyst, why=f"a job that {problem}")


def problem_of(app_data: bytes) -> str | None:
    """Return what makes a job another than ours, if anything.

    Parameters
    ----------
    app_data : bytes
        Its files, zipped.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(app_data)) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in files) > _MOST_BYTES:
                return f"has more than {_MOST_BYTES} bytes."
            if any(info.compress_type not in _WAYS for info in files):
                return "is packed in another way than NVIDIA FLARE packs jobs."
            names = [info.filename for info in files]
            folders = [info.filename for info in archive.infolist() if info.is_dir()]
            config = archive.read(_CONFIG) if _CONFIG in names else b""
    except _UNPACKING:
        return "cannot be unpacked."
    signatures = {NVFLARE_SIG_FILE, NVFLARE_SUBMITTER_CRT_FILE}
    known = {_CONFIG, _SERVERS} | signatures | {f"config/{name}" for name in signatures}
    others = sorted((set(names) - known) | (set(folders) - {"config/"}))
    if others or len(set(names)) < len(names):
        return f"has the files {(others or names)[:3]}"[:_MOST_SHOWN] + "."
    try:
        is_ours = json.loads(config) == client_config()
    except (ValueError, RecursionError):
        return f"has no {_CONFIG}."
    return None if is_ours else f"has another {_CONFIG}."
