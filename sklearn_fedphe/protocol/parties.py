"""The two kinds of party: a client has rows and a public key, the key holder a private key.

They are semi-honest: they follow the protocol and remember what they saw.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..crypto.encoded_vector import EncodedVector
from ..crypto.encrypted_vector import EncryptedVector
from ..crypto.fixed_point import FixedPoint
from ..crypto.paillier import PrivateKey, PublicKey
from ..least_squares import LeastSquares
from .answers import answer, exact_answer
from .disclosure import DisclosureRules
from .messages import (
    exact_total_to_bytes,
    running_sum_from_bytes,
    running_sum_to_bytes,
    total_to_bytes,
)
from .queries import (
    GramQuery,
    Query,
    SquaresQuery,
    SumsQuery,
    answer_size,
    query_from_bytes,
)

ANY_ROWS = DisclosureRules()
"""Nothing is refused."""

MIN_CLIENTS = 3
"""Of 2, each would subtract its own part from the total and read the other's."""


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
    rules : DisclosureRules, default=ANY_ROWS
        What the client refuses to take part in.

    Raises
    ------
    ValueError
        If the client refuses, or too few take part.
    """

    def __init__(
        self,
        label: Hashable,
        rows: LeastSquares,
        public_key: PublicKey,
        n_clients: int,
        rules: DisclosureRules = ANY_ROWS,
    ) -> None:
        _check_enough(n_clients)
        rules.check_client(label, rows.n_rows)
        self.label = label
        self.public_key = public_key
        self._rows = rows
        self._n_clients = n_clients

    def encode(self, query: bytes) -> EncodedVector:
        """Compute this client's answer, as soon as the query has come.

        Run by the client. Reveals nothing: what it returns is in the clear and stays with
        the client until it is encrypted.

        Parameters
        ----------
        query : bytes
            From the key holder; public.

        Returns
        -------
        EncodedVector
            The answer, packed, to be encrypted under the key holder's key.

        Raises
        ------
        OverflowError
            If a value of the answer does not fit its slot. Nothing was sent then.
        """
        asked = query_from_bytes(query, self._rows.n_features)
        layout = asked.slots.layout(self.public_key.plaintext_bits, self._n_clients)
        try:
            return self._encoded(asked, layout)
        except OverflowError as error:
            problem = str(error)
        # Raised out here, the error does not carry the frames that hold the values.
        raise OverflowError(f"client {self.label!r} would send {problem}; {asked.slots.remedy}.")

    def _encoded(self, asked: Query, layout: FixedPoint) -> EncodedVector:
        if isinstance(asked, GramQuery):
            return layout.encode_integers(exact_answer(asked, self._rows))
        return layout.encode(answer(asked, self._rows))

    def add_to(self, running_sum: bytes, own: EncryptedVector) -> bytes:
        """Add this client's answer to what came round the ring, under encryption.

        Run by the client when its turn comes. Reveals nothing: what leaves is behind a
        fresh hiding factor, also where the incoming sum is known.

        Parameters
        ----------
        running_sum : bytes
            From the client before; empty for the first.
        own : EncryptedVector
            Its own answer. To be added once: a factor hides one message alone.

        Returns
        -------
        bytes
            The running sum for the next party.

        Raises
        ------
        ValueError
            If what came is not a running sum that this answer can be added to.
        """
        if not running_sum:
            return running_sum_to_bytes(own)
        received = running_sum_from_bytes(running_sum, self.public_key, own.layout, own.size)
        return running_sum_to_bytes(received + own)


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
    n_jobs : int or None, default=None
        Threads that decrypt, as scikit-learn means it.
    rules : DisclosureRules, default=ANY_ROWS
        What totals it keeps to itself.
    """

    def __init__(
        self,
        private_key: PrivateKey,
        n_clients: int,
        n_features: int,
        n_jobs: int | None = None,
        rules: DisclosureRules = ANY_ROWS,
    ) -> None:
        _check_enough(n_clients)
        self._rules = rules
        self._private_key = private_key
        self._n_clients = n_clients
        self._n_jobs = n_jobs
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
            If not every client entered it: less than the total would show a client's own;
            or if it is over fewer rows than the model has parameters.
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
        decrypted = self._private_key.decrypt(encrypted, self._n_jobs)
        if isinstance(asked, GramQuery):
            integers = layout.decode_integers(decrypted)
            self._rules.check_federation(integers[0])
            return exact_total_to_bytes(integers, layout.slot_bits)
        total = layout.decode(decrypted)
        if isinstance(asked, (SumsQuery, SquaresQuery)):
            self._rules.check_federation(int(total[0]))
        return total_to_bytes(total)


def _check_enough(n_clients: int) -> None:
    if n_clients < MIN_CLIENTS:
        raise ValueError(
            f"A ring of {n_clients} clients, where at least {MIN_CLIENTS} are needed: of 2, each "
            "would subtract its own part from the total and read the other's."
        )
