import io
import json
import uuid
import zipfile
from contextlib import contextmanager

import pytest
from nvflare.apis.fl_context import FLContext
from nvflare.apis.workspace import Workspace
from nvflare.fuel.sec.audit import Auditor, AuditService
from nvflare.private.admin_defs import Message
from nvflare.private.defs import SysCommandTopic, TrainingTopic, new_cell_message
from nvflare.private.fed.client.admin import FedAdminAgent
from nvflare.private.fed.client.client_req_processors import ClientRequestProcessors

from sklearn_fedphe.engines.nvflare import deployer
from sklearn_fedphe.engines.nvflare.deployer import NEEDED, RingDeployer, problem_of
from sklearn_fedphe.engines.nvflare.job import client_config, write_job

CONFIG = "config/config_fed_client.json"
OURS = {CONFIG: json.dumps(client_config())}


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, content)
    return data.getvalue()


@pytest.fixture(autouse=True)
def processors(monkeypatch):
    """NVIDIA FLARE's list of what a client answers, put back after each test."""
    known = list(ClientRequestProcessors.request_processors)
    monkeypatch.setattr(ClientRequestProcessors, "request_processors", known)
    return known


@pytest.fixture
def kit(own_kit):
    return own_kit("north")


@pytest.fixture
def deploy(kit):
    def deploy(data, job_id=None, **meta):
        given = {"submitter_name": "ann", "submitter_org": "lab", "submitter_role": "lead"} | meta
        workspace = Workspace(str(kit), site_name="north", config_folder="config")
        name = str(uuid.uuid4()) if job_id is None else job_id
        return RingDeployer().deploy(workspace, name, given, "app", data, FLContext())

    return deploy


def files_of(kit):
    return {path: path.read_bytes() for path in kit.rglob("*") if path.is_file()}


def test_the_job_that_analysts_submit_is_deployed(deploy, kit, pinned, tmp_path):
    job = write_job(tmp_path, pinned, 15.0)
    app = job / "app"
    files = {str(path.relative_to(app)): path.read_bytes() for path in app.rglob("*.json")}
    name = str(uuid.uuid4())
    assert deploy(zipped({"config/": ""} | files), name) == ""
    assert json.loads((kit / name / "app_north" / CONFIG).read_text()) == client_config()
    assert "byoc" not in json.loads((kit / name / "meta.json").read_text())


def test_what_nvidia_flare_refuses_is_refused(deploy, monkeypatch):
    monkeypatch.setattr(deployer.AppDeployer, "deploy", lambda *_: "not authorized")
    assert deploy(zipped(OURS)) == "not authorized"


@pytest.mark.parametrize(
    "name", [".__nvfl_sig.json", "config/.__nvfl_sig.json", "config/config_fed_server.json"]
)
def test_signatures_and_the_servers_part_are_let_through(name):
    assert problem_of(zipped(OURS | {name: "{}"})) is None


@pytest.mark.parametrize(
    "name",
    [
        "custom/evil.py",
        "custom/",
        "config/resources.json",
        "config/comm_config.json",
        "config/log_config.json",
        "config/config_fed_client.conf",
        "config/config_fed_client.yml",
        "config/deeper/config_fed_client.json",
        "resources.json",
        "meta.json",
        "../config_fed_client.json",
        "/etc/passwd",
        "config/../../local/resources.json",
        "custom\\evil.py",
    ],
)
def test_a_job_of_other_files_is_refused_before_it_is_written(deploy, kit, name):
    before = files_of(kit)
    text = deploy(zipped(OURS | {name: "{}"}))
    assert text.startswith(
        "the site accepts the job of sklearn_fedphe alone, and this one has the"
    )
    assert repr(name) in text
    assert files_of(kit) == before


