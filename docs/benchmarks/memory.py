"""Memory of a fit of 1,000,000 x 50 numbers in 5 shards, beyond the rows themselves.

Run it with ``python docs/benchmarks/memory.py``; ``--json`` for the figures alone.
"""

import argparse
import json
import time
import tracemalloc

import numpy as np

from sklearn_fedphe import FederatedLinearRegression


def make_shards(n_rows, n_features, n_clients):
    generator = np.random.default_rng(0)
    coef = generator.normal(size=n_features)
    shards = []
    for _ in range(n_clients):
        X = generator.normal(size=(n_rows // n_clients, n_features))
        shards.append((X, X @ coef + generator.normal(size=len(X))))
    return shards


def measure(n_rows, n_features, n_clients):
    shards = make_shards(n_rows, n_features, n_clients)
    est = FederatedLinearRegression()
    # NumPy reports its buffers to tracemalloc, so that the peak counts arrays too.
    tracemalloc.start()
    start = time.perf_counter()
    est.fit(shards)
    seconds = time.perf_counter() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "rows": n_rows,
        "features": n_features,
        "clients": n_clients,
        "input_mb": sum(X.nbytes + y.nbytes for X, y in shards) / 1e6,
        "peak_beyond_input_mb": peak / 1e6,
        "secure_sums": est.n_rounds_,
        "seconds": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--clients", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    figures = measure(options.rows, options.features, options.clients)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(
            f"{name:<22}{value:>14,.1f}" if isinstance(value, float) else f"{name:<22}{value:>14,}"
        )


if __name__ == "__main__":
    main()
