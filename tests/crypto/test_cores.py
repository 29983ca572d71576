import joblib
import numpy as np
import pytest
from gmpy2 import mpz

from sklearn_fedphe.crypto import cores
from sklearn_fedphe.crypto.cores import map_processes, map_threads
from sklearn_fedphe.crypto.fixed_point import FixedPoint


@pytest.fixture
def _small_rounds_too(monkeypatch):
    monkeypatch.setattr(cores, "MIN_FOR_PROCESSES", 2)


@pytest.fixture
def started(monkeypatch):
    """How many processes or threads were asked for."""
    counts = []
    real_parallel, real_pool = joblib.Parallel, cores.ThreadPoolExecutor

    def parallel(n_jobs, backend):
        counts.append((backend, n_jobs))
        return real_parallel(n_jobs=n_jobs, backend=backend)

    def pool(n_threads, initializer):
        counts.append(("threads", n_threads))
        return real_pool(n_threads, initializer=initializer)

    monkeypatch.setattr(joblib, "Parallel", parallel)
    monkeypatch.setattr(cores, "ThreadPoolExecutor", pool)
    return counts


def negated(integers):
    return [-integer for integer in integers]


@pytest.mark.usefixtures("_small_rounds_too")
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("n_jobs", [None, 1, 2])
def test_results_are_in_order_whatever_n_jobs(size, n_jobs):
    integers = [mpz(i) for i in range(size)]

    assert map_processes(negated, integers, n_jobs) == negated(integers)
    assert map_threads(lambda integer: -integer, integers, n_jobs) == negated(integers)


def test_one_core_starts_nothing(started):
    integers = [mpz(i) for i in range(300)]

    map_processes(negated, integers, None)
    map_threads(abs, integers, 1)

    assert started == []


def test_processes_are_for_many_integers_alone(started):
    map_processes(negated, [mpz(1)] * (cores.MIN_FOR_PROCESSES - 1), 2)
    assert started == []

    map_processes(negated, [mpz(1)] * cores.MIN_FOR_PROCESSES, 2)
    assert started == [("loky", 2)]


def test_fits_side_by_side_start_no_processes_of_their_own(started):
    many = [mpz(1)] * cores.MIN_FOR_PROCESSES
    side_by_side = joblib.Parallel(n_jobs=2, backend="threading")

    results = side_by_side(joblib.delayed(map_processes)(negated, many, 2) for _ in range(2))

    assert results == [negated(many)] * 2
    assert started == [("threading", 2)]


def test_n_jobs_follows_joblibs_context(started):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        map_threads(abs, [1, 2, 3], None)
        map_processes(negated, [mpz(1)] * cores.MIN_FOR_PROCESSES, None)
    map_threads(abs, [1, 2, 3], -1)

    # Plaintexts stay in processes of this machine, whatever the context's backend.
    expected = [("threads", 2), ("loky", 2), ("threads", min(3, joblib.cpu_count()))]
    assert started == [each for each in expected if each[1] > 1]


@pytest.mark.usefixtures("_small_rounds_too")
def test_vectors_encrypted_on_two_cores_decrypt_on_two_cores(short_key, started):
    layout = FixedPoint(64, 40, short_key.public_key.plaintext_bits, 4)
    vectors = np.random.default_rng(0).normal(size=(3, 50))
    public_key = short_key.public_key

    encrypted = public_key.encrypt_all([layout.encode(v) for v in vectors], n_jobs=2)
    total = encrypted[0] + encrypted[1] + encrypted[2]

    assert started == [("loky", 2)]
    assert len({c for own in encrypted for c in own.ciphertexts}) == 3 * layout.n_plaintexts(50)
    bound = 3 * layout.resolution
    for n_jobs in (2, None):
        decoded = layout.decode(short_key.decrypt(total, n_jobs=n_jobs))
        np.testing.assert_allclose(decoded, vectors.sum(axis=0), rtol=0, atol=bound)
    assert started == [("loky", 2), ("threads", 2)]
