"""The key holder and other clients put together what they have, to read one hospital's gradient.

The coalition holds the private key, every hop, and the identity keys of the clients in it. It is
played against the ring as it is, and against one whose clients do not mask.
"""

import hashlib

import gmpy2
import numpy as np
import pytest
from scipy.stats import kstest

from sklearn_fedphe.crypto.encoded_vector import EncodedVector
from sklearn_fedphe.crypto.masking import IdentityKey, PairwiseMasks
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import form_ring, observe, ring
from sklearn_fedphe.protocol.envelope import RUNNING_SUM, Round
from sklearn_fedphe.protocol.messages import running_sum_from_bytes
from sklearn_fedphe.protocol.queries import GradientQuery, Slots

N_FEATURES = 200
LABELS = ["A", "B", "C", "D"]


@pytest.fixture
def key(short_key, monkeypatch):
    monkeypatch.setattr(ring, "generate_private_key", lambda _: short_key)
    return short_key


@pytest.fixture
def without_masks(monkeypatch):
    monkeypatch.setattr(PairwiseMasks, "mask", lambda _self, encoded, *_: encoded)


@pytest.fixture
def identity_keys(monkeypatch):
    """Of all clients, in the order of the ring; the coalition uses those of its own."""
    made = []

    def make():
        made.append(IdentityKey())
        return made[-1]

    monkeypatch.setattr(ring, "IdentityKey", make)
    return made


def hospital(scale):
    generator = np.random.default_rng(0)
    return LeastSquares(
        scale * generator.normal(size=(9, N_FEATURES)), scale * generator.normal(size=9)
    )


class Federation:
    """A ring whose messages are kept, for one vector: the gradient at a point."""

    def __init__(self, scales=(1.0, 2.0, 3.0, 4.0)):
        self.rows = {label: hospital(s) for label, s in zip(LABELS, scales, strict=True)}
        frame = Frame(np.zeros(N_FEATURES), np.ones(N_FEATURES), 0.0, 1.0, 100.0)
        self.query = GradientQuery(np.full(N_FEATURES + 1, 0.01), frame, Slots.LONG)
        self.messages = []
        with observe(self.messages.append):
            self.ring = form_ring(self.rows, 1024)

    def gradients(self, labels):
        return sum(
            self.rows[label].gradient(self.query.point, self.query.frame) for label in labels
        )

    def run(self, key):
        """One round; return what each hop decrypts to, and the round."""
        self.messages.clear()
        self.total = self.ring.sum(self.query)
        layout = self.layout = Slots.LONG.layout(key.public_key.plaintext_bits, len(LABELS))
        hops = []
        for message in self.messages:
            if message.kind == "running sum":
                (number, digest, size, _), _ = RUNNING_SUM.open(message.payload)
                session = self.ring.key_holder.roster.session
                of_round = Round(session, number, digest)
                hop = running_sum_from_bytes(
                    message.payload, key.public_key, layout, size, of_round
                )
                hops.append(key.decrypt(hop).integers)
        return hops, of_round

    def decode(self, integers, n):
        signed = tuple(i - n if i > n // 2 else i for i in (i % n for i in integers))
        return self.layout.decode(EncodedVector(self.layout, N_FEATURES + 1, signed, 1))


def without_masks_of(coalition, vector, owner, federation, of_round, identity_keys, n):
    """Take away all masks that the coalition's clients share with `owner`, as they can."""
    roster = federation.ring.key_holder.roster
    stripped = list(vector)
    for label in coalition:
        position = LABELS.index(label)
        secret = identity_keys[position].secret_with(roster.identities[owner], roster.digest)
        sign = 1 if LABELS.index(owner) < position else -1
        for index in range(len(stripped)):
            data = b"sklearn_fedphe/v1/mask" + secret + of_round.mask_id
            stream = hashlib.shake_256(data + index.to_bytes(4, "big"))
            mask = int.from_bytes(stream.digest((n.bit_length() + 128 + 7) // 8), "big")
            stripped[index] = (stripped[index] - sign * mask) % n
    return stripped


@pytest.mark.usefixtures("without_masks")
def test_without_masks_the_key_holder_reads_a_hospital_from_its_hop(key):
    federation = Federation()
    hops, _ = federation.run(key)

    first = federation.decode(hops[0], key.public_key.n)
    third = federation.decode(
        [after - before for before, after in zip(hops[1], hops[2], strict=True)], key.public_key.n
    )

    for label, recovered in (("A", first), ("C", third)):
        np.testing.assert_allclose(recovered, federation.gradients(label), atol=1e-15)


@pytest.mark.parametrize("coalition", ["", "C", "D", "CD"])
def test_with_masks_a_coalition_of_all_but_two_reads_nothing_of_one(key, identity_keys, coalition):
    federation, n = Federation(), key.public_key.n
    hops, of_round = federation.run(key)

    stripped = without_masks_of(coalition, hops[0], "A", federation, of_round, identity_keys, n)

    with pytest.raises(ValueError, match="is not a sum of encoded vectors"):
        federation.decode(stripped, n)


def test_what_a_coalition_gets_is_uniform_whatever_the_hospital_holds(key, identity_keys):
    """Kolmogorov-Smirnov for each hospital's size of data, at a false alarm rate of 1e-6."""
    n = key.public_key.n
    for scale in (0.0, 1.0, 1e6):
        federation = Federation((scale, 1.0, 1.0, 1.0))
        integers = []
        for _ in range(12):
            hops, of_round = federation.run(key)
            integers += without_masks_of(
                "CD", hops[0], "A", federation, of_round, identity_keys[-4:], n
            )
        fractions = np.array([float(gmpy2.mpfr(i) / n) for i in integers])

        assert len(fractions) == 12 * 29
        assert kstest(fractions, "uniform").pvalue > 1e-6
        # The same gradient in every round: successive values would be alike if it showed.
        assert len(set(integers)) == len(integers)


def test_a_coalition_learns_the_sum_of_the_others_and_no_mask_hides_that(key, identity_keys):
    federation, n = Federation(), key.public_key.n
    hops, of_round = federation.run(key)

    both = federation.total - federation.gradients("CD")
    np.testing.assert_allclose(both, federation.gradients("AB"), atol=1e-12)

    # Nor is one safe from all the others: they take away every mask it has.
    alone = without_masks_of("BCD", hops[0], "A", federation, of_round, identity_keys, n)
    np.testing.assert_allclose(federation.decode(alone, n), federation.gradients("A"), atol=1e-15)
