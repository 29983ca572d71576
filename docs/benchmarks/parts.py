"""Where the time of a fit goes: seconds by part, those of inner parts taken out."""

import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import wraps
from unittest.mock import patch

from sklearn_fedphe import linear_model
from sklearn_fedphe.crypto.encrypted_vector import EncryptedVector
from sklearn_fedphe.crypto.fixed_point import FixedPoint
from sklearn_fedphe.crypto.masking import PairwiseMasks
from sklearn_fedphe.crypto.obfuscation import Obfuscator
from sklearn_fedphe.crypto.paillier import PrivateKey, PublicKey
from sklearn_fedphe.protocol import client, key_holder, ring, sums
from sklearn_fedphe.protocol.transcript import Transcript
from sklearn_fedphe.solvers import ConjugateGradient, GradientDescent, NormalEquationsSolver

PLACES = (
    (ring, "generate_private_key", "key generation"),
    (ring, "received_public_key", "key check"),
    (Obfuscator, "__init__", "table"),
    (client, "answer", "local arithmetic"),
    (client, "exact_answer", "local arithmetic"),
    (FixedPoint, "encode", "encode"),
    (FixedPoint, "encode_integers", "encode"),
    (PairwiseMasks, "__init__", "agree on masks"),
    (PairwiseMasks, "mask", "mask"),
    (PublicKey, "encrypt_all", "encrypt"),
    (EncryptedVector, "__add__", "add"),
    (PrivateKey, "decrypt", "decrypt"),
    (FixedPoint, "decode", "decode"),
    (FixedPoint, "decode_integers", "decode"),
    (Transcript, "ask", "messages"),
    (Transcript, "answer", "messages"),
    (Transcript, "close", "messages"),
    (client, "running_sum_to_bytes", "messages"),
    (client, "running_sum_from_bytes", "messages"),
    (client, "total_from_bytes", "messages"),
    (client, "exact_total_from_bytes", "messages"),
    (key_holder, "query_to_bytes", "messages"),
    (key_holder, "running_sum_from_bytes", "messages"),
    (key_holder, "total_to_bytes", "messages"),
    (key_holder, "exact_total_to_bytes", "messages"),
    (sums, "total_from_bytes", "messages"),
    (sums, "exact_total_from_bytes", "messages"),
    (linear_model, "check_parameters", "validation"),
    (linear_model, "check_data", "validation"),
    (GradientDescent, "minimize", "solver"),
    (ConjugateGradient, "minimize", "solver"),
    (NormalEquationsSolver, "minimize", "solver"),
)
CRYPTO_AND_BLAS = (
    *("key generation", "key check", "table", "local arithmetic"),
    *("agree on masks", "mask", "encrypt", "add", "decrypt"),
)


@contextmanager
def timed_parts():
    """Yield a Counter of seconds by part, filled by what runs within the block."""
    seconds, running = Counter(), []

    def timed(function, part):
        @wraps(function)
        def wrapper(*args, **kwargs):
            now = time.perf_counter()
            if running:
                seconds[running[-1][0]] += now - running[-1][1]
            running.append([part, now])
            try:
                return function(*args, **kwargs)
            finally:
                now = time.perf_counter()
                name, since = running.pop()
                seconds[name] += now - since
                if running:
                    running[-1][1] = now

        return wrapper

    with ExitStack() as stack:
        for owner, name, part in PLACES:
            function = timed(getattr(owner, name), part)
            stack.enter_context(patch.object(owner, name, function))
        start = time.perf_counter()
        yield seconds
        seconds["rest"] = time.perf_counter() - start - sum(seconds.values())
