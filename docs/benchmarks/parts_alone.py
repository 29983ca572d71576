"""Parts of a round alone: encryption against its floor, local arithmetic against BLAS, n_jobs.

Run it with ``python docs/benchmarks/parts_alone.py``; ``--json`` prints JSON.
"""

import statistics
import time

import floor
import numpy as np
from gmpy2 import mpz
from measuring import interleaved, median_ratio, parse_options, show

from sklearn_fedphe.crypto import cores
from sklearn_fedphe.crypto.encrypted_vector import EncryptedVector
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.paillier import PublicKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol.queries import Slots


def against_floor(key_length, repetitions):
    """Encryption and decryption of full plaintexts, and what their multiplications take."""
    private_key = generate_private_key(key_length)
    public_key = private_key.public_key
    layout = Slots.STANDARD.layout(public_key.plaintext_bits, 3)
    encoded = layout.encode(np.random.default_rng(0).normal(size=4 * layout.n_slots))
    encrypted = public_key.encrypt(encoded)
    times = interleaved(
        {
            "encrypt": lambda: public_key.encrypt(encoded),
            "multiplications": lambda: floor.encryptions(public_key, 4),
            "decrypt": lambda: private_key.decrypt(encrypted),
            "powers": lambda: floor.decryptions(private_key, 4),
            "table": lambda: PublicKey(public_key.n)._obfuscator,
        },
        repetitions,
    )
    return {
        "key": key_length,
        "table ms": 1e3 * statistics.median(times["table"]),
        "encrypt ms": 1e3 * statistics.median(times["encrypt"]) / 4,
        "times its floor": median_ratio(times["encrypt"], times["multiplications"]),
        "decrypt ms": 1e3 * statistics.median(times["decrypt"]) / 4,
        "times its powers": median_ratio(times["decrypt"], times["powers"]),
    }


def against_blas(order, dtype, mean, n_rows, repetitions):
    """A gradient over 50 columns, and BLAS's two products with X as it lies."""
    generator = np.random.default_rng(0)
    X = np.asarray(generator.normal(mean, size=(n_rows, 50)), dtype=dtype, order=order)
    y, point = generator.normal(size=len(X)), generator.normal(size=51)
    rows, coef = LeastSquares(X, y), point[:-1].astype(dtype)
    frame = Frame(X.mean(axis=0, dtype=float), np.ones(50), 0.0, 1.0, float(len(X)))
    times = interleaved(
        {
            "gradient": lambda: rows.gradient(point, frame),
            "blas": lambda: (X @ coef - y).astype(dtype, copy=False) @ X,
        },
        repetitions,
    )
    return {
        "order": order,
        "dtype": dtype,
        "mean / deviation": float(mean),
        "gradient ms": 1e3 * statistics.median(times["gradient"]),
        "times BLAS": median_ratio(times["gradient"], times["blas"]),
    }


def on_two_cores(n_ciphertexts, key_length, repetitions):
    """Encryption in two processes and decryption in two threads, against one."""
    private_key = generate_private_key(key_length)
    public_key = private_key.public_key
    layout = Slots.STANDARD.layout(public_key.plaintext_bits, 3)
    encoded = layout.encode(np.ones(n_ciphertexts * layout.n_slots))
    encrypted = EncryptedVector(
        public_key, layout, encoded.size, (mpz(public_key.n + 1),) * n_ciphertexts, 1
    )
    start = time.perf_counter()
    public_key.encrypt_all([encoded], n_jobs=2)
    first = time.perf_counter() - start
    times = interleaved(
        {
            "encrypt 1": lambda: public_key.encrypt_all([encoded], n_jobs=1),
            "encrypt 2": lambda: public_key.encrypt_all([encoded], n_jobs=2),
            "decrypt 1": lambda: private_key.decrypt(encrypted, n_jobs=1),
            "decrypt 2": lambda: private_key.decrypt(encrypted, n_jobs=2),
        },
        repetitions,
        takes=1,
    )
    return {
        "key": key_length,
        "ciphertexts": n_ciphertexts,
        "encrypt, times as fast": median_ratio(times["encrypt 1"], times["encrypt 2"]),
        "decrypt, times as fast": median_ratio(times["decrypt 1"], times["decrypt 2"]),
        "first call s": first,
    }


def main():
    options = parse_options(
        __doc__.splitlines()[0], key_length=[2048, 3072], rows=200_000, repetitions=9
    )
    cores.MIN_FOR_PROCESSES = 2  # to see also where processes do not pay
    tables = {
        "Encryption and decryption against their floors": [
            against_floor(key_length, options.repetitions) for key_length in options.key_length
        ],
        "A client's gradient against BLAS": [
            against_blas(order, dtype, mean, options.rows, options.repetitions)
            for dtype in ("float64", "float32")
            for order in "CF"
            for mean in (0, 100)
        ],
        "Two cores against one": [
            on_two_cores(n_ciphertexts, options.key_length[-1], options.repetitions)
            for n_ciphertexts in (256, 128, 64, 16, 1)
        ],
    }
    show(tables, options.json)


if __name__ == "__main__":
    main()
