"""The party that has rows: a client, with its rows and the key holder's public key.

It is semi-honest: it follows the protocol and remembers what it saw. It keeps a `Transcript`
of its own and goes no further where another party's messages do not fit it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ..crypto.encoded_vector import EncodedVector
from ..crypto.encrypted_vector import EncryptedVector
from ..crypto.fixed_point import FixedPoint
from ..crypto.masking import IdentityKey, PairwiseMasks
from ..crypto.paillier import PublicKey
from ..crypto.uncopied import Uncopied
from ..least_squares import LeastSquares
from .answers import answer, exact_answer, private_answer, with_predictions
from .envelope import RefusedMessageError, Round
from .messages import (
    exact_total_from_bytes,
    running_sum_from_bytes,
    running_sum_to_bytes,
    total_from_bytes,
)
from .queries import ErrorsQuery, ExactQuery, GramQuery, PrivateGramQuery, Query, answer_size
from .query_bytes import query_from_bytes
from .roster import Roster
from .transcript import Transcript


class Client(Uncopied):
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
    check_query : callable, default=None
        Its own further word on a query, given its label, the query and the number of the
        round: raises a `ValueError` where it refuses.

    Raises
    ------
    ValueError
        If the client refuses by the roster's rules, has no part in what it says, or has had
        one before with the same identity.
    """

    why = "a second one would answer a round again. Hand on its label."

    def __init__(
        self,
        label: Hashable,
        rows: LeastSquares,
        public_key: PublicKey,
        roster: Roster,
        identity_key: IdentityKey,
        check_query: Callable[[str, Query, int], None] | None = None,
    ) -> None:
        roster.rules.check_client(label, rows.n_rows)
        roster.check_key(public_key.fingerprint)
        roster.check_features(label, rows.n_features)
        self.label = label
        self.public_key = public_key
        self._rows = rows
        self._roster = roster
        identities = list(roster.identities.values())
        self._masks = PairwiseMasks(identity_key, identities, roster.digest)
        self._position = identities.index(identity_key.identity)
        self._transcript = Transcript(roster, f"client {label!r}")
        self._has_added = False
        self._check_query = check_query

    @property
    def open_round(self) -> Round:
        """The round that it has been asked for, and not been told the total of.

        Raises
        ------
        RefusedMessageError
            If there is none.
        """
        return self._transcript.round

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
            If the query is not the one that this client waits for, or is not what it agreed
            to answer (`DisclosureRules`). It goes on waiting then.
        OverflowError
            If a value of the answer does not fit its slot. Nothing was sent then.
        """
        asked = self._asked = self._transcript.answer(query, self._agreed)
        self._has_added = False
        layout = asked.slots.layout(self.public_key.plaintext_bits, self._roster.n_clients)
        try:
            encoded = self._encoded(asked, layout)
        except OverflowError as error:
            problem = str(error)
        else:
            mask_id = self._transcript.round.mask_id
            return self._masks.mask(encoded, self.public_key.n, mask_id)
        # Raised out here, the error does not carry the frames that hold the values.
        raise OverflowError(f"client {self.label!r} would send {problem}; {asked.slots.remedy}.")

    def _agreed(self, body: bytes, round_number: int) -> Query:
        asked = query_from_bytes(body, self._roster.n_features)
        self._roster.rules.check_query(self.label, asked, round_number)
        if self._check_query is not None:
            self._check_query(f"client {self.label!r}", asked, round_number)
        if isinstance(asked, ErrorsQuery):
            with_predictions(self._rows)
        return asked

    def _encoded(self, asked: Query, layout: FixedPoint) -> EncodedVector:
        match asked:
            case PrivateGramQuery():
                rules = self._roster.rules
                privacy = rules.promised_privacy(self.label)
                noisy = private_answer(self._rows, privacy, fit_intercept=rules.fit_intercept)
                return layout.encode_integers(noisy)
            case GramQuery():
                return layout.encode_integers(exact_answer(asked, self._rows))
            case _:
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
            Its own answer of this round. Added once: a factor hides one message alone.

        Returns
        -------
        bytes
            The running sum for the next party.

        Raises
        ------
        RefusedMessageError
            If what came is not a running sum of the open round, which the client then goes on
            waiting for, or this client has added to it before.
        """
        of_round = self._transcript.round
        if self._has_added:
            raise RefusedMessageError(
                f"client {self.label!r} has added to round {of_round.number} before; every client "
                "adds exactly once."
            )
        total = own
        if self._position > 0 or running_sum:
            total = self._received(running_sum, own, of_round) + own
        self._has_added = True
        return running_sum_to_bytes(total, of_round)

    def _received(
        self, running_sum: bytes, own: EncryptedVector, of_round: Round
    ) -> EncryptedVector:
        received = running_sum_from_bytes(
            running_sum, self.public_key, own.layout, own.size, of_round
        )
        if received.n_terms != self._position:
            raise RefusedMessageError(
                f"client {self.label!r} comes after {self._position} others in the ring, and "
                f"{received.n_terms} have entered this running sum; each adds once, in order."
            )
        return received

    def hear(self, total: bytes) -> None:
        """Take note of the total of the open round. Run by the client; reveals nothing.

        Parameters
        ----------
        total : bytes
            From the key holder; public.

        Raises
        ------
        RefusedMessageError
            If no round is open, or it is no total of what was asked in it.
        """
        of_round, asked = self._transcript.round, self._asked
        size = answer_size(asked, self._roster.n_features)
        if isinstance(asked, ExactQuery):
            exact_total_from_bytes(total, asked.slots.slot_bits, size, of_round)
        else:
            total_from_bytes(total, size, of_round)
        self._transcript.close(total)
