"""What is missing or unsafe in a kit, each with its remedy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from cryptography import x509

from .keys import load_identity, load_paillier_key, problem_of
from .kit import AUTHORIZATION, COMMUNICATION, COMPONENTS, allowed_class, is_server, links_of
from .refusals import RefusalCount, TooManyRefusalsError
from .sealed import Seal
from .site import REFUSALS, SESSIONS, Site
from .site_rows import RowsError, columns_of, read_rows

_AGAIN = "run site again"


def diagnose(kit: Path) -> list[str]:
    """Look over a kit. Run by its owner; what is found is for the owner alone.

    Parameters
    ----------
    kit : Path

    Returns
    -------
    list of str
        What is wrong; empty if nothing is.
    """
    kit = kit.resolve()  # as the settings have all paths
    looks: list[Callable[[Path], Iterator[str]]] = [_version, _settings, _additions, _startup]
    if not is_server(kit):
        looks += [_jobs, _site]
    findings: list[str] = []
    for look in looks:
        try:
            findings += look(kit)
        except (ValueError, OSError) as error:
            findings.append(f"{error}")
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            kind = type(error).__name__
            findings.append(f"{kit} has settings of no kit's form ({kind}: {error}); {_AGAIN}.")
    return findings


def _version(_: Path) -> Iterator[str]:
    found = metadata.version("nvflare")
    if not found.startswith("2.9"):
        yield f"NVIDIA FLARE {found} is installed, and this was tested with 2.9; install that."


def _settings(kit: Path) -> Iterator[str]:
    local = kit / "local"
    path, resources = local / "resources.json", _read(local / "resources.json")
    allowed = [allowed_class(kit)]
    if resources.get("class_allow_list") != allowed:
        yield f"{path} allows other classes than {allowed}; {_AGAIN}."
    if resources.get("class_list_enforcement_mode") != "enforce":
        yield f"{path} does not enforce its list of classes; {_AGAIN}."
    for name, wanted in (("authorization", AUTHORIZATION), ("comm_config", COMMUNICATION)):
        if _read(local / f"{name}.json") != wanted:
            yield f"{local / name}.json is not as site writes it; {_AGAIN}."
    for name, target in links_of(kit).items():
        link = kit / name
        if not link.is_symlink() or str(link.readlink()) != target:
            yield f"{link} is no link to {target}: a job's file could be read for it; {_AGAIN}."


def _additions(kit: Path) -> Iterator[str]:
    local = kit / "local"
    added = [
        path for part in ("startup", "local") for path in (kit / part).glob("*__*resources.json")
    ]
    for path in [*added, *local.glob("job_resources.json")]:
        yield f"{path} adds to what NVIDIA FLARE runs; remove it, unless you know why it is there."
    if (local / "custom").exists():
        yield f"{local / 'custom'} has code that every job could import; remove it."


def _startup(kit: Path) -> Iterator[str]:
    startup = kit / "startup"
    kind = "server" if is_server(kit) else "client"
    config = _read(startup / f"fed_{kind}.json")
    parts = config["servers"] if is_server(kit) else [config["client"]]
    if any(part.get("connection_security") != "mtls" for part in parts):
        yield f"{startup / f'fed_{kind}.json'} does not ask for mutual TLS; get a new kit."
    if problem := problem_of((startup / f"{kind}.key").stat()):
        yield f"{startup / f'{kind}.key'} {problem}; run: chmod 600 {startup / f'{kind}.key'}"
    certificate = x509.load_pem_x509_certificate((startup / f"{kind}.crt").read_bytes())
    if certificate.not_valid_after_utc < datetime.now(UTC):
        yield f"{startup / f'{kind}.crt'} has expired; get a new kit."


def _jobs(kit: Path) -> Iterator[str]:
    path = kit / "local" / "resources.json"
    resources = _read(path)
    parts = resources.get("components", [])
    for name, component in COMPONENTS.items():
        if [part["path"] for part in parts if part["id"] == name] != [component]:
            yield f"{path} does not have {component} for its {name}, and no other; {_AGAIN}."
    if resources.get("allow_log_streaming") is not False:
        yield f"{path} lets the site's log leave it; {_AGAIN}."


def _site(kit: Path) -> Iterator[str]:
    site = Site.load(kit)
    Seal(site.roster, site.name, kit)
    if not site.state.is_dir():
        yield f"{site.state}, the folder of the audit log, is not there; {_AGAIN}."
    elif not (site.state / SESSIONS).exists():
        yield (
            f"{site.state / SESSIONS}, the sessions that the site took part in, is not there: "
            "masks could be the same again; make a new key and card, a new roster, and another "
            "folder."
        )
    try:
        RefusalCount(site.state / REFUSALS).check("the site")
    except TooManyRefusalsError as error:
        yield str(error)
    for path in (site.key_file, site.state, site.data_file):
        if path is not None and kit in path.resolve().parents:
            yield f"{path} is in the kit, where NVIDIA FLARE writes and deletes; move it out."
    if site.role == "hospital":
        identity = load_identity(site.key_file).identity
        if identity != site.roster.hospitals[site.name].identity:
            yield f"{site.key_file} is not the identity on the roster; make a new card and roster."
        yield from _rows(site)
    else:
        modulus = load_paillier_key(site.key_file).public_key.n
        if modulus != site.roster.key_holder.modulus:
            yield f"{site.key_file} is not the key on the roster; make a new card and roster."


def _rows(site: Site) -> Iterator[str]:
    path = site.data_file
    if path is None or site.target is None or not path.exists():
        yield f"{path}, the rows, is not there; {_AGAIN} with --data."
        return
    if problem := problem_of(path.stat()):
        yield f"{path} {problem}; run: chmod 600 {path}"
    known = {*site.roster.features, site.target}
    try:
        extra = [name for name in columns_of(path) if name not in known]
        if extra:
            yield f"{path} has the columns {extra}, which are not of the study; leave them out."
            return
        read_rows(site.name, path, site.roster.features, site.target)
    except RowsError as error:
        yield f"{path}: {error}"


def _read(path: Path) -> dict[str, Any]:
    read = json.loads(path.read_bytes()) if path.exists() else {}
    return read if isinstance(read, dict) else {}
