"""Time of one gradient round by part, as rows, features and clients grow.

Run it with ``python docs/benchmarks/scaling.py``; ``--json`` prints JSON, ``--plot FILE`` draws
the parts (``pip install ".[plot]"``).
"""

import statistics

import numpy as np
from measuring import parse_options, show
from parts import timed_parts

from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import form_ring
from sklearn_fedphe.protocol.queries import GradientQuery, Slots

ROWS, FEATURES, CLIENTS = 10_000, 10, 3
CASES = {
    "rows": [(n, FEATURES, CLIENTS) for n in (10_000, 100_000, 1_000_000)],
    "features": [(ROWS, p, CLIENTS) for p in (10, 100, 500, 2000)],
    "clients": [(ROWS, FEATURES, k) for k in (3, 10, 30, 100)],
}
PARTS = (
    "local arithmetic", "encode", "mask", "encrypt", "add",
    "decrypt", "decode", "messages", "rest",
)  # fmt: skip
REPETITIONS = 7


def measure(n_rows, n_features, n_clients, key_length):
    generator = np.random.default_rng(0)
    rows = {}
    for i in range(n_clients):
        X = generator.normal(size=(n_rows // n_clients, n_features))
        rows[i] = LeastSquares(X, generator.normal(size=len(X)))
    frame = Frame(np.zeros(n_features), np.ones(n_features), 0.0, 1.0, float(n_rows))
    query = GradientQuery(np.ones(n_features + 1) / n_features, frame, Slots.STANDARD)
    ring = form_ring(rows, key_length)
    ring.sum(query)  # builds the table of hiding factors
    taken = []
    for _ in range(REPETITIONS):
        with timed_parts() as seconds:
            ring.sum(query)
        taken.append(seconds)
    return {
        "rows": n_rows,
        "features": n_features,
        "clients": n_clients,
        "ms": 1e3 * statistics.median(seconds.total() for seconds in taken),
        **{part: 1e3 * statistics.median(seconds[part] for seconds in taken) for part in PARTS},
    }


def plot(tables, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(tables), figsize=(11, 3.6), layout="constrained")
    for ax, (title, rows) in zip(axes, tables.items(), strict=True):
        labels = [f"{row[title]:,}" for row in rows]
        bottom = np.zeros(len(rows))
        for part in PARTS:
            heights = np.array([row[part] for row in rows])
            ax.bar(labels, heights, bottom=bottom, label=part, width=0.7)
            bottom += heights
        ax.set_xlabel(title)
    axes[0].set_ylabel("milliseconds of one round")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right")
    figure.savefig(path, dpi=110)


def main():
    options = parse_options(__doc__.splitlines()[0], key_length=3072, plot="")
    tables = {
        title: [measure(*case, options.key_length) for case in cases]
        for title, cases in CASES.items()
    }
    show(tables, options.json)
    if options.plot:
        plot(tables, options.plot)


if __name__ == "__main__":
    main()
