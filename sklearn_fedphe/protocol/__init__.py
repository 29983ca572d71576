"""Who says what to whom: messages, parties, the ring, and the objective it yields."""

from .coordinates import moments
from .disclosure import DisclosureRules
from .envelope import RefusedMessageError
from .messages import KEY_HOLDER, Message
from .objective import FederatedLeastSquares
from .own_sum import OwnSum
from .ring import RingSum, form_ring, observe
from .roster import MIN_CLIENTS, Roster

__all__ = [
    "KEY_HOLDER",
    "MIN_CLIENTS",
    "DisclosureRules",
    "FederatedLeastSquares",
    "Message",
    "OwnSum",
    "RefusedMessageError",
    "RingSum",
    "Roster",
    "form_ring",
    "moments",
    "observe",
]
