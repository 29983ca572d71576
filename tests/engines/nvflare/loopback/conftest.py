"""A whole federation on this machine: the guide's commands, in real processes."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from sklearn_fedphe.engines.nvflare import NVFlareFederation
from sklearn_fedphe.study import split_diabetes

ROOT = Path(__file__).parents[4]
GUIDE = ROOT / "docs" / "three_hospitals.rst"
EXAMPLES = ROOT / "docs" / "examples" / "nvflare"
HOSPITALS = ("north", "east", "south")
SITES = (*HOSPITALS, "trustee")
ANALYST = "analyst@study.org"


def guide_commands():
    """Every command of the guide, in order."""
    blocks = re.findall(r"\.\. code-block:: bash\n\n((?:   .+\n)+)", GUIDE.read_text())
    return [line.strip() for block in blocks for line in block.splitlines()]


def for_each_hospital(command):
    """What is written for one hospital is done by all."""
    if "north" in command and " roster " not in command:
        return [command.replace("north", name) for name in HOSPITALS]
    return [command]


class Loopback:
    """The machines of the guide, each a folder with its kit, its key and its processes."""

    def __init__(self, folder, shards):
        self.folder = folder
        self.shards = shards
        self._started = {}
        self._write_files()

    def _write_files(self):
        project = (EXAMPLES / "project.yml").read_text()
        for port in re.findall(r"port: (\d+)", project):
            project = project.replace(port, str(_free_port()))
        (self.folder / "project.yml").write_text(project)
        shutil.copy(EXAMPLES / "fit.py", self.folder)
        columns = load_diabetes().feature_names
        for name, (X, y) in self.shards.items():
            (self.folder / name).mkdir()
            rows = self.folder / name / "rows.csv"
            table = [",".join([*columns, "progression"])]
            table += [",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist()]
            rows.write_text("\n".join(table) + "\n")
            rows.chmod(0o600)
        for name in ("trustee", "analyst"):
            (self.folder / name).mkdir()

    def run(self, command):
        """Run one of the guide's commands, as its user would."""
        if command.startswith("bash ") and command.endswith("start.sh"):
            self.start(command.split("/")[1])
            return ""
        done = subprocess.run(  # noqa: S602 - the guide's own words
            command,
            shell=True,
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if "site --kit kits/localhost" in command:
            self._keep_jobs_here()
        return done.stdout

    def _keep_jobs_here(self):
        """A server's store of jobs is one for the machine, by default."""
        for path in (self.kit("localhost") / "local").glob("resources.json*"):
            text = path.read_text().replace("/tmp/nvflare", str(self.folder / "store"))  # noqa: S108
            path.write_text(text)

    def kit(self, name):
        return self.folder / "kits" / name

    def start(self, name):
        with (self.folder / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(  # noqa: S603
                ["bash", f"kits/{name}/startup/start.sh"],  # noqa: S607
                cwd=self.folder,
                env=_environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def processes(self, name, kind=""):
        """Ids of a machine's processes: all, those of a "job", or the "site"'s own."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if f"/kits/{name}" not in command or str(self.folder) not in command:
                    continue
                is_job = "worker_process" in command or "runner_process" in command
                is_site = "client_train" in command or "server_train" in command
                if kind == "" or (kind == "job" and is_job) or (kind == "site" and is_site):
                    found.append(int(entry.name))
        return found

    def signal(self, name, kind, number=signal.SIGKILL):
        for process in self.processes(name, kind):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    def stop(self, name):
        """Kill a machine whole, what would restart it first."""
        started = self._started.pop(name, None)
        if started is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
        self.signal(name, "", signal.SIGCONT)
        self.signal(name, "")
        (self.kit(name) / "daemon_pid.fl").unlink(missing_ok=True)

    def stop_all(self):
        for name in ("localhost", *SITES):
            self.stop(name)

    def wait_until_connected(self, seconds=60):
        """Wait until the server has heard of all sites."""
        give_up = time.monotonic() + seconds
        while True:
            log = (self.folder / "localhost.log").read_text(errors="replace")
            names = set(re.findall(r"Client: New client (\S+?)[@ ]", log))
            if names >= set(SITES):
                return
            assert time.monotonic() < give_up, log[-3000:]
            time.sleep(0.2)

    def federation(self, **changes):
        settings = {"sites": HOSPITALS, "key_holder": "trustee"} | changes
        return NVFlareFederation(self.kit(ANALYST), **settings)

    def audit(self, name):
        lines = (self.folder / name / "state" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def _environment():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="session")
def study_shards():
    """Each hospital's rows of the reference study."""
    shards, _, _ = split_diabetes()
    return dict(zip(HOSPITALS, shards.values(), strict=True))


@pytest.fixture(scope="session")
def machines(tmp_path_factory, study_shards):
    """Prepared and not started: the guide up to `doctor`."""
    loopback = Loopback(tmp_path_factory.mktemp("afternoon"), study_shards)
    loopback.printed = {}
    for written in guide_commands():
        if written.startswith("pip install"):
            continue
        if written.startswith("bash "):
            break
        for command in for_each_hospital(written):
            loopback.printed[command] = loopback.run(command)
    yield loopback
    loopback.stop_all()


@pytest.fixture(scope="session")
def running(machines):
    """Started and connected: the rest of the guide but its fit."""
    commands = guide_commands()
    first = next(i for i, command in enumerate(commands) if command.startswith("bash "))
    for written in commands[first:]:
        if written != "python fit.py":
            for command in for_each_hospital(written):
                machines.run(command)
    machines.wait_until_connected()
    return machines


def pytest_collection_modifyitems(items):
    """All on one worker, and first: what takes longest."""
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    for item in here:
        item.add_marker(pytest.mark.xdist_group("loopback"))
    items[:] = here + [item for item in items if item not in here]
