"""Where bytes come in to a party, each door as it stands in the middle of a round."""

import copy
from functools import partial

import numpy as np

from sklearn_fedphe import GaussianPrivacy
from sklearn_fedphe.crypto.key_checks import received_public_key
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.masking import IdentityKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.predicted_rows import PredictedRows
from sklearn_fedphe.protocol import Client, DisclosureRules, KeyHolder, Roster
from sklearn_fedphe.protocol.queries import (
    ErrorsQuery,
    GradientQuery,
    GramQuery,
    PrivateGramQuery,
    Slots,
    SquaresQuery,
    StartQuery,
    SumsQuery,
)

KEY_LENGTH = 1024
FRAME = Frame(np.zeros(2), np.ones(2), 0.0, 1.0, 9.0)
QUERIES = {
    "sums": SumsQuery(),
    "start": StartQuery(),
    "squares": SquaresQuery(np.ones(2), 1.0),
    "gradient": GradientQuery(np.ones(3), FRAME, Slots.STANDARD),
    "errors": ErrorsQuery(1.0),
    "products": GramQuery(Slots.EXACT),
    "noisy products": PrivateGramQuery(),
}
PRIVACY = GaussianPrivacy(epsilon=1.0, delta=1e-6, bounds_X=(0.0, 20.0), bounds_y=(0.0, 9.0))


def all_doors():
    """Return, for each door, who takes a message there and a message that is taken."""
    key = generate_private_key(KEY_LENGTH)
    public_key = key.public_key
    doors = {
        "public key": (
            partial(
                received_public_key, key_length=KEY_LENGTH, fingerprint=public_key.fingerprint
            ),
            public_key.to_bytes(),
        )
    }
    for name, query in QUERIES.items():
        clients, key_holder = _parties(key, query)
        taker = clients[1]
        before = _state(taker)
        question, _ = key_holder.ask(query)
        encrypted = [public_key.encrypt(client.encode(question)) for client in clients]
        asked, asking = _state(taker), _state(key_holder)
        hops = [b""]
        for client, own in zip(clients, encrypted, strict=True):
            hops.append(client.add_to(hops[-1], own))
        total = key_holder.open_total(hops[3])
        add_to = partial(taker.add_to, own=encrypted[1])
        doors |= {
            f"query, {name}": (_as_it_was(taker, before, taker.encode), question),
            f"running sum, {name}, client": (_as_it_was(taker, asked, add_to), hops[1]),
            f"running sum, {name}, key holder": (
                _as_it_was(key_holder, asking, key_holder.open_total),
                hops[3],
            ),
            f"total, {name}": (_as_it_was(taker, asked, taker.hear), total),
        }
    return doors


def _parties(key, query):
    X, y = np.arange(18.0).reshape(9, 2), np.arange(9.0)
    rows = PredictedRows(y + 1, y) if isinstance(query, ErrorsQuery) else LeastSquares(X, y)
    keys = {label: IdentityKey() for label in "ABC"}
    identities = {label: identity_key.identity for label, identity_key in keys.items()}
    rules = DisclosureRules(privacy=PRIVACY if isinstance(query, PrivateGramQuery) else None)
    fingerprint = key.public_key.fingerprint
    roster = Roster(bytes(16), fingerprint, rows.n_features, identities, rules)
    clients = [
        Client(label, rows, key.public_key, roster, identity_key)
        for label, identity_key in keys.items()
    ]
    return clients, KeyHolder(key, roster)


def _state(party):
    return vars(party) | {"_transcript": copy.copy(party._transcript)}


def _as_it_was(party, state, take):
    """Let a party take each message as if it were the first."""

    def door(message):
        vars(party).update(state, _transcript=copy.copy(state["_transcript"]))
        return take(message)

    return door
