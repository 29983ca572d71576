"""One round of the ring against phe used as its own tutorial does.

One round: every client encrypts a vector of float64, the ciphertexts are added round the
ring, the total is decrypted. phe's way is one ciphertext a number, ``public_key.encrypt(x)``,
``+`` and ``private_key.decrypt``. Both in one process and one thread, in turn; the figure is
the median of the ratios of neighbouring runs.

Run it with ``python docs/benchmarks/one_round.py``; ``--json`` for the figures alone.
"""

import argparse
import json
import statistics
import time

import numpy as np
import phe

from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import RingSum
from sklearn_fedphe.protocol.parties import Client, KeyHolder
from sklearn_fedphe.protocol.queries import GradientQuery, Slots

CASES = ((3, 11, 5), (3, 100, 3), (10, 1000, 1))  # clients, numbers, repetitions


def make_ring(private_key, vectors):
    """Clients of one row each, whose gradients at zero are their vectors."""
    clients = [
        Client(
            i, LeastSquares(vector[np.newaxis], -np.ones(1)), private_key.public_key, len(vectors)
        )
        for i, vector in enumerate(vectors)
    ]
    return RingSum(clients, KeyHolder(private_key, len(vectors), vectors.shape[1]))


def round_of_ring(ring, n_numbers):
    frame = Frame(np.zeros(n_numbers), np.ones(n_numbers), 0.0, 1.0, 1.0)
    return ring.sum(GradientQuery(np.zeros(n_numbers), frame, Slots.STANDARD))


def round_of_phe(public_key, private_key, vectors):
    totals = [public_key.encrypt(float(value)) for value in vectors[0]]
    for vector in vectors[1:]:
        own = (public_key.encrypt(float(value)) for value in vector)
        totals = [total + value for total, value in zip(totals, own, strict=True)]
    return np.array([private_key.decrypt(total) for total in totals])


def timed(function, *arguments):
    start = time.perf_counter()
    return function(*arguments), time.perf_counter() - start


def measure(n_clients, n_numbers, repetitions, key_length):
    vectors = np.random.default_rng(0).normal(size=(n_clients, n_numbers))
    expected = vectors.sum(axis=0)
    private_key = generate_private_key(key_length)
    ring = make_ring(private_key, vectors)
    round_of_ring(ring, n_numbers)  # builds the table of hiding factors, once a key
    their_public_key, their_private_key = phe.generate_paillier_keypair(n_length=key_length)
    ratios, ours, theirs, errors = [], [], [], []
    for _ in range(repetitions):
        _, their_seconds = timed(round_of_phe, their_public_key, their_private_key, vectors)
        total, seconds = timed(round_of_ring, ring, n_numbers)
        ratios.append(their_seconds / seconds)
        ours.append(seconds)
        theirs.append(their_seconds)
        errors.append(np.abs(total - expected).max())
    layout = Slots.STANDARD.layout(private_key.public_key.plaintext_bits, n_clients)
    width = private_key.public_key.ciphertext_bytes
    return {
        "key_length": key_length,
        "clients": n_clients,
        "numbers": n_numbers,
        "phe_ms": 1e3 * statistics.median(theirs),
        "ring_ms": 1e3 * statistics.median(ours),
        "ratio": statistics.median(ratios),
        "phe_bytes_a_hop": n_numbers * width,
        "ring_bytes_a_hop": 25 + layout.n_plaintexts(n_numbers) * width,
        "worst_error": max(errors),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--key-length", type=int, nargs="+", default=[2048, 3072])
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many, smallest first")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    figures = [
        measure(*case, key_length)
        for key_length in options.key_length
        for case in CASES[: options.cases]
    ]
    if options.json:
        print(json.dumps(figures))
        return
    print("  key clients numbers     phe ms  ring ms  ratio   phe bytes  ring bytes  worst error")
    for f in figures:
        print(
            f"{f['key_length']:>5}{f['clients']:>8}{f['numbers']:>8}{f['phe_ms']:>11.1f}"
            f"{f['ring_ms']:>9.1f}{f['ratio']:>6.0f}x{f['phe_bytes_a_hop']:>12,}"
            f"{f['ring_bytes_a_hop']:>12,}{f['worst_error']:>13.1e}"
        )


if __name__ == "__main__":
    main()
