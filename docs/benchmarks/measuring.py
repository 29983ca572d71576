"""What all benchmarks share: times taken in turn, the machine's description, JSON or a table."""

import argparse
import json
import os
import platform
import statistics
import time
from importlib import metadata
from pathlib import Path

import gmpy2

PACKAGES = ("numpy", "scikit-learn", "gmpy2", "phe", "tenseal", "sf-heu")


def interleaved(functions, repetitions, takes=3):
    """Time functions in turn, so that a machine's drift meets all of them alike.

    Returns, for each name, one time in seconds a repetition: the median of `takes` calls in a
    row, or of one alone where a call takes longer than a second.
    """
    times = {name: [] for name in functions}
    for _ in range(repetitions):
        for name, function in functions.items():
            taken = []
            while len(taken) < takes and not (taken and taken[0] > 1):
                start = time.perf_counter()
                function()
                taken.append(time.perf_counter() - start)
            times[name].append(statistics.median(taken))
    return times


def median_ratio(numerators, denominators):
    """Return the median of the ratios of neighbouring times."""
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def parse_options(description, **defaults):
    """Read ``--json`` and the given options; a list's option takes several values."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON")
    for name, default in defaults.items():
        several = isinstance(default, (list, tuple))
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(default[0] if several else default),
            nargs="+" if several else None,
            default=default,
        )
    return parser.parse_args()


def machine():
    """Describe where the figures come from."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if "model name" in line), cpu)
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "gmp": gmpy2.mp_version(),
        **versions,
    }


def show(tables, as_json):
    """Print tables by title, each a list of rows with the same names, and the machine."""
    if as_json:
        print(json.dumps({"machine": machine(), **tables}, indent=1))
        return
    for title, rows in tables.items():
        cells = [[_cell(value) for value in row.values()] for row in rows]
        columns = list(zip(list(rows[0]), *cells, strict=True))
        widths = [max(map(len, column)) for column in columns]
        print(f"\n{title}\n")
        for line in zip(*columns, strict=True):
            print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    print("\n" + ", ".join(f"{name} {value}" for name, value in machine().items()))


def _cell(value):
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1e}" if abs(value) < 1e-2 else f"{value:,.{2 if value < 10 else 1}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
