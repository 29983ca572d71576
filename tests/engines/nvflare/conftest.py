"""Kits of three hospitals, a key holder, an analyst and a server, provisioned once."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sklearn_fedphe.engines.nvflare.cards import Card
from sklearn_fedphe.engines.nvflare.commands import make_card, make_roster, prepare_site
from sklearn_fedphe.engines.nvflare.pinned_roster import PinnedRoster

HOSPITALS = ("north", "east", "south")
KEY_HOLDER = "trustee"
ANALYST = "analyst@study.org"
SERVER = "localhost"
FEATURES = ("age", "dose")
TARGET = "outcome"

_PROJECT = """\
api_version: 3
name: study
participants:
  - {name: localhost, type: server, org: coordinator, fed_learn_port: 18002, admin_port: 18003}
  - {name: north, type: client, org: north}
  - {name: east, type: client, org: east}
  - {name: south, type: client, org: south}
  - {name: trustee, type: client, org: trustee}
  - {name: analyst@study.org, type: admin, org: coordinator, role: lead}
builders:
  - path: nvflare.lighter.impl.workspace.WorkspaceBuilder
  - path: nvflare.lighter.impl.static_file.StaticFileBuilder
    args: {config_folder: config, scheme: grpc}
  - path: nvflare.lighter.impl.cert.CertBuilder
  - path: nvflare.lighter.impl.signature.SignatureBuilder
"""


@pytest.fixture(scope="session")
def provisioned(tmp_path_factory):
    """Folder with a kit for each party, as `nvflare provision` makes them."""
    folder = tmp_path_factory.mktemp("provisioned")
    (folder / "project.yml").write_text(_PROJECT)
    command = [Path(sys.executable).parent / "nvflare", "provision", "-p", "project.yml"]
    done = subprocess.run(  # noqa: S603
        [*command, "-w", "made"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "made" / "study" / "prod_00"


@pytest.fixture(scope="session")
def party_files(provisioned, tmp_path_factory):
    """Cards, keys, rows, the roster, and prepared copies of the kits. Not to be written to."""
    folder = tmp_path_factory.mktemp("parties")
    kits = shutil.copytree(provisioned, folder / "kits", symlinks=True)
    keys = {name: folder / f"{name}.key" for name in (*HOSPITALS, KEY_HOLDER)}
    cards = {name: folder / f"{name}.card" for name in (*keys, ANALYST)}
    for name in HOSPITALS:
        make_card("hospital", kits / name, keys[name], cards[name])
    make_card("key-holder", kits / KEY_HOLDER, keys[KEY_HOLDER], cards[KEY_HOLDER], 2048)
    make_card("analyst", kits / ANALYST, None, cards[ANALYST])
    roster = folder / "roster.json"
    hospitals = [cards[name] for name in HOSPITALS]
    make_roster(hospitals, cards[KEY_HOLDER], [cards[ANALYST]], list(FEATURES), roster)
    rows = {name: folder / f"{name}.csv" for name in HOSPITALS}
    for seed, (name, path) in enumerate(rows.items()):
        _write_rows(path, seed)
        given = {"data_file": path, "target": TARGET}
        prepare_site(kits / name, _given(folder, name, roster, keys[name]) | given, {})
    prepare_site(kits / KEY_HOLDER, _given(folder, KEY_HOLDER, roster, keys[KEY_HOLDER]), {})
    prepare_site(kits / SERVER, {}, {})
    return SimpleNamespace(
        folder=folder, kits=kits, keys=keys, cards=cards, roster=roster, rows=rows
    )


@pytest.fixture
def own_kit(party_files, tmp_path):
    """A copy of a prepared kit, with a state folder of its own, to be spoilt."""

    def copied(name):
        kit = shutil.copytree(party_files.kits / name, tmp_path / name, symlinks=True)
        settings = kit / "local" / "federation.json"
        if settings.exists():
            old, new = party_files.folder / f"{name}.state", tmp_path / f"{name}.state"
            new.mkdir()
            (new / "sessions").touch()
            settings.write_text(settings.read_text().replace(str(old), str(new)))
        return kit

    return copied


@pytest.fixture(scope="session")
def pinned(party_files):
    return PinnedRoster.load(party_files.roster)


@pytest.fixture(scope="session")
def loaded_cards(party_files):
    return {name: Card.load(path) for name, path in party_files.cards.items()}


def _given(folder, name, roster, key):
    return {"roster_file": roster, "key_file": key, "state": folder / f"{name}.state"}


def _write_rows(path, seed):
    values = np.random.default_rng(seed).normal(size=(12, len(FEATURES) + 1))
    lines = [",".join((*FEATURES, TARGET)), *(",".join(map(repr, row)) for row in values.tolist())]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
