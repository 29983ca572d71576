"""What masks cost: their share of a round, and of agreeing on them, as clients grow.

Run it with ``python docs/benchmarks/masks.py``; ``--json`` prints JSON.
"""

import statistics

import numpy as np
from measuring import parse_options, show
from parts import timed_parts

from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import form_ring
from sklearn_fedphe.protocol.queries import GradientQuery, Slots

REPETITIONS = 9
SIDE_BY_SIDE = ("local arithmetic", "encode", "mask", "encrypt")
"""What clients do before their turn, each on a machine of its own: it takes as long as one's."""


def measure(key_length, n_clients, n_features):
    generator = np.random.default_rng(0)
    rows = {
        i: LeastSquares(generator.normal(size=(100, n_features)), generator.normal(size=100))
        for i in range(n_clients)
    }
    frame = Frame(np.zeros(n_features), np.ones(n_features), 0.0, 1.0, 100.0 * n_clients)
    query = GradientQuery(np.ones(n_features + 1) / n_features, frame, Slots.STANDARD)
    with timed_parts() as at_first:
        ring = form_ring(rows, key_length)
    ring.sum(query)  # builds the table of hiding factors
    shares, at_once, milliseconds = [], [], []
    for _ in range(REPETITIONS):
        with timed_parts() as seconds:
            ring.sum(query)
        shares.append(seconds["mask"] / seconds.total())
        own = sum(seconds[part] for part in SIDE_BY_SIDE)
        alone = own / n_clients + seconds.total() - own
        at_once.append(seconds["mask"] / n_clients / alone)
        milliseconds.append(1e3 * seconds["mask"] / n_clients)
    return {
        "key": key_length,
        "clients": n_clients,
        "features": n_features,
        "share of a round": f"{100 * statistics.median(shares):.2f} %",
        "clients side by side": f"{100 * statistics.median(at_once):.2f} %",
        "ms a client and round": statistics.median(milliseconds),
        "ms a client, once a fit": 1e3 * at_first["agree on masks"] / n_clients,
    }


def main():
    options = parse_options(
        __doc__.splitlines()[0],
        key_length=[2048, 3072],
        clients=[3, 10, 30, 100],
        features=[10, 100],
    )
    rows = [
        measure(key_length, n_clients, n_features)
        for key_length in options.key_length
        for n_clients in options.clients
        for n_features in options.features
    ]
    show({"Masks": rows}, options.json)


if __name__ == "__main__":
    main()
