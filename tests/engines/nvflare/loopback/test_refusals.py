"""What sites refuse, what they write down of it, and what the server sees."""

import base64
import json
import re
import time

import numpy as np
import pytest
from afternoon import ANALYST, HOSPITALS, SITES
from nvflare.fuel.flare_api.flare_api import new_secure_session

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import FederationError
from sklearn_fedphe.engines.nvflare.job import EXECUTOR, client_config, write_job
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster
from sklearn_fedphe.protocol import observe


@pytest.fixture
def one_trip():
    return FederatedLinearRegression(solver="normal_equations")


@pytest.fixture
def session(running):
    session = new_secure_session(ANALYST, str(running.kit(ANALYST)))
    yield session
    session.close()


POPEN = {"path": "subprocess.Popen", "args": {"args": ["touch", "{marker}"]}}
CODE = "import pathlib\npathlib.Path({marker!r}).touch()\nclass Mine: pass\n"


def executor(of):
    return {"tasks": ["take_part"], "executor": of}


def hostile_configs():
    ours = {"path": EXECUTOR, "args": {}}
    return {
        "executor": {"executors": [executor(POPEN)]},
        "component": {"components": [{"id": "mine", **POPEN}]},
        "filter": {"task_result_filters": [{"tasks": ["take_part"], "filters": [POPEN]}]},
        "nested argument": {"executors": [executor(ours | {"args": {"part": POPEN}})]},
        "shipped code": {"executors": [executor({"path": "mine.Mine", "args": {}})]},
    }


def last_noted(machines, name, event):
    """A site's last line in its log, as soon as it is of this event."""
    give_up = time.monotonic() + 20
    while machines.audit(name)[-1]["event"] != event:
        assert time.monotonic() < give_up, machines.audit(name)[-1]
        time.sleep(0.2)
    return machines.audit(name)[-1]


@pytest.mark.parametrize("change", hostile_configs())
def test_a_job_that_brings_or_names_other_code_runs_nowhere(running, session, tmp_path, change):
    marker = tmp_path / "it_ran"
    job = write_job(tmp_path, PinnedRoster.load(running.folder / "roster.json"), 15.0)
    config = json.dumps(client_config() | hostile_configs()[change])
    path = job / "app" / "config" / "config_fed_client.json"
    path.write_text(config.replace("{marker}", str(marker)))
    if change == "shipped code":
        (job / "app" / "custom").mkdir()
        (job / "app" / "custom" / "mine.py").write_text(CODE.format(marker=str(marker)))

    try:
        job_id = session.submit_job(str(job))
        meta = session.wait_for_job(job_id, timeout=60, poll_interval=0.5)
    except Exception as error:  # noqa: BLE001 - the server refuses some by itself
        assert re.search("byoc|not authorized|allow_list", str(error))  # noqa: PT017
    else:
        assert meta["status"] != "FINISHED:COMPLETED"
        for name in SITES:
            noted = last_noted(running, name, "refused")
            assert (noted["event"], noted["analyst"]) == ("refused", ANALYST)
            assert noted["why"].startswith("a job that has ")
            assert not running.processes(name, "job")
    assert not marker.exists()


def test_a_query_that_a_policy_does_not_list_is_not_answered(running, one_trip):
    site = "python -m sklearn_fedphe.engines.nvflare site --kit kits/south"
    running.run(f"{site} --query GramQuery")
    try:
        with pytest.raises(
            FederationError, match="client 'south' refuses a SumsQuery: its policy has queries="
        ):
            FederatedLinearRegression().fit(running.federation())
    finally:
        running.run(
            f"{site} --query SumsQuery --query SquaresQuery --query GradientQuery "
            "--query StartQuery --query GramQuery --query PrivateGramQuery"
        )
    assert (
        "refuses a SumsQuery"
        in [line for line in running.audit("south") if "why" in line][-1]["why"]
    )
    one_trip.fit(running.federation())


def test_an_altered_roster_is_named(running):
    roster = running.folder / "roster.json"
    text = roster.read_text()
    other = running.folder / "other.json"
    content = json.loads(text)
    content["features"].reverse()
    other.write_text(json.dumps(content))
    site = "python -m sklearn_fedphe.engines.nvflare site --kit kits/east"
    running.run(f"{site} --roster other.json")
    try:
        with pytest.raises(
            FederationError,
            match=r"client 'east' has the roster .* and the analyst .*; all parties",
        ):
            FederatedLinearRegression().fit(running.federation())
    finally:
        running.run(f"{site} --roster roster.json")


def test_the_server_sees_nothing_that_is_sent(running, record, one_trip, shards):
    messages = []
    record.write_bytes(b"")
    with observe(messages.append):
        one_trip.fit(running.federation())
    np.testing.assert_array_equal(one_trip.coef_, one_trip.fit(shards).coef_)

    seen = record.read_bytes()
    assert all(seen.count(name.encode()) > 3 for name in SITES)
    secrets = [message.payload for message in messages]
    secrets += [payload[:90] for payload in secrets]
    key = json.loads((running.folder / "trustee" / "paillier.json").read_text())
    secrets += [key[prime].encode() for prime in "pq"]
    secrets += [int(key[prime], 16).to_bytes(192, "big") for prime in "pq"]
    secrets += [
        (running.folder / name / "identity.pem").read_bytes().splitlines()[1] for name in HOSPITALS
    ]
    # A running sum has the digest of its round, and so does a total.
    secrets.append(messages[-1].payload[6:38])
    for secret in secrets:
        assert len(secret) > 30
        assert secret not in seen
        assert base64.b64encode(secret).rstrip(b"=")[:-2] not in seen
