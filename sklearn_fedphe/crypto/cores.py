"""More than one core: what `n_jobs` does, and where it pays.

A modular power, of which decryption is made, is one long call into GMP: threads share the
cores where gmpy2 releases the interpreter's lock. The walk over the table of hiding
factors, of which encryption is made, is hundreds of short calls: threads only wait for the
lock of each other, so processes are used, and since starting them and sending integers to
and fro has its price, only for rounds of `MIN_FOR_PROCESSES` ciphertexts or more. On two cores
256 ciphertexts of 3072 bits were encrypted 1.8 times as fast, 64 1.5 times, 16 no faster.
``docs/benchmarks/parts_alone.py`` measures both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import gmpy2
import joblib
from gmpy2 import mpz
from joblib.parallel import get_active_backend

MIN_FOR_PROCESSES = 128
"""Ciphertexts of one round from which on processes encrypt faster than one alone."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_threads(
    function: Callable[[Item], Result], items: Sequence[Item], n_jobs: int | None
) -> list[Result]:
    """Apply `function`, mostly modular powers, to each item.

    Parameters
    ----------
    function : callable
        Applied to one item.
    items : sequence
        What it is applied to.
    n_jobs : int or None
        As scikit-learn means it.

    Returns
    -------
    list
        The results, in the order of the items.
    """
    n_threads = min(joblib.effective_n_jobs(n_jobs), len(items))
    if n_threads <= 1:
        return list(map(function, items))
    # The lock is released in threads of our own alone, not in the caller's.
    with ThreadPoolExecutor(n_threads, initializer=_release_lock) as pool:
        return list(pool.map(function, items))


def map_processes(
    function: Callable[[list[mpz]], list[mpz]], integers: list[mpz], n_jobs: int | None
) -> list[mpz]:
    """Apply `function`, mostly short calls, to parts of many integers.

    Parameters
    ----------
    function : callable
        From a list of integers to one as long. It goes to other processes by pickle.
    integers : list of mpz
        What it is applied to parts of.
    n_jobs : int or None
        As scikit-learn means it.

    Returns
    -------
    list of mpz
        The results, in the order of the integers.
    """
    n_processes = joblib.effective_n_jobs(n_jobs)
    # A search that runs fits side by side has the cores busy already.
    is_nested = get_active_backend()[0].nesting_level > 0
    if n_processes == 1 or is_nested or len(integers) < MIN_FOR_PROCESSES:
        return function(integers)
    length = -(-len(integers) // n_processes)
    parts = [integers[i : i + length] for i in range(0, len(integers), length)]
    # Processes of this machine whatever joblib's context says: the integers are plaintexts.
    parallel = joblib.Parallel(n_jobs=n_processes, backend="loky")
    return list(chain.from_iterable(parallel(joblib.delayed(function)(part) for part in parts)))


def _release_lock() -> None:
    gmpy2.get_context().allow_release_gil = True
