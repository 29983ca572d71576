import json
from importlib import import_module

import pytest
from nvflare.apis.controller_spec import ControllerSpec
from nvflare.apis.executor import Executor
from nvflare.apis.job_def import JobMetaKey
from nvflare.private.fed.server.job_meta_validator import JobMetaValidator

from sklearn_fedphe.engines.nvflare.job import CONTROLLER, EXECUTOR, write_job

PARTIES = ["north", "east", "south", "trustee"]


@pytest.fixture
def job(pinned, tmp_path):
    return write_job(tmp_path, pinned, 12.5)


def read(path):
    return json.loads(path.read_text())


def test_a_job_has_three_files_and_no_code(job):
    assert {str(path.relative_to(job)) for path in job.rglob("*") if path.is_file()} == {
        "meta.json",
        "app/config/config_fed_client.json",
        "app/config/config_fed_server.json",
    }


def test_all_parties_are_needed(job):
    meta = read(job / "meta.json")
    assert job.name == meta["name"] == "sklearn_fedphe"
    assert meta["mandatory_clients"] == PARTIES
    assert meta["min_clients"] == 4
    assert meta["deploy_map"] == {"app": ["server", *PARTIES]}


def test_sites_are_asked_to_run_our_executor_without_arguments(job):
    assert read(job / "app" / "config" / "config_fed_client.json") == {
        "format_version": 2,
        "executors": [{"tasks": ["take_part"], "executor": {"path": EXECUTOR, "args": {}}}],
        "task_result_filters": [],
        "task_data_filters": [],
        "components": [],
    }


def test_the_server_is_told_whom_to_watch_and_for_how_long(job):
    config = read(job / "app" / "config" / "config_fed_server.json")
    (workflow,) = config.pop("workflows")
    assert workflow["path"] == CONTROLLER
    assert workflow["args"] == {"parties": PARTIES, "timeout": 12.5}
    assert config.pop("server") == {"task_request_interval": 0.5}
    assert not any(config[name] for name in config if name != "format_version")


@pytest.mark.parametrize(("path", "kind"), [(EXECUTOR, Executor), (CONTROLLER, ControllerSpec)])
def test_the_classes_are_there(path, kind):
    module, _, name = path.rpartition(".")
    assert issubclass(getattr(import_module(module), name), kind)


def test_nothing_of_a_model_is_in_it(job, pinned):
    written = "".join(path.read_text() for path in job.rglob("*.json"))
    assert not any(feature in written for feature in pinned.features)
    assert "analyst" not in written


def test_nvidia_flare_takes_it(job, tmp_path):
    from nvflare.fuel.utils.zip_utils import zip_directory_to_bytes

    data = zip_directory_to_bytes(str(tmp_path), job.name)
    valid, error, meta = JobMetaValidator().validate(job.name, data)
    assert (valid, error) == (True, "")
    assert meta[JobMetaKey.MANDATORY_CLIENTS] == PARTIES
    assert not meta.get("byoc")
