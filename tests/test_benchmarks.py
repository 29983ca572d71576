"""The benchmarks run, at sizes too small for their times to mean anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "docs" / "benchmarks"


def figures(script, *options):
    command = [sys.executable, BENCHMARKS / script, "--json", *options]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return json.loads(finished.stdout)


def test_one_round_is_exact_and_small():
    table = figures("one_round.py", "--cases", "1", "--key-length", "1024")["One round"]

    by_scheme = {row["scheme"]: row for row in table}
    assert {"phe", "ours", "ours, factors ahead"} <= set(by_scheme)
    for name in ("ours", "ours, factors ahead"):
        assert by_scheme[name]["worst error"] < 1e-13
        assert by_scheme[name]["bytes a hop"] == 46 + 1024 // 4


def test_the_study_ends_where_phes_own_way_ends():
    tables = figures("whole_fit.py", "--key-length", "2048", "--phe-steps", "1")

    [study] = tables["The study against phe's federated example"]
    assert study["models differ by"] < 1e-10
    assert {"encrypt", "decrypt"} < {row["part"] for row in tables["Default fit by part"]}


def test_solvers_are_compared_where_all_are_accurate():
    small = ["--features", "3", "--rows", "300", "--gram-features", "5", "--repetitions", "1"]

    tables = figures("solvers.py", *small, "--key-length", "2048")

    compared = next(rows for title, rows in tables.items() if title.startswith("Which"))
    assert len(compared) == 3
    assert max(row["error"] for row in compared) < 1e-9


def test_other_benchmarks_run():
    assert len(figures("scaling.py", "--key-length", "1024")) == 4


def test_parts_run_alone():
    small = ["--key-length", "1024", "--rows", "5000", "--repetitions", "2"]

    tables = figures("parts_alone.py", *small)

    assert [len(rows) for rows in tables.values()][1:] == [1, 8, 5]


def test_masks_cost_little():
    [row] = figures("masks.py", "--key-length", "2048", "--clients", "3", "--features", "10")[
        "Masks"
    ]

    assert 0 < row["ms a client and round"] < row["ms a client, once a fit"]


def test_private_fits_are_compared():
    options = ["--epsilon", "20", "--data", "made, 10,000 rows", "--repetitions", "1"]

    tables = figures("privacy.py", *options)

    [row] = next(rows for title, rows in tables.items() if title.startswith("Private"))
    assert row["R^2, ours"] == pytest.approx(row["R^2, no privacy"], abs=0.02)


def test_mutated_messages_are_counted():
    pytest.importorskip("atheris", reason="atheris has no wheels for this Python")
    command = [sys.executable, BENCHMARKS / "fuzz_messages.py", "--runs", "2000"]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603

    assert "2,000             0" in finished.stdout


def test_trips_over_links_are_simulated_or_computed():
    options = ["--clients", "3", "--latencies", "1", "3000", "--key-length", "2048"]

    near, far = figures("links.py", *options, "--patience", "10")["Few trips or many"]

    assert near["normal_equations: trips"] == 1
    assert near["normal_equations: by"] == near["gradient_descent: by"] == "simulated"
    assert far["normal_equations: by"] == far["gradient_descent: by"] == "computed"
    # One trip waits for the query, three hops and the total: five messages of two latencies.
    assert far["normal_equations, s"] == pytest.approx(30, abs=5)
    assert far["gradient_descent, s"] > 30 * (far["gradient_descent: trips"] - 1)
