"""Whole fits: the study against phe's own way, the default fit by parts and against its floor.

Run it with ``python docs/benchmarks/whole_fit.py``; ``--json`` prints JSON, ``--phe-steps 5``
makes fewer steps of the study, for phe takes more than a minute for 50.
"""

import statistics
import tracemalloc

import floor
import numpy as np
import phe_study
from measuring import interleaved, median_ratio, parse_options, show
from parts import CRYPTO_AND_BLAS, timed_parts
from sklearn.datasets import load_diabetes

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.protocol import observe
from sklearn_fedphe.protocol.messages import n_ciphertexts
from sklearn_fedphe.study import LEARNING_RATE, split_diabetes

REPETITIONS = 9


def study(key_length, n_steps):
    """The study, by phe's way and by ours, which end at the same models."""
    shards, *_ = split_diabetes()
    est = FederatedLinearRegression(
        learning_rate=LEARNING_RATE,
        max_iter=n_steps,
        tol=None,
        init="local",
        precondition=False,
        key_length=key_length,
    )
    models = {}

    def theirs():
        models["phe"] = phe_study.run(shards, n_steps, key_length)

    def ours():
        est.fit(shards)
        models["ours"] = np.column_stack([est.client_coef_, est.client_intercept_])

    times = interleaved({"phe": theirs, "ours": ours}, 1)
    return {
        "key": key_length,
        "steps": n_steps,
        "phe s": times["phe"][0],
        "ours s": times["ours"][0],
        "times as fast": median_ratio(times["phe"], times["ours"]),
        "models differ by": float(np.abs(models["phe"] - models["ours"]).max()),
    }


def default_fit(key_length):
    """Parts of the default fit on diabetes, and its ratio to the floor: medians."""
    X, y = load_diabetes(return_X_y=True)
    est = FederatedLinearRegression(key_length=key_length)
    messages = []
    with observe(messages.append):
        est.fit(X, y)
    ciphertexts = [
        n_ciphertexts(message.payload, key_length)
        for message in messages
        if message.kind == "running sum"
    ]
    n_encryptions, n_decryptions = sum(ciphertexts), sum(ciphertexts) // est.n_clients_
    key = generate_private_key(key_length)
    parts, ratios, outside = [], [], []
    for _ in range(REPETITIONS):
        with timed_parts() as seconds:
            est.fit(X, y)
        least = interleaved(
            {
                "encrypt": lambda: floor.encryptions(key.public_key, n_encryptions),
                "decrypt": lambda: floor.decryptions(key, n_decryptions),
            },
            1,
            takes=1,
        )
        total = seconds.total()
        crypto = least["encrypt"][0] + least["decrypt"][0]
        ratios.append(total / (crypto + seconds["key generation"]))
        outside.append(1 - sum(seconds[part] for part in CRYPTO_AND_BLAS) / total)
        parts.append({"total": total, "floor of crypto": crypto, **seconds})
    summary = {
        "key": key_length,
        "secure sums": est.n_rounds_,
        "encryptions": n_encryptions,
        "decryptions": n_decryptions,
        "seconds": statistics.median(part["total"] for part in parts),
        "times (floor + key generation)": statistics.median(ratios),
        "outside crypto and BLAS": f"{100 * statistics.median(outside):.1f} %",
        "peak MB beyond input": peak_memory(est, X, y),
    }
    names = sorted({name for part in parts for name in part})
    by_part = [
        {"key": key_length, "part": name, "ms": 1e3 * statistics.median(p[name] for p in parts)}
        for name in names
    ]
    return summary, sorted(by_part, key=lambda row: -row["ms"])


def peak_memory(est, X, y):
    """Peak of what Python and NumPy hold during a fit; GMP's numbers are some MB more."""
    tracemalloc.start()
    est.fit(X, y)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def main():
    options = parse_options(__doc__.splitlines()[0], key_length=[2048, 3072], phe_steps=50)
    fits = [default_fit(key_length) for key_length in options.key_length]
    tables = {
        "Default fit on diabetes, 3 clients": [summary for summary, _ in fits],
        "Default fit by part": fits[-1][1],
        "The study against phe's federated example": [
            study(key_length, options.phe_steps) for key_length in options.key_length
        ],
    }
    show(tables, options.json)


if __name__ == "__main__":
    main()
