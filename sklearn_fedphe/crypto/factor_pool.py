"""Hiding factors made ahead of use, each handed out once.

Two plaintexts behind one factor would give away their difference: the quotient of the
ciphertexts is ``1 + n * (m1 - m2) mod n**2``. So no two holders may ever have the same
pool. It is neither pickled nor copied, a forked process finds its own empty, and taking
a factor removes it.
"""

from __future__ import annotations

import os
from collections import deque
from weakref import WeakSet

from gmpy2 import mpz

from .uncopied import Uncopied


class FactorPool(Uncopied):
    """Hiding factors waiting for their one use, oldest first.

    Safe with threads: none is handed to two of them. Restoring a snapshot of the whole
    machine would bring used factors back; no process can tell that from within.
    """

    why = (
        "used twice, hiding factors would show the difference of two plaintexts. Make a pool "
        "where it is used."
    )

    def __init__(self) -> None:
        self._factors: deque[mpz] = deque()
        _POOLS.add(self)

    def __len__(self) -> int:
        return len(self._factors)

    def __repr__(self) -> str:
        return f"FactorPool of {len(self)}"

    def put(self, factor: mpz) -> None:
        """Keep a fresh factor.

        Parameters
        ----------
        factor : mpz
            Never handed out before.
        """
        self._factors.append(factor)

    def take(self) -> mpz | None:
        """Remove a factor and return it.

        Returns
        -------
        mpz or None
            None if there is none.
        """
        try:
            return self._factors.popleft()
        except IndexError:
            return None

    def empty(self) -> None:
        """Forget all factors."""
        self._factors.clear()


_POOLS: WeakSet[FactorPool] = WeakSet()


def _empty_all() -> None:
    for pool in _POOLS:
        pool.empty()


# Windows, which cannot fork, has no such registration.
getattr(os, "register_at_fork", lambda **_: None)(after_in_child=_empty_all)
