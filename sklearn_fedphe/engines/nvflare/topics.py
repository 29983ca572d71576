"""What parties say to each other, beyond the protocol's own messages.

All but terms begin with the session of the fit.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias


class Topic(Enum):
    """What a message is about; who sends it to whom."""

    OPEN = "open"
    """Terms of a fit. The analyst to every party; asked again until it is no longer at work."""

    ASK = "ask"
    """Number of a round, and its query. The analyst to the key holder."""

    WAIT = "wait"
    """What came of the round asked for last is wanted. The analyst to the key holder."""

    END = "end"
    """The fit is over. The analyst to every party."""

    QUERY = "query"
    """The protocol's. The key holder to every hospital."""

    SUM = "sum"
    """The protocol's running sum. A hospital to the next, the last to the key holder."""

    TOTAL = "total"
    """The protocol's. The key holder to every hospital."""

    FAILED = "failed"
    """Digest of a query, and why a hospital ends its part. To the key holder."""


AT_WORK = b"w"
"""An answer: ask again."""

READY = b"r"
"""An answer, before what was asked for."""

Send: TypeAlias = Callable[[str, Topic, bytes], bytes]
"""Sends a message to a party by name, and returns its answer.

Raises `RefusedMessageError` with the party's words where it refuses, and `NoReplyError` where
there is none.
"""


class NoReplyError(ConnectionError):
    """A party gave no answer."""