def changed(**change):
    return json.dumps(client_config() | change)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, f"has no {CONFIG}"),
        ({"config/config_fed_server.json": "{}"}, f"has no {CONFIG}"),
        ({CONFIG: "{"}, f"has no {CONFIG}"),
        ({CONFIG: b"\xff\xfe\xfd"}, f"has no {CONFIG}"),
        ({CONFIG: "{}"}, f"has another {CONFIG}"),
        ({CONFIG: changed(components=[{"id": "x", "path": "os.system"}])}, "has another"),
        ({CONFIG: changed(task_data_filters=[{"tasks": ["*"]}])}, "has another"),
        ({CONFIG: changed(class_allow_list=["*"])}, "has another"),
        ({CONFIG: " " * 100_001}, "has more than 100000 bytes"),
    ],
)
def test_a_job_of_another_content_is_refused(files, message):
    assert message in problem_of(zipped(files))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_is_refused():
    twice = [(CONFIG, "{}"), (CONFIG, OURS[CONFIG])]
    assert problem_of(zipped(twice)).startswith("has the files ")


@pytest.mark.parametrize("data", [b"", b"no zip", zipped(OURS)[:-30]])
def test_what_cannot_be_unpacked_is_refused(data):
    assert problem_of(data) == "cannot be unpacked."


def test_a_refusal_is_short(deploy):
    assert len(deploy(zipped({f"{i}" * 300: "" for i in range(50)}))) < 350


@pytest.mark.parametrize("name", ["local", "startup", "transfer", "pandas", "..", ""])
def test_a_job_that_would_take_the_place_of_the_kits_folders_is_refused(deploy, kit, name):
    before = files_of(kit)
    assert "has an id that no server makes" in deploy(zipped(OURS), name)
    assert files_of(kit) == before


@pytest.mark.parametrize(
    "meta", [{"byoc": True}, {"launcher_spec": {"north": {"docker": {"image": "evil"}}}}]
)
def test_a_job_that_asks_for_other_ways_to_run_is_refused(deploy, meta):
    assert f"asks for {list(meta)}" in deploy(zipped(OURS), **meta)


def test_a_refusal_is_noted(deploy, tmp_path):
    deploy(zipped(OURS | {"custom/evil.py": ""}), submitter_name="e" * 1000)
    (line,) = (tmp_path / "north.state" / "audit.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert noted["event"] == "refused"
    assert noted["analyst"] == "e" * 200
    assert noted["why"] == "a job that has the files ['custom/evil.py']."


def test_a_site_that_is_not_prepared_refuses_all_the_same(deploy, kit):
    (kit / "local" / "federation.json").unlink()
    assert "has the files" in deploy(zipped(OURS | {"custom/evil.py": ""}))


class Cell:
    def register_request_cb(self, **_):
        pass


class Engine:
    @contextmanager
    def new_context(self):
        yield FLContext()


@pytest.fixture
def ask(processors, tmp_path, monkeypatch):
    """Ask a client's own process, as a server may: without the words "look at my rights"."""
    monkeypatch.setattr(AuditService, "the_auditor", Auditor(str(tmp_path / "flare.log")))

    def ask(topic, body):
        agent = FedAdminAgent("admin_agent", Cell(), Engine())
        for processor in processors:
            agent.register_processor(processor)
        return agent._dispatch_request(new_cell_message({}, Message(topic, body))).payload.body

    yield ask
    AuditService.get_auditor().close()


def test_a_server_reads_no_files_of_the_site(ask, party_files):
    key = party_files.keys["north"]
    command = SysCommandTopic.SHELL, f"cat {key}"
    assert ask(*command) == key.read_text()  # why there is something to do
    RingDeployer()
    assert ask(*command) == "invalid_request"


def test_a_server_asks_for_what_a_job_takes_and_nothing_else(processors, ask):
    RingDeployer()
    answered = {topic for processor in processors for topic in processor.get_topics()}
    assert answered == NEEDED
    others = (
        TrainingTopic.DELETE_RUN,
        TrainingTopic.SHUTDOWN,
        TrainingTopic.RESTART,
        TrainingTopic.CONFIGURE_JOB_LOG,
        SysCommandTopic.CONFIGURE_SITE_LOG,
        SysCommandTopic.REPORT_ENV,
    )
    for topic in others:
        assert ask(topic, "") == "invalid_request"


def test_the_limit_is_on_the_list_that_the_client_reads(processors):
    from nvflare.private.fed.app.deployer.base_client_deployer import BaseClientDeployer

    client = BaseClientDeployer()
    RingDeployer()
    assert client.req_processors is processors
    assert len(client.req_processors) == len(NEEDED)
