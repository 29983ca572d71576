"""What a site looks at in a job before any of it is written down: it accepts one job, ours."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from nvflare.apis.app_deployer_spec import AppDeployerSpec
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace
from nvflare.lighter.tool_consts import NVFLARE_SIG_FILE, NVFLARE_SUBMITTER_CRT_FILE
from nvflare.private.fed.utils.app_deployer import AppDeployer

from .job import client_config

_CONFIG = "config/config_fed_client.json"
_SERVERS = "config/config_fed_server.json"
_MOST_BYTES = 100_000
"""Of a job, unpacked; ours has a hundredth of it."""


class RingDeployer(AppDeployerSpec):
    """Refuses a job that brings or changes anything: files, settings, code, filters, arguments.

    NVIDIA FLARE writes a job's files before it looks at them, and its own settings are found
    by name, in jobs' folders too; the allow-list of classes is one of them.
    """

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
        problem = problem_of(app_data)
        if problem is not None:
            return f"the site accepts the job of sklearn_fedphe alone, and this one {problem}"
        error: str | None = AppDeployer().deploy(
            workspace, job_id, job_meta, app_name, app_data, fl_ctx
        )
        return error or ""


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
            names = [info.filename for info in files]
            folders = [info.filename for info in archive.infolist() if info.is_dir()]
            config = archive.read(_CONFIG) if _CONFIG in names else b""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError):
        return "cannot be unpacked."
    signatures = {NVFLARE_SIG_FILE, NVFLARE_SUBMITTER_CRT_FILE}
    known = {_CONFIG, _SERVERS} | signatures | {f"config/{name}" for name in signatures}
    others = sorted((set(names) - known) | (set(folders) - {"config/"}))
    if others or len(set(names)) < len(names):
        return f"has the files {others or names}."
    try:
        found = json.loads(config)
    except ValueError:
        return f"has no {_CONFIG}."
    if found != client_config():
        return f"has another {_CONFIG}."
    return None
