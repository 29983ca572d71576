import copy
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from gmpy2 import mpz

from sklearn_fedphe.crypto import factor_pool
from sklearn_fedphe.crypto.factor_pool import FactorPool
from sklearn_fedphe.crypto.obfuscation import Obfuscator
from sklearn_fedphe.crypto.paillier import PublicKey


@pytest.fixture
def pool():
    pool = FactorPool()
    for factor in range(10):
        pool.put(mpz(factor))
    return pool


def test_hands_out_each_factor_once(pool):
    assert [pool.take() for _ in range(12)] == [*range(10), None, None]
    assert len(pool) == 0


def test_threads_never_get_the_same_factor():
    pool = FactorPool()
    for factor in range(20_000):
        pool.put(mpz(factor))

    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(lambda _: pool.take(), range(20_000)))

    assert sorted(taken) == list(range(20_000))


@pytest.mark.parametrize(
    "leave",
    [pickle.dumps, copy.copy, copy.deepcopy, lambda pool: pickle.dumps({"of": pool}, protocol=0)],
    ids=["pickle", "copy", "deepcopy", "nested"],
)
def test_refuses_to_be_pickled_or_copied(pool, leave):
    with pytest.raises(TypeError, match="neither pickled nor copied: used twice"):
        leave(pool)


@pytest.mark.parametrize("leave", [pickle.dumps, copy.deepcopy])
def test_an_obfuscator_with_factors_refuses_too(short_key, leave):
    obfuscator = Obfuscator(short_key.public_key.n)
    obfuscator.prepare(1)

    with pytest.raises(TypeError, match="neither pickled nor copied"):
        leave(obfuscator)


@pytest.mark.parametrize(
    "duplicate", [lambda key: pickle.loads(pickle.dumps(key)), copy.copy, copy.deepcopy]
)
def test_a_copied_key_leaves_the_factors_behind(short_key, duplicate):
    key = PublicKey(short_key.public_key.n)
    key.prepare(2)

    other = duplicate(key)

    assert other == key
    assert len(other._obfuscator._ready) == 0
    assert len(key._obfuscator._ready) == 2


def test_a_copied_key_takes_with_it_what_it_can_encrypt(short_key):
    received = pickle.loads(pickle.dumps(short_key.public_key))

    # One object a key and process: the table is built once.
    assert pickle.loads(pickle.dumps(short_key.public_key)) is received
    assert short_key._key.raw_decrypt(int(received._obfuscator.draw())) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_finds_its_pool_empty(pool):
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover (the child's coverage is not recorded)
        os.write(write_end, str(len(pool)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read_end, 10) == b"0"
    assert len(pool) == 10
    os.close(read_end)
    os.close(write_end)


def test_what_a_forked_process_runs_first_empties_every_pool(pool):
    other = FactorPool()
    other.put(mpz(1))

    factor_pool._empty_all()

    assert pool.take() is other.take() is None


def test_repr_shows_no_factor(pool):
    pool.put(mpz(123456789))

    assert repr(pool) == "FactorPool of 11"
