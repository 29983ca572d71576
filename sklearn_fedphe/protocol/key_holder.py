"""The party that has the private key, and no rows.

It is semi-honest, as clients are, and keeps a `Transcript` of its own as they do.
"""

from __future__ import annotations

from ..crypto.paillier import PrivateKey
from ..crypto.uncopied import Uncopied
from .envelope import RefusedMessageError, Round
from .messages import exact_total_to_bytes, running_sum_from_bytes, total_to_bytes
from .queries import ExactQuery, GramQuery, Query, SquaresQuery, SumsQuery, answer_size
from .query_bytes import query_to_bytes
from .roster import Roster
from .transcript import Transcript


class KeyHolder(Uncopied):
    """It alone can decrypt, and it opens totals only.

    Parameters
    ----------
    private_key : PrivateKey
        Made by it, and never given away.
    roster : Roster
        Who takes part; all of them must have entered a total.
    n_jobs : int or None, default=None
        Threads that decrypt, as scikit-learn means it.

    Raises
    ------
    ValueError
        If the key is not the one on the roster.
    """

    why = "the key would leave its holder. Hand on its roster."

    def __init__(
        self,
        private_key: PrivateKey,
        roster: Roster,
        n_jobs: int | None = None,
    ) -> None:
        roster.check_key(private_key.public_key.fingerprint)
        self.roster = roster
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
        self._asked, self._has_decrypted = query, False
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
            one has been decrypted in this round.
        ValueError
            If what it decrypts to is no sum of the clients' vectors: masks of one left out,
            or of one that was asked something else, do not cancel. Or if the sum is over
            fewer rows than the model has parameters. The round then has no total.
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
        if self._has_decrypted:
            raise RefusedMessageError(
                f"The key holder has decrypted a running sum of round {of_round.number} before, "
                "and opens one a round; the fit ends here, begin a new one."
            )
        self._has_decrypted = True
        decrypted = self._private_key.decrypt(encrypted, self._n_jobs)
        if isinstance(asked, ExactQuery):
            integers = layout.decode_integers(decrypted)
            if isinstance(asked, GramQuery):
                self.roster.rules.check_federation(integers[0])
            message = exact_total_to_bytes(integers, layout.slot_bits, of_round)
        else:
            total = layout.decode(decrypted)
            if isinstance(asked, (SumsQuery, SquaresQuery)):
                self.roster.rules.check_federation(int(total[0]))
            message = total_to_bytes(total, of_round)
        self._transcript.close(message)
        return message
