"""Which solver: rounds, bytes, time and error of each, and the normal equations by part.

Run it with ``python docs/benchmarks/solvers.py``; ``--json`` prints JSON. ``--features`` are those
of the comparison; ``--gram-features`` and ``--rows`` are those of the normal equations by part.
"""

import statistics
import time

import numpy as np
from measuring import parse_options, show
from parts import timed_parts

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.protocol import observe
from sklearn_fedphe.solvers import SOLVERS

ROWS, CLIENTS, GRAM_CLIENTS = 10_000, 3, 5


def make_data(n_rows, n_features, own_share=1.0):
    """Rows whose columns share what a random matrix mixes, and have a share of their own.

    With one, condition numbers are below 10. Without, columns nearly depend on each other.
    """
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(n_features, n_features)) / np.sqrt(n_features)
    mixing = own_share * np.eye(n_features) + (mixing / 2 if own_share else mixing)
    X = generator.normal(size=(n_rows, n_features)) @ mixing
    y = X @ generator.normal(size=n_features) + generator.normal(size=n_rows)
    return X, y


def compare(n_features, own_share, key_length, repetitions):
    """A row a solver: what its fit takes, all solvers in turn."""
    X, y = make_data(ROWS, n_features, own_share)
    centered = X - X.mean(axis=0)
    reference = np.linalg.lstsq(centered, y - y.mean(), rcond=None)[0]
    condition = float(np.linalg.cond(centered / centered.std(axis=0)))
    seconds = {solver: [] for solver in SOLVERS}
    rows = {}
    for _ in range(repetitions):
        for solver in SOLVERS:
            est, sent, taken = _timed_fit(X, y, solver, key_length)
            seconds[solver].append(taken)
            error = np.linalg.norm(est.coef_ - reference) / np.linalg.norm(reference)
            rows[solver] = {
                "features": n_features,
                "condition": condition,
                "solver": solver,
                "secure sums": est.n_rounds_,
                "bytes a client": sent // CLIENTS,
                "seconds": statistics.median(seconds[solver]),
                "error": float(error),
            }
    return list(rows.values())


def _timed_fit(X, y, solver, key_length):
    est = FederatedLinearRegression(solver=solver, n_clients=CLIENTS, key_length=key_length)
    hops = []
    start = time.perf_counter()
    with observe(lambda message: hops.append(_hop_bytes(message))):
        est.fit(X, y)
    return est, sum(hops), time.perf_counter() - start


def _hop_bytes(message):
    return len(message.payload) if message.kind == "running sum" else 0


def normal_equations_by_part(n_rows, n_features, key_length):
    """Seconds of one fit by part; the clients, who would work at one time, one by one."""
    X, y = make_data(n_rows, n_features)
    est = FederatedLinearRegression(
        solver="normal_equations", n_clients=GRAM_CLIENTS, key_length=key_length
    )
    with timed_parts() as seconds:
        est.fit(X, y)
    total = seconds.total()
    return [
        {"part": part, "seconds": taken, "share": f"{100 * taken / total:.1f} %"}
        for part, taken in [("total", total), *seconds.most_common()]
    ]


def main():
    options = parse_options(
        __doc__.splitlines()[0],
        features=[10, 30, 100],
        repetitions=3,
        gram_features=100,
        rows=100_000,
        key_length=3072,
    )
    size = f"{options.gram_features} features, {options.rows:,} rows, {GRAM_CLIENTS} clients"
    setting = f"{ROWS:,} rows, {CLIENTS} clients, {options.key_length} bits"
    tables = {
        f"{title}: {setting}": [
            row
            for n_features in options.features
            for row in compare(n_features, own_share, options.key_length, options.repetitions)
        ]
        for title, own_share in (("Which solver", 1.0), ("Nearly dependent columns", 0.0))
    }
    tables[f"Normal equations by part: {size}, {options.key_length} bits"] = (
        normal_equations_by_part(options.rows, options.gram_features, options.key_length)
    )
    show(tables, options.json)


if __name__ == "__main__":
    main()
