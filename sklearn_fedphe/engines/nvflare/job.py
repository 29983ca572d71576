"""The job of one fit: two configurations that name our classes; no code, nothing of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .pinned_roster import PinnedRoster

JOB_NAME = "sklearn_fedphe"
EXECUTOR = "sklearn_fedphe.engines.nvflare.executor.PartyExecutor"
CONTROLLER = "sklearn_fedphe.engines.nvflare.controller.RingController"

_INTERVAL = 0.5
"""Seconds between two of a site's questions for a task: there is none, and only in between does
NVIDIA FLARE's runner see that the job is over."""


def client_config() -> dict[str, Any]:
    """Return what every party's site is asked to run, and the only job that it accepts."""
    return {
        "format_version": 2,
        "executors": [
            {"tasks": ["take_part"], "executor": {"path": EXECUTOR, "args": {}}},
        ],
        "task_result_filters": [],
        "task_data_filters": [],
        "components": [],
    }


def server_config(parties: list[str], timeout: float) -> dict[str, Any]:
    """Return what the server is asked to run.

    Parameters
    ----------
    parties : list of str
        Whom it watches.
    timeout : float
        Seconds of silence after which it ends the job.
    """
    arguments = {"parties": parties, "timeout": timeout}
    return {
        "format_version": 2,
        "server": {"task_request_interval": _INTERVAL},
        "workflows": [{"id": "ring", "path": CONTROLLER, "args": arguments}],
        "task_data_filters": [],
        "task_result_filters": [],
        "components": [],
    }


def write_job(folder: Path, roster: PinnedRoster, timeout: float) -> Path:
    """Write the job's folder, to be submitted.

    Parameters
    ----------
    folder : Path
        Where; it exists.
    roster : PinnedRoster
        For the names of the parties.
    timeout : float
        As for `server_config`.

    Returns
    -------
    Path
        The job's folder.
    """
    parties = [*roster.hospitals, roster.key_holder.name]
    job = folder / JOB_NAME
    config = job / "app" / "config"
    config.mkdir(parents=True)
    meta = {
        "name": JOB_NAME,
        "resource_spec": {},
        "min_clients": len(parties),
        "mandatory_clients": parties,
        "deploy_map": {"app": ["server", *parties]},
    }
    files = {
        job / "meta.json": meta,
        config / "config_fed_server.json": server_config(parties, timeout),
        config / "config_fed_client.json": client_config(),
    }
    for path, content in files.items():
        path.write_text(json.dumps(content, indent=2))
    return job
