"""Who says what to whom: messages, parties, the ring, and the objective it yields."""

from .coordinates import moments
from .disclosure import DisclosureRules
from .messages import KEY_HOLDER, Message
from .objective import FederatedLeastSquares
from .own_sum import OwnSum
from .parties import MIN_CLIENTS
from .ring import RingSum, form_ring, observe

__all__ = [
    "KEY_HOLDER",
    "MIN_CLIENTS",
    "DisclosureRules",
    "FederatedLeastSquares",
    "Message",
    "OwnSum",
    "RingSum",
    "form_ring",
    "moments",
    "observe",
]
