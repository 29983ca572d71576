"""Bytes that are no zip, or one made to mislead: refused in words, and soon."""

import bz2
import io
import json
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_fedphe.engines.nvflare.deployer import problem_of
from sklearn_fedphe.engines.nvflare.job import client_config

CONFIG = "config/config_fed_client.json"
OURS = json.dumps(client_config()).encode()
WAYS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}


def zipped(content, way=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", way) as archive:
        archive.writestr(CONFIG, content)
    return data.getvalue()


def executor(path, **args):
    return [{"tasks": ["take_part"], "executor": {"path": path, "args": args}}]


@pytest.mark.parametrize("way", WAYS)
def test_our_job_is_accepted(way):
    assert problem_of(zipped(OURS, WAYS[way])) is None


@pytest.mark.parametrize("way", WAYS)
def test_whichever_byte_is_altered_it_is_ours_or_refused(way):
    """In the zip's own words about it, many bytes do not matter: times, versions."""
    data = zipped(OURS, WAYS[way])
    found = set()
    for place in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            altered = bytearray(data)
            altered[place] ^= flip
            problem = problem_of(bytes(altered))
            if problem is None:
                with zipfile.ZipFile(io.BytesIO(altered)) as archive:
                    assert archive.namelist() == [CONFIG]
                    assert archive.read(CONFIG) == OURS
            found.add(problem)
    assert {None, "cannot be unpacked."} < found
    assert all(len(problem) <= 201 for problem in found if problem)


@given(st.binary(max_size=200))
def test_what_is_no_zip_is_refused(data):
    assert problem_of(data) == "cannot be unpacked."


@pytest.mark.parametrize("way", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(way):
    """They give a whole block at once: 4 kB are 90 MB."""
    assert problem_of(zipped(OURS, way)) == (
        "is packed in another way than NVIDIA FLARE packs jobs."
    )


def test_a_file_that_is_larger_than_it_says_is_refused():
    data = zipped(b" " * 10_000_000 + OURS)
    assert len(data) < 20_000
    assert problem_of(data) == "has more than 100000 bytes."
    size = struct.pack("<I", 10_000_000 + len(OURS))
    assert data.count(size) == 2
    assert problem_of(data.replace(size, struct.pack("<I", len(OURS)))) == "cannot be unpacked."


def test_many_small_files_are_refused():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for number in range(1001):
            archive.writestr(f"config/{number}", b" " * 100)
    assert problem_of(data.getvalue()) == "has more than 100000 bytes."


def test_a_file_under_a_password_is_refused():
    data = bytearray(zipped(OURS, zipfile.ZIP_STORED))
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(header) + flags] |= 1
    assert problem_of(bytes(data)) == "cannot be unpacked."


@pytest.mark.parametrize("content", [b"[" * 99_000, b'{"a":' * 19_000, bz2.compress(OURS), b"\0"])
def test_a_configuration_that_is_no_json_is_refused(content):
    assert problem_of(zipped(content)) == f"has no {CONFIG}."


@pytest.mark.parametrize(
    "change",
    [
        {"executors": executor("subprocess.Popen", args="id")},
        {"executors": executor(client_config()["executors"][0]["executor"]["path"], site="x")},
        {"executors": [*client_config()["executors"], *executor("os.system")]},
        {
            "executors": executor(
                client_config()["executors"][0]["executor"]["path"],
                part={"path": "subprocess.Popen", "args": {"args": "id"}},
            )
        },
        {"executors": []},
        {"components": [{"id": "app_deployer", "path": "subprocess.Popen"}]},
        {"task_result_filters": [{"tasks": ["*"], "filters": [{"path": "os.system"}]}]},
        {"format_version": 3},
        {"allow_adhoc_conns": True},
    ],
)
def test_a_configuration_that_runs_anything_else_is_refused(change):
    changed = json.dumps(client_config() | change)
    assert problem_of(zipped(changed)) == f"has another {CONFIG}."


def test_a_member_that_is_there_twice_counts_as_it_is_read():
    evil = json.dumps(executor("subprocess.Popen"))
    twice = OURS.decode().removesuffix("}") + f', "executors": {evil}}}'
    assert json.loads(twice)["executors"] == json.loads(evil)
    assert problem_of(zipped(twice)) == f"has another {CONFIG}."
