"""A federation of processes on this machine: seconds a round and a fit, memory a party.

Run it with ``python docs/benchmarks/over_machines.py``; ``--json`` prints JSON. It does what the
page of the three hospitals says, in a folder of its own, and takes two minutes. Rounds are those
of the study's hospitals with a fixed step; the same fit in one process is beside it.
"""

import itertools
import statistics
import sys
import threading
import time
from pathlib import Path

from measuring import parse_options, show

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.protocol import observe

sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "nvflare"))

from afternoon import SITES, running, study_shards


def rounds_of(est, data):
    """Fit, and return the seconds from one total to the next."""
    told = {}
    with observe(lambda message: told.setdefault(message.round, time.perf_counter())):
        est.fit(data)
    times = list(told.values())
    return [after - before for before, after in itertools.pairwise(times)]


def compare_rounds(machines, repetitions):
    est = FederatedLinearRegression(learning_rate=0.1, max_iter=repetitions, tol=None)
    rows = []
    for where, data in (("one process", study_shards()), ("processes", machines.federation())):
        times = rounds_of(est, data)
        row = {"hospitals and key holder": where, "rounds": len(times)}
        rows.append(row | {"median, s a round": statistics.median(times), "most": max(times)})
    return rows


def whole_fits(machines):
    rows = []
    for solver in ("normal_equations", "gradient_descent"):
        start = time.perf_counter()
        est = FederatedLinearRegression(solver=solver).fit(machines.federation())
        taken = time.perf_counter() - start
        rows.append({"solver": solver, "trips": est.n_rounds_, "s, job and all": taken})
    return rows


def memory(machines):
    """Most memory that each process of a fit had at any time."""
    most = {}
    over = threading.Event()

    def look():
        while not over.wait(0.2):
            for name in ("localhost", *SITES):
                for kind in ("site", "job"):
                    for process in machines.processes(name, kind):
                        most[name, kind] = max(most.get((name, kind), 0), _megabytes(process))

    looking = threading.Thread(target=look)
    looking.start()
    FederatedLinearRegression().fit(machines.federation())
    over.set()
    looking.join()
    names = {"localhost": "server", "trustee": "key holder"}
    return [
        {"machine": names.get(name, name), "process": kind, "MB": megabytes}
        for (name, kind), megabytes in sorted(most.items())
    ]


def _megabytes(process):
    """Memory that is this process's own: what it shares with others is counted in part."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
    except OSError:
        return 0
    return (
        int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1]) // 1000
    )


def main():
    options = parse_options(__doc__.splitlines()[0], rounds=101)
    with running() as machines:
        tables = {
            "A round, 3072 bits": compare_rounds(machines, options.rounds),
            "A fit": whole_fits(machines),
            "Memory of a fit": memory(machines),
        }
    show(tables, options.json)


if __name__ == "__main__":
    main()
