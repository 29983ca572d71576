"""One round, one answer: what a party remembers of a session, so that it refuses what is amiss.

Every query carries the session, the digest of the roster, the number of its round and a
hash over all queries and totals before it. A party that was told another total, or asked
another query, is at another hash, and refuses. The digest of a query as a whole names its
round: running sums and the total carry it, and clients' masks are drawn from it.

The hash chain over what was broadcast is a running transcript hash, as TLS 1.3 has one
(RFC 8446, section 4.4.1).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from .envelope import TOTAL, QueryHeader, RefusedMessageError, Round
from .roster import Roster

Q = TypeVar("Q")

_ROUND_DOMAIN = b"sklearn_fedphe/v1/round"
_CHAIN_DOMAIN = b"sklearn_fedphe/v1/transcript"


class Transcript:
    """The rounds of a session as one party has them. Each keeps its own.

    Parameters
    ----------
    roster : Roster
        What the party agreed to.
    party : str
        Who keeps it, for errors.
    """

    def __init__(self, roster: Roster, party: str) -> None:
        self.roster = roster
        self._party = party
        self._chain = hashlib.sha256(_CHAIN_DOMAIN + roster.digest).digest()
        self._number = 0
        self._open: Round | None = None

    @property
    def round(self) -> Round:
        """The round that is open.

        Raises
        ------
        RefusedMessageError
            If none is.
        """
        if self._open is None:
            raise RefusedMessageError(
                f"{self._party} refuses a message where no round is open: it waits for the query "
                f"of round {self._number + 1}."
            )
        return self._open

    def ask(self, body: bytes) -> bytes:
        """Open the next round and return its query's message. Run by the key holder.

        Parameters
        ----------
        body : bytes
            The query.

        Returns
        -------
        bytes
            What goes to every client.

        Raises
        ------
        RefusedMessageError
            If the round before is not closed.
        """
        if self._open is not None:
            raise RefusedMessageError(
                f"{self._party} asks nothing new before the total of round {self._number} is "
                "told. If the round has failed, the fit ends here; begin a new one."
            )
        message = self._expected().seal(body)
        self._begin(message)
        return message

    def answer(self, message: bytes, read: Callable[[bytes, int], Q]) -> Q:
        """Open the round that a query asks for, once. Run by a client.

        Parameters
        ----------
        message : bytes
            From the key holder.
        read : callable
            Parses the query, and refuses it or not, given the number of the round. What is
            refused opens nothing.

        Returns
        -------
        Query
            What `read` made of it.

        Raises
        ------
        RefusedMessageError
            If it is of another session, roster or round, or builds on other totals.
        """
        header, body = QueryHeader.open(message)
        expected = self._expected()
        if header.session != expected.session:
            raise self._refusal(
                f"of session {header.session.hex()} and takes part in {expected.session.hex()}"
            )
        if header.roster != expected.roster:
            raise self._refusal(
                f"of the roster {header.roster.hex()} and agreed to {expected.roster.hex()}: "
                "somebody joined or left, or the columns or the key are others"
            )
        if self._open is not None or header.number != expected.number:
            waits = "the total" if self._open else "the query"
            number = self._number if self._open else expected.number
            raise self._refusal(
                f"for round {header.number} and waits for {waits} of round {number}; it answers "
                "each round once, in order"
            )
        if header.chain != expected.chain:
            raise self._refusal(
                f"for round {header.number} that builds on other queries or totals than it was "
                "told: the key holder must tell all clients the same"
            )
        query = read(body, header.number)
        self._begin(message)
        return query

    def close(self, total: bytes) -> None:
        """Close the open round with the total that was told. Run by every party.

        Parameters
        ----------
        total : bytes
            The total's message.

        Raises
        ------
        RefusedMessageError
            If no round is open, or the message is no total of it.
        """
        (number, digest), _ = TOTAL.open(total)
        TOTAL.check_round(number, digest, self.round)
        parts = self._chain + self.round.digest + hashlib.sha256(total).digest()
        self._chain = hashlib.sha256(_CHAIN_DOMAIN + parts).digest()
        self._open = None

    def _expected(self) -> QueryHeader:
        return QueryHeader(self.roster.session, self.roster.digest, self._number + 1, self._chain)

    def _begin(self, message: bytes) -> None:
        self._number += 1
        digest = hashlib.sha256(_ROUND_DOMAIN + message).digest()
        self._open = Round(self.roster.session, self._number, digest)

    def _refusal(self, what: str) -> RefusedMessageError:
        return RefusedMessageError(
            f"{self._party} refuses a query {what}. The fit ends here; begin a new one."
        )
