import json
import os
import stat

import pytest
from nvflare.apis.fl_exception import UnsafeComponentError
from nvflare.apis.workspace import Workspace
from nvflare.app_common.widgets.component_path_authorizer import ComponentPathAuthorizer
from nvflare.fuel.f3.comm_config import VarName
from nvflare.fuel.sec.authz import Authorizer, AuthzContext, Person
from nvflare.fuel.utils.class_loader import load_class
from nvflare.fuel.utils.config_factory import ConfigFactory
from nvflare.security.security import COMMAND_CATEGORIES

from sklearn_fedphe.engines.nvflare.deployer import RingDeployer
from sklearn_fedphe.engines.nvflare.executor import PartyExecutor
from sklearn_fedphe.engines.nvflare.job import CONTROLLER, EXECUTOR
from sklearn_fedphe.engines.nvflare.kit import (
    AUTHORIZATION,
    COMPONENTS,
    ROLES,
    allowed_class,
    is_server,
    links_of,
    prepare,
)
from sklearn_fedphe.engines.nvflare.launcher import RingLauncher
from sklearn_fedphe.engines.nvflare.site import Site

SITES = ("north", "trustee")


def read(kit, name):
    return json.loads((kit / "local" / name).read_text())


def allows(kit, path):
    try:
        ComponentPathAuthorizer().authorize_component_config(
            {"path": path}, workspace=Workspace(str(kit))
        )
    except UnsafeComponentError:
        return False
    return True


def authorized(right, role, user="ann", submitter="ann"):
    authorizer = Authorizer("north", COMMAND_CATEGORIES)
    assert authorizer.load_policy(json.loads(json.dumps(AUTHORIZATION))) == ""
    context = AuthzContext(right, Person(user, "lab", role), Person(submitter, "lab", role))
    return authorizer.authorize(context)[0]


@pytest.mark.parametrize("name", SITES)
def test_a_sites_jobs_run_the_executor_and_nothing_else(party_files, name):
    kit = party_files.kits / name
    assert read(kit, "resources.json")["class_allow_list"] == [EXECUTOR]
    assert load_class(EXECUTOR) is PartyExecutor
    assert allows(kit, EXECUTOR)
    for other in (CONTROLLER, "subprocess.Popen", f"{EXECUTOR}2", EXECUTOR.rpartition(".")[0]):
        assert not allows(kit, other)


def test_the_servers_jobs_run_the_controller_and_nothing_else(party_files):
    kit = party_files.kits / "localhost"
    assert is_server(kit)
    assert allowed_class(kit) == CONTROLLER
    assert allows(kit, CONTROLLER)
    assert not allows(kit, EXECUTOR)
    assert not (kit / "local" / "federation.json").exists()


@pytest.mark.parametrize("name", SITES)
def test_a_site_keeps_its_log_looks_at_jobs_and_starts_them(party_files, provisioned, name):
    found = read(party_files.kits / name, "resources.json")
    before = json.loads((provisioned / name / "local" / "resources.json.default").read_text())
    left_out = ("site_log_streamer", "process_launcher")
    kept = [part for part in before["components"] if part["id"] not in left_out]
    assert len(kept) == len(before["components"]) - 2
    assert found["components"] == kept + [
        {"id": one, "path": COMPONENTS[one], "args": {}}
        for one in ("app_deployer", "process_launcher")
    ]
    assert load_class(COMPONENTS["app_deployer"]) is RingDeployer
    assert load_class(COMPONENTS["process_launcher"]) is RingLauncher
    assert found["allow_log_streaming"] is False
    assert found["class_list_enforcement_mode"] == "enforce"


def test_a_site_dials_nobody_but_the_server(party_files):
    assert read(party_files.kits / "north", "comm_config.json") == {
        VarName.ALLOW_ADHOC_CONNS: False
    }


def test_analysts_submit_and_end_their_own_jobs():
    assert authorized("submit_job", "lead")
    assert authorized("abort_job", "lead")
    assert not authorized("abort_job", "lead", submitter="ben")
    for role in ("project_admin", "org_admin", "member"):
        assert not authorized("submit_job", role)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_brings_code_or_runs_a_shell(role):
    for right in ("byoc", "cat", "ls", "shell_commands", "restart", "download_job", "clone_job"):
        assert not authorized(right, role), right


def test_settings_are_their_owners_alone(party_files):
    path = party_files.kits / "north" / "local" / "federation.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    state = Site.load(party_files.kits / "north").state
    assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0


@pytest.mark.parametrize("name", [*SITES, "localhost"])
def test_settings_are_found_before_those_of_a_job(own_kit, name):
    kit = own_kit(name)
    links = links_of(kit)
    assert len(links) == 5
    for job in ("0-first", "zz-last"):
        folder = kit / job / "app" / "config"
        folder.mkdir(parents=True)
        for setting in links:
            (folder / setting).write_text("{}")
    for setting, target in links.items():
        _, found = ConfigFactory.search_config_format(setting, [str(kit)])
        assert found == os.path.join(kit, setting)  # noqa: PTH118
        assert (kit / setting).read_bytes() == (kit / target).read_bytes()


def test_a_kit_that_moves_keeps_its_links(own_kit, tmp_path):
    kit = own_kit("north").rename(tmp_path / "moved")
    assert all((kit / name).exists() for name in links_of(kit))


def test_to_prepare_again_replaces_what_was_changed(own_kit):
    kit = own_kit("north")
    before = {path: path.read_bytes() for path in (kit / "local").iterdir()}
    (kit / "local" / "resources.json").write_text("{}")
    (kit / "local" / "authorization.json").unlink()
    (kit / "resources.json").unlink()
    (kit / "resources.json").write_text('{"class_allow_list": ["*"]}')
    prepare(kit, Site.load(kit))
    assert {path: path.read_bytes() for path in (kit / "local").iterdir()} == before
    assert (kit / "resources.json").is_symlink()
