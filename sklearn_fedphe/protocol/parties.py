"""The two kinds of party: a client has rows and a public key, the key holder a private key.

They are semi-honest: they follow the protocol and remember what they saw. Each keeps a
`Transcript` of its own and goes no further where another party's messages do not fit it.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..crypto.encoded_vector import EncodedVector
from ..crypto.encrypted_vector import EncryptedVector
from ..crypto.fixed_point import FixedPoint
from ..crypto.masking import IdentityKey, PairwiseMasks
from ..crypto.paillier import PrivateKey, PublicKey
from ..least_squares import LeastSquares
from .answers import answer, exact_answer
from .disclosure import DisclosureRules
from .envelope import RefusedMessageError, Round
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
    query_to_bytes,
)
from .roster import Roster
from .transcript import Transcript

ANY_ROWS = DisclosureRules()
"""Nothing is refused."""


class Client:
    """A data owner. Its rows stay inside.

    Parameters
    ----------
    label : hashable
        Its name, as on the roster.
    rows : LeastSquares
        Its own rows.
    public_key : PublicKey
        The key holder's, checked (`crypto.key_checks`).
    roster : Roster
        Who takes part.
    identity_key : IdentityKey
        Its own, whose public half is on the roster.
    rules : DisclosureRules, default=ANY_ROWS
        What the client refuses to take part in.

    Raises
    ------
    ValueError
        If the client refuses, or has no part in what the roster says.
    """

    def __init__(
        self,
        label: Hashable,
        rows: LeastSquares,
        public_key: PublicKey,
        roster: Roster,
        identity_key: IdentityKey,
        rules: DisclosureRules = ANY_ROWS,
    ) -> None:
        rules.check_client(label, rows.n_rows)
        roster.check_key(public_key.fingerprint)
        self.label = label
        self.public_key = public_key
        self._rows = rows
        self._masks = PairwiseMasks(identity_key, list(roster.identities.values()), roster.digest)
        self._transcript = Transcript(roster, f"client {label!r}")
        self._has_added = False

    def encode(self, query: bytes) -> EncodedVector:
        """Compute this client's answer, as soon as the query has come. Once a round.

        Run by the client. Reveals nothing: what it returns is behind this round's masks, and
        stays with the client until it is encrypted.

        Parameters
        ----------
        query : bytes
            From the key holder; public.

        Returns
        -------
        EncodedVector
            The answer, packed and masked, to be encrypted under the key holder's key.

        Raises
        ------
        RefusedMessageError
            If the query is not the one that this client waits for.
        OverflowError
            If a value of the answer does not fit its slot. Nothing was sent then.
        """
        asked = query_from_bytes(self._transcript.answer(query), self._rows.n_features)
        self._has_added = False
        n_clients = self._transcript.roster.n_clients
        layout = asked.slots.layout(self.public_key.plaintext_bits, n_clients)
        try:
            encoded = self._encoded(asked, layout)
        except OverflowError as error:
            problem = str(error)
        else:
            mask_id = self._transcript.round.mask_id
            return self._masks.mask(encoded, self.public_key.n, mask_id)
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
            Its own answer. Added once: a factor hides one message alone.

        Returns
        -------
        bytes
            The running sum for the next party.

        Raises
        ------
        RefusedMessageError
            If what came is not a running sum of the open round, or this client has added
            to it before.
        """
        of_round = self._transcript.round
        if self._has_added:
            raise RefusedMessageError(
                f"client {self.label!r} has added to round {of_round.number} before; every client "
                "adds exactly once."
            )
        self._has_added = True
        if not running_sum:
            return running_sum_to_bytes(own, of_round)
        received = running_sum_from_bytes(
            running_sum, self.public_key, own.layout, own.size, of_round
        )
        return running_sum_to_bytes(received + own, of_round)

    def hear(self, total: bytes) -> None:
        """Take note of the total of the open round. Run by the client; reveals nothing.

        Parameters
        ----------
        total : bytes
            From the key holder; public.

        Raises
        ------
        RefusedMessageError
            If no round is open, or the total is of another.
        """
        self._transcript.close(total)


class KeyHolder:
    """The server: it alone can decrypt, and it opens totals only.

    Parameters
    ----------
    private_key : PrivateKey
        Made by it, and never given away.
    roster : Roster
        Who takes part; all of them must have entered a total.
    n_jobs : int or None, default=None
        Threads that decrypt, as scikit-learn means it.
    rules : DisclosureRules, default=ANY_ROWS
        What totals it keeps to itself.
    """

    def __init__(
        self,
        private_key: PrivateKey,
        roster: Roster,
        n_jobs: int | None = None,
        rules: DisclosureRules = ANY_ROWS,
    ) -> None:
        roster.check_key(private_key.public_key.fingerprint)
        self.roster = roster
        self._rules = rules
        self._private_key = private_key
        self._n_jobs = n_jobs
        self._transcript = Transcript(roster, "the key holder")

    def ask(self, query: Query) -> tuple[bytes, Round]:
        """Begin a round. Run by the key holder. Reveals the query, to everyone.

        Parameters
        ----------
        query : Query
            What to ask every client.

        Returns
        -------
        message : bytes
            For every client, the same.
        round : Round
            The one that it opens.

        Raises
        ------
        RefusedMessageError
            If the total of the round before was not told.
        """
        message = self._transcript.ask(query_to_bytes(query))
        self._asked = query
        return message, self._transcript.round

    def open_total(self, running_sum: bytes) -> bytes:
        """Decrypt what the last client of the ring sent, once a round.

        Run by the key holder. Reveals the total, to everyone.

        Parameters
        ----------
        running_sum : bytes
            From the last client.

        Returns
        -------
        bytes
            The total, decrypted, for everyone.

        Raises
        ------
        RefusedMessageError
            If it is no running sum of the open round, if not every client entered it, or if
            what it decrypts to is no sum of their vectors: masks of a client left out, or
            of one that was asked something else, do not cancel.
        ValueError
            If it is over fewer rows than the model has parameters.
        """
        of_round, asked = self._transcript.round, self._asked
        key, n_clients = self._private_key.public_key, self.roster.n_clients
        layout = asked.slots.layout(key.plaintext_bits, n_clients)
        size = answer_size(asked, self.roster.n_features)
        encrypted = running_sum_from_bytes(running_sum, key, layout, size, of_round)
        if encrypted.n_terms != n_clients:
            raise RefusedMessageError(
                f"The key holder opens totals of all {n_clients} clients, and "
                f"{encrypted.n_terms} entered this one; send it round the whole ring, each "
                "client once."
            )
        decrypted = self._private_key.decrypt(encrypted, self._n_jobs)
        if isinstance(asked, GramQuery):
            integers = layout.decode_integers(decrypted)
            self._rules.check_federation(integers[0])
            message = exact_total_to_bytes(integers, layout.slot_bits, of_round)
        else:
            total = layout.decode(decrypted)
            if isinstance(asked, (SumsQuery, SquaresQuery)):
                self._rules.check_federation(int(total[0]))
            message = total_to_bytes(total, of_round)
        self._transcript.close(message)
        return message
