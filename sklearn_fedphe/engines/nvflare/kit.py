"""Settings that NVIDIA FLARE reads of a kit: which class may run, who may do what, no code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .job import CONTROLLER, EXECUTOR
from .keys import OWNER_ONLY
from .refusals import RefusalCount
from .sessions import SessionLedger
from .site import AUDIT_LOG, REFUSALS, SESSIONS, Site

COMPONENTS: Mapping[str, str] = {
    "app_deployer": "sklearn_fedphe.engines.nvflare.deployer.RingDeployer",
    "process_launcher": "sklearn_fedphe.engines.nvflare.launcher.RingLauncher",
}
"""Ours in a site's own process, by the ids that NVIDIA FLARE has for them."""

ROLES = ("project_admin", "org_admin", "lead", "member")

_NOTHING = {
    "submit_job": "none",
    "clone_job": "none",
    "manage_job": "none",
    "download_job": "none",
    "view": "any",
    "operate": "none",
    "shell_commands": "none",
    "app_command": "none",
    "byoc": "none",
    "server-predeployed-flwr": "none",
}
_OWN = "n:submitter"
_ANALYST = _NOTHING | {"submit_job": "any", "manage_job": _OWN, "app_command": _OWN}

AUTHORIZATION: Mapping[str, Any] = {
    "format_version": "1.0",
    "permissions": {role: _ANALYST if role == "lead" else _NOTHING for role in ROLES},
}
"""Nobody brings code or runs a shell; leads submit jobs, and ask and end their own."""

COMMUNICATION: Mapping[str, Any] = {"allow_adhoc_conns": False}
"""Sites dial out to the server, and to nobody else."""

LINKED = ("resources.json", "authorization.json", "comm_config.json", "log_config.json")
"""Settings that are searched by name in the whole kit, jobs' folders among it: found first."""


def allowed_class(kit: Path) -> str:
    """Return the only class that jobs may name at this kit."""
    return CONTROLLER if is_server(kit) else EXECUTOR


def is_server(kit: Path) -> bool:
    """Tell the server's kit from a site's."""
    return (kit / "startup" / "fed_server.json").exists()


def prepare(kit: Path, site: Site | None = None) -> None:
    """Write a kit's settings; what is there is replaced.

    Parameters
    ----------
    kit : Path
        As it was provisioned.
    site : Site or None
        None for the server's kit.
    """
    local = kit / "local"
    if site is not None:
        _prepare_state(site)
        site.save(kit)
        (local / "federation.json").chmod(OWNER_ONLY)
    resources = json.loads((local / "resources.json.default").read_text())
    for name, content in (
        ("resources.json", _limited(resources, kit)),
        ("authorization.json", AUTHORIZATION),
        ("comm_config.json", COMMUNICATION),
    ):
        (local / name).write_text(json.dumps(content, indent=1))
    log_config = local / "log_config.json"
    log_config.write_bytes((local / "log_config.json.default").read_bytes())
    _link(kit)


def _prepare_state(site: Site) -> None:
    site.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (site.state / AUDIT_LOG).exists():  # a site that took part in fits has both, or fails
        SessionLedger(site.state / SESSIONS).create()
    RefusalCount(site.state / REFUSALS).clear()


def links_of(kit: Path) -> dict[str, str]:
    """Return what has to be in a kit's root: names, and where they point."""
    startup = "fed_server.json" if is_server(kit) else "fed_client.json"
    return {name: f"local/{name}" for name in LINKED} | {startup: f"startup/{startup}"}


def _link(kit: Path) -> None:
    for name, target in links_of(kit).items():
        link = kit / name
        if link.is_symlink() or link.exists():
            link.unlink()
        link.symlink_to(target)


def _limited(resources: dict[str, Any], kit: Path) -> dict[str, Any]:
    left_out = {"site_log_streamer"} if is_server(kit) else {"site_log_streamer", *COMPONENTS}
    components = [one for one in resources["components"] if one["id"] not in left_out]
    limits: dict[str, Any] = {
        "class_list_enforcement_mode": "enforce",
        "class_allow_list": [allowed_class(kit)],
    }
    if not is_server(kit):
        limits["allow_log_streaming"] = False
        components += [{"id": one, "path": path, "args": {}} for one, path in COMPONENTS.items()]
    return resources | limits | {"components": components}
