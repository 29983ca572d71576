"""The page of the three hospitals, done on this machine: every command of it, in real processes.

``python docs/examples/nvflare/afternoon.py`` does it in a folder of its own, and prints what the
analyst sees. The tests and a benchmark use it too.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_diabetes

from sklearn_fedphe.engines.nvflare import NVFlareFederation
from sklearn_fedphe.study import split_diabetes

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "three_hospitals.rst"
HOSPITALS = ("north", "east", "south")
SITES = (*HOSPITALS, "trustee")
ANALYST = "analyst@study.org"


def study_shards():
    """Each hospital's rows of the reference study."""
    shards, _, _ = split_diabetes()
    return dict(zip(HOSPITALS, shards.values(), strict=True))


def guide_commands():
    """Every command of the guide, in order, but those that install and that fit."""
    blocks = re.findall(r"\.\. code-block:: bash\n\n((?:   .+\n)+)", GUIDE.read_text())
    commands = [line.strip() for block in blocks for line in block.splitlines()]
    return [c for c in commands if not c.startswith("pip ") and c != "python fit.py"]


def for_each_hospital(command):
    """What is written for one hospital is done by all."""
    if "north" in command and " roster " not in command:
        return [command.replace("north", name) for name in HOSPITALS]
    return [command]


class Afternoon:
    """The machines of the guide, each a folder with its kit, its key and its processes.

    Parameters
    ----------
    folder : Path
        Where, and empty.
    shards : dict from name to (X, y)
        The hospitals' rows.
    """

    def __init__(self, folder, shards):
        self.folder = folder
        self.shards = shards
        self.printed = {}
        self.environments = {}  # what a machine's processes have beside what all have
        self._started = {}
        self._write_files()

    def prepare(self):
        """Do all that comes before the machines are started."""
        for written in guide_commands():
            if written.startswith("bash "):
                break
            for command in for_each_hospital(written):
                self.printed[command] = self.run(command)

    def start_all(self):
        """Do the rest, and wait until the server has heard of all sites."""
        commands = guide_commands()
        first = next(i for i, command in enumerate(commands) if command.startswith("bash "))
        for written in commands[first:]:
            for command in for_each_hospital(written):
                self.run(command)
        self.wait_until_connected()

    def _write_files(self):
        project = (Path(__file__).parent / "project.yml").read_text()
        for port in re.findall(r"port: (\d+)", project):
            project = project.replace(port, str(_free_port()))
        (self.folder / "project.yml").write_text(project)
        shutil.copy(Path(__file__).parent / "fit.py", self.folder)
        for name in (*SITES, "analyst"):
            (self.folder / name).mkdir()
        columns = [*load_diabetes().feature_names, "progression"]
        for name, (X, y) in self.shards.items():
            lines = [",".join(map(repr, row)) for row in np.column_stack([X, y]).tolist()]
            rows = self.folder / name / "rows.csv"
            rows.write_text("\n".join([",".join(columns), *lines]) + "\n")
            rows.chmod(0o600)

    def run(self, command):
        """Run one of the guide's commands, as its user would, and return what it prints."""
        if command.startswith("bash "):
            self.start(command.split("/")[1])
            return ""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if "site --kit kits/localhost" in command:
            self._keep_jobs_here()
        return done.stdout

    def _keep_jobs_here(self):
        """A server's store of jobs is one for the whole machine, by default."""
        for path in (self.kit("localhost") / "local").glob("resources.json*"):
            path.write_text(path.read_text().replace("/tmp/nvflare", str(self.folder / "store")))

    def kit(self, name):
        return self.folder / "kits" / name

    def start(self, name):
        with (self.folder / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                ["bash", f"kits/{name}/startup/start.sh"],
                cwd=self.folder,
                env=_environment() | self.environments.get(name, {}),
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
                if f"{self.folder}/kits/{name}" not in command:
                    continue
                kinds = {
                    "": True,
                    "job": "worker_process" in command or "runner_process" in command,
                    "site": "client_train" in command or "server_train" in command,
                }
                if kinds[kind]:
                    found.append(int(entry.name))
        return found

    def signal(self, name, kind="", number=signal.SIGKILL):
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
        self.signal(name, number=signal.SIGCONT)
        self.signal(name)
        (self.kit(name) / "daemon_pid.fl").unlink(missing_ok=True)

    def stop_all(self):
        for name in ("localhost", *SITES):
            self.stop(name)

    def connected(self):
        """Names of the sites that the server has heard of, once for every time."""
        log = (self.folder / "localhost.log").read_text(errors="replace")
        return re.findall(r"(?:Client: New|Re-activate the) client:? ([^\s@]+)", log)

    def wait_until_connected(self, names=SITES, before=(), seconds=60):
        """Wait until the server has heard of sites, after what it had heard before."""
        give_up = time.monotonic() + seconds
        while not set(self.connected()[len(before) :]) >= set(names):
            assert time.monotonic() < give_up, self.connected()
            time.sleep(0.2)

    def federation(self, **changes):
        settings = {"sites": HOSPITALS, "key_holder": "trustee"} | changes
        return NVFlareFederation(self.kit(ANALYST), **settings)

    def audit(self, name):
        """The lines of a site's audit log."""
        lines = (self.folder / name / "state" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


def _environment():
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}


def _free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def running(shards=None):
    """Prepare and start all machines in a folder of their own; stop them at the end."""
    with tempfile.TemporaryDirectory() as folder:
        machines = Afternoon(Path(folder), shards or study_shards())
        try:
            machines.prepare()
            machines.start_all()
            yield machines
        finally:
            machines.stop_all()


if __name__ == "__main__":
    with running() as all_machines:
        print(all_machines.run("python fit.py"))
