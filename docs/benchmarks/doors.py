"""Where bytes come in to a party, each door as it stands in the middle of a round."""

import copy
from functools import partial

import numpy as np

from sklearn_fedphe.crypto.key_checks import received_public_key
from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.masking import IdentityKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import Roster
from sklearn_fedphe.protocol.messages import exact_total_from_bytes, total_from_bytes
from sklearn_fedphe.protocol.parties import Client, KeyHolder
from sklearn_fedphe.protocol.queries import GradientQuery, GramQuery, Slots, SumsQuery

KEY_LENGTH = 1024
FRAME = Frame(np.zeros(2), np.ones(2), 0.0, 1.0, 9.0)
QUERIES = {
    "sums": (SumsQuery(), partial(total_from_bytes, size=5)),
    "gradient": (
        GradientQuery(np.ones(3), FRAME, Slots.STANDARD),
        partial(total_from_bytes, size=3),
    ),
    "products": (
        GramQuery(Slots.EXACT),
        partial(exact_total_from_bytes, slot_bits=511, size=11),
    ),
}


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
    for name, (query, read_total) in QUERIES.items():
        clients, key_holder = _parties(key)
        before = copy.copy(clients[1]._transcript)
        question, of_round = key_holder.ask(query)
        encrypted = [public_key.encrypt(client.encode(question)) for client in clients]
        within = copy.copy(clients[1]._transcript), copy.copy(key_holder._transcript)
        hops = [b""]
        for client, own in zip(clients, encrypted, strict=True):
            hops.append(client.add_to(hops[-1], own))
        add_to = partial(clients[1].add_to, own=encrypted[1])
        doors |= {
            f"query, {name}": (_as_it_was(clients[1], before, clients[1].encode), question),
            f"running sum, {name}, client": (_as_it_was(clients[1], within[0], add_to), hops[1]),
            f"running sum, {name}, key holder": (
                _as_it_was(key_holder, within[1], key_holder.open_total),
                hops[3],
            ),
            f"total, {name}": (
                partial(read_total, of_round=of_round),
                key_holder.open_total(hops[3]),
            ),
        }
    return doors


def _parties(key):
    keys = {label: IdentityKey() for label in "ABC"}
    identities = {label: identity_key.identity for label, identity_key in keys.items()}
    roster = Roster(bytes(16), key.public_key.fingerprint, 2, identities)
    rows = LeastSquares(np.arange(18.0).reshape(9, 2), np.arange(9.0))
    clients = [
        Client(label, rows, key.public_key, roster, identity_key)
        for label, identity_key in keys.items()
    ]
    return clients, KeyHolder(key, roster)


def _as_it_was(party, transcript, take):
    """Let a party take each message as if it were the first."""

    def door(message):
        party._transcript = copy.copy(transcript)
        party._has_added = False
        return take(message)

    return door
