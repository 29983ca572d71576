"""Who says what to whom: messages, parties, the ring, and the objective it yields."""

from .client import Client
from .coordinates import moments
from .disclosure import DisclosureRules
from .envelope import RefusedMessageError
from .key_holder import KeyHolder
from .messages import KEY_HOLDER, Message
from .objective import FederatedLeastSquares
from .own_sum import OwnSum
from .private_objective import PrivateLeastSquares
from .ring import RingSum, form_ring, observe
from .roster import MIN_CLIENTS, Roster
from .sums import SecureSums
from .tracebacks import without_locals

__all__ = [
    "KEY_HOLDER",
    "MIN_CLIENTS",
    "Client",
    "DisclosureRules",
    "FederatedLeastSquares",
    "KeyHolder",
    "Message",
    "OwnSum",
    "PrivateLeastSquares",
    "RefusedMessageError",
    "RingSum",
    "Roster",
    "SecureSums",
    "form_ring",
    "moments",
    "observe",
    "without_locals",
]
