"""The two kinds of party: a client has rows and a public key, the key holder a private key.

They are semi-honest: they follow the protocol and remember what they saw.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from ..crypto.fixed_point import EncodedVector, FixedPoint
from ..crypto.paillier import PrivateKey, PublicKey
from ..least_squares import LeastSquares
from ..typing import FloatArray
from .messages import running_sum_from_bytes, running_sum_to_bytes, total_to_bytes
from .queries import (
    Query,
    SquaresQuery,
    StartQuery,
    SumsQuery,
    answer_size,
    query_from_bytes,
)

MIN_CLIENTS = 3
"""Of 2, each would subtract its own part from the total and read the other's."""


def answer(query: Query, rows: LeastSquares) -> FloatArray:
    """Compute what a query asks for from one client's rows. Run by that client alone."""
    # Values past the range of float64 become infinite here and are refused on encoding.
    with np.errstate(over="ignore", invalid="ignore"):
        match query:
            case SumsQuery():
                return rows.sums()
            case StartQuery():
                return np.append(*rows.start)
            case SquaresQuery(center, target_center):
                return rows.squares(center, target_center)
            case _:
                return rows.gradient(query.point, query.frame)


class Client:
    """A data owner. Its rows stay inside.

    Parameters
    ----------
    label : hashable
        Its name, for errors.
    rows : LeastSquares
        Its own rows.
    public_key : PublicKey
        The key holder's.
    n_clients : int
        How many clients take part, at least `MIN_CLIENTS`; guard bits are sized for them.
    """

    def __init__(
        self, label: Hashable, rows: LeastSquares, public_key: PublicKey, n_clients: int
    ) -> None:
        _check_enough(n_clients)
        self.label = label
        self._rows = rows
        self._public_key = public_key
        self._n_clients = n_clients

    def add_to(self, running_sum: bytes, query: bytes) -> bytes:
        """Add this client's answer to what came round the ring, under encryption.

        Run by the client. Reveals nothing: what leaves is behind a fresh hiding factor,
        also where the incoming sum is known.

        Parameters
        ----------
        running_sum : bytes
            From the client before; empty for the first.
        query : bytes
            From the key holder; public.

        Returns
        -------
        bytes
            The running sum for the next party.

        Raises
        ------
        OverflowError
            If a value of the answer does not fit its slot. Nothing was sent then.
        """
        asked = query_from_bytes(query, self._rows.n_features)
        layout = asked.slots.layout(self._public_key.plaintext_bits, self._n_clients)
        own = self._public_key.encrypt(self._encode(layout, asked))
        if not running_sum:
            return running_sum_to_bytes(own)
        received = running_sum_from_bytes(running_sum, self._public_key, layout, own.size)
        return running_sum_to_bytes(received + own)

    def _encode(self, layout: FixedPoint, query: Query) -> EncodedVector:
        try:
            return layout.encode(answer(query, self._rows))
        except OverflowError as error:
            problem = str(error)
        # Raised out here, the error does not carry the frames that hold the values.
        raise OverflowError(f"client {self.label!r} would send {problem}; {query.slots.remedy}.")


class KeyHolder:
    """The server: it alone can decrypt, and it opens totals only.

    Parameters
    ----------
    private_key : PrivateKey
        Made by it, and never given away.
    n_clients : int
        How many clients must have entered a total.
    n_features : int
        Number of columns, the same for all clients.
    """

    def __init__(self, private_key: PrivateKey, n_clients: int, n_features: int) -> None:
        _check_enough(n_clients)
        self._private_key = private_key
        self._n_clients = n_clients
        self.n_features = n_features

    def open_total(self, running_sum: bytes, query: bytes) -> bytes:
        """Decrypt what the last client of the ring sent.

        Run by the key holder. Reveals the total, to everyone.

        Parameters
        ----------
        running_sum : bytes
            From the last client.
        query : bytes
            What was asked.

        Returns
        -------
        bytes
            The total, decrypted, for everyone.

        Raises
        ------
        ValueError
            If not every client entered it: less than the total would show a client's own.
        """
        asked = query_from_bytes(query, self.n_features)
        key = self._private_key.public_key
        layout = asked.slots.layout(key.plaintext_bits, self._n_clients)
        size = answer_size(asked, self.n_features)
        encrypted = running_sum_from_bytes(running_sum, key, layout, size)
        if encrypted.n_terms != self._n_clients:
            raise ValueError(
                f"The key holder opens totals of all {self._n_clients} clients, and "
                f"{encrypted.n_terms} entered this one; send it round the whole ring, each "
                "client once."
            )
        return total_to_bytes(layout.decode(self._private_key.decrypt(encrypted)))


def _check_enough(n_clients: int) -> None:
    if n_clients < MIN_CLIENTS:
        raise ValueError(
            f"A ring of {n_clients} clients, where at least {MIN_CLIENTS} are needed: of 2, each "
            "would subtract its own part from the total and read the other's."
        )
