"""One secure sum: a trip round the ring of clients."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, TypeAlias

from ..crypto.key_checks import received_public_key
from ..crypto.key_generation import generate_private_key
from ..crypto.masking import IdentityKey
from ..least_squares import LeastSquares
from .client import Client
from .disclosure import ANY_ROWS, DisclosureRules
from .envelope import Round
from .key_holder import KeyHolder
from .messages import KEY_HOLDER, Message
from .queries import Query
from .roster import SESSION_BYTES, Roster
from .sums import SecureSums

Observer: TypeAlias = Callable[[Message], None]

_observer: ContextVar[Observer | None] = ContextVar("observer", default=None)


@contextmanager
def observe(observer: Observer) -> Iterator[None]:
    """Show `observer` every message of the rings that are formed within the block.

    The block counts for its own thread, as a context variable does: fits in other threads
    or processes, as of a search with ``n_jobs``, are not shown.

    Parameters
    ----------
    observer : callable
        Called with each `Message`, in the order they are sent.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_fedphe import FederatedLinearRegression
    >>> from sklearn_fedphe.protocol import observe
    >>> messages = []
    >>> with observe(messages.append):
    ...     est = FederatedLinearRegression().fit(*load_diabetes(return_X_y=True))
    >>> sorted({message.kind for message in messages})
    ['query', 'running sum', 'total']
    """
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


def current_observer() -> Observer | None:
    """Return who is shown the messages of rings formed here, if anybody."""
    return _observer.get()


class RingSum(SecureSums):
    """Secure sums over a fixed ring of clients.

    Parameters
    ----------
    clients : list of Client
        In the order of the ring.
    key_holder : KeyHolder
        Who opens the totals.
    observer : callable, default=None
        Called with each `Message`.
    n_jobs : int or None, default=None
        Cores that encrypt, as scikit-learn means it.

    Attributes
    ----------
    n_rounds : int
        Secure sums made.
    running_sum_bytes : int
        Bytes of the running sums that travelled.
    """

    def __init__(
        self,
        clients: list[Client],
        key_holder: KeyHolder,
        observer: Observer | None = None,
        n_jobs: int | None = None,
    ) -> None:
        super().__init__()
        self.clients = clients
        self.key_holder = key_holder
        self._observer = observer
        self._n_jobs = n_jobs

    @property
    def n_clients(self) -> int:
        """Clients in the ring."""
        return len(self.clients)

    @property
    def n_features(self) -> int:
        """Number of columns, the same for all clients."""
        return self.key_holder.roster.n_features

    def _trip(self, query: Query) -> tuple[bytes, Round]:
        """Make one trip round the ring: read this to know the protocol.

        The key holder sends the query to every client; each masks its answer and encrypts
        it. The first client sends its own to the second, which adds its own under encryption,
        and so on; the last sends the sum to the key holder, who opens it and tells everyone.

        Reveals the total, to everyone; nothing else to the key holder and up to all clients
        but two.
        """
        self.key_holder.roster.check_present(client.label for client in self.clients)
        question, of_round = self.key_holder.ask(query)
        self.n_rounds = of_round.number
        for client in self.clients:
            self._show(KEY_HOLDER, client.label, "query", question)
        public_key = self.clients[0].public_key
        answers = public_key.encrypt_all(
            [client.encode(question) for client in self.clients], self._n_jobs
        )
        receivers = [*(client.label for client in self.clients[1:]), KEY_HOLDER]
        running = b""
        for client, own, receiver in zip(self.clients, answers, receivers, strict=True):
            running = client.add_to(running, own)
            self.running_sum_bytes += len(running)
            self._show(client.label, receiver, "running sum", running)
        total = self.key_holder.open_total(running)
        for client in self.clients:
            client.hear(total)
            self._show(KEY_HOLDER, client.label, "total", total)
        return total, of_round

    def _show(
        self,
        sender: Hashable,
        receiver: Hashable,
        kind: Literal["query", "running sum", "total"],
        payload: bytes,
    ) -> None:
        if self._observer is not None:
            self._observer(Message(self.n_rounds, sender, receiver, kind, payload))


def form_ring(
    rows: Mapping[Hashable, LeastSquares],
    key_length: int,
    n_jobs: int | None = None,
    rules: DisclosureRules = ANY_ROWS,
) -> RingSum:
    """Play all parties in this process: a key holder with a new key, and the clients.

    Parameters
    ----------
    rows : mapping from label to LeastSquares
        Each client's, in the order of the ring.
    key_length : int
        Bits of the Paillier modulus.
    n_jobs : int or None, default=None
        Cores that encrypt and decrypt, as scikit-learn means it.
    rules : DisclosureRules, default=ANY_ROWS
        What the parties refuse.

    Returns
    -------
    RingSum
        What sums are asked of.
    """
    private_key = generate_private_key(key_length)
    sent = private_key.public_key
    identity_keys = {label: IdentityKey() for label in rows}
    n_features = next(iter(rows.values())).n_features
    identities = {label: key.identity for label, key in identity_keys.items()}
    session = os.urandom(SESSION_BYTES)
    roster = Roster(session, sent.fingerprint, n_features, identities, rules)
    # Each client would do so for itself.
    public_key = received_public_key(sent.to_bytes(), key_length, roster.key_fingerprint)
    clients = [
        Client(label, own, public_key, roster, identity_keys[label]) for label, own in rows.items()
    ]
    return RingSum(clients, KeyHolder(private_key, roster, n_jobs), _observer.get(), n_jobs)
