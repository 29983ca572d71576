"""One round of the ring against phe, HEU and TenSEAL, in one process and one thread.

One round: every client encrypts a vector of float64, the ciphertexts are added round the
ring, the total is decrypted. All are timed in turn; the figure is the median of the ratios
to neighbouring runs of phe used as its own tutorial does. Peers that are not installed are
left out: ``pip install ".[bench]"``.

Run it with ``python docs/benchmarks/one_round.py``; ``--json`` prints JSON, ``--cases 2``
leaves out the largest, for which phe takes minutes.
"""

import statistics
from importlib.util import find_spec

import numpy as np
import peers
from measuring import interleaved, median_ratio, parse_options, show

from sklearn_fedphe.crypto.key_generation import generate_private_key
from sklearn_fedphe.crypto.masking import IdentityKey
from sklearn_fedphe.least_squares import Frame, LeastSquares
from sklearn_fedphe.protocol import Client, KeyHolder, RingSum, Roster
from sklearn_fedphe.protocol.queries import GradientQuery, Slots

CASES = ((3, 11, 9), (3, 100, 5), (10, 1000, 1))  # clients, numbers, repetitions


class Answer(LeastSquares):
    """Rows whose gradient is known already: the peers are handed their vectors too."""

    def __init__(self, vector):
        super().__init__(vector[np.newaxis], np.zeros(1))
        self._vector = vector

    def gradient(self, point, frame):  # noqa: ARG002 (the same at every point)
        return self._vector


class Ring:
    """Our own, with its messages: queries, running sums and totals as bytes."""

    def __init__(self, key_length, vectors):
        n_clients, n_numbers = vectors.shape
        private_key = generate_private_key(key_length)
        self._public_key = private_key.public_key
        keys = [IdentityKey() for _ in vectors]
        identities = {i: key.identity for i, key in enumerate(keys)}
        roster = Roster(bytes(16), self._public_key.fingerprint, n_numbers, identities)
        clients = [
            Client(i, Answer(vector), self._public_key, roster, keys[i])
            for i, vector in enumerate(vectors)
        ]
        frame = Frame(np.zeros(n_numbers), np.ones(n_numbers), 0.0, 1.0, 1.0)
        self._query = GradientQuery(np.zeros(n_numbers), frame, Slots.STANDARD)
        self._ring = RingSum(clients, KeyHolder(private_key, roster))
        self._ring.sum(self._query)  # builds the table of hiding factors, once a key
        layout = Slots.STANDARD.layout(self._public_key.plaintext_bits, n_clients)
        self.n_ciphertexts = n_clients * layout.n_plaintexts(n_numbers)
        ciphertext_bytes = self._public_key.ciphertext_bytes
        self.bytes_a_hop = 46 + layout.n_plaintexts(n_numbers) * ciphertext_bytes

    def round(self):
        return self._ring.sum(self._query)

    def prepare(self):
        self._public_key.prepare(self.n_ciphertexts)


def schemes(key_length, vectors):
    """Return each scheme's round and bytes a hop, by name, those of phe first."""
    n_clients, n_numbers = vectors.shape
    theirs = {"phe": peers.Phe(key_length, n_numbers)}
    if find_spec("heu"):
        theirs["HEU ZPaillier, vectorised"] = peers.HeuVectorised(key_length, n_numbers)
        theirs["HEU ZPaillier, our packing"] = peers.HeuPacked(key_length, n_numbers, n_clients)
    if find_spec("tenseal"):
        theirs["TenSEAL CKKS 4096"] = peers.Ckks(4096, n_numbers)
        theirs["TenSEAL CKKS 8192"] = peers.Ckks(8192, n_numbers)
    rounds = {name: (lambda p=peer: p.round(vectors)) for name, peer in theirs.items()}
    return rounds, {name: peer.bytes_a_hop for name, peer in theirs.items()}


def measure(n_clients, n_numbers, repetitions, key_length):
    vectors = np.random.default_rng(0).normal(size=(n_clients, n_numbers))
    expected = vectors.sum(axis=0)
    rounds, bytes_a_hop = schemes(key_length, vectors)
    ring = Ring(key_length, vectors)
    totals = {}

    def keep(name, function):
        totals[name] = function()

    rounds["ours"] = ring.round
    bytes_a_hop["ours"] = ring.bytes_a_hop
    times = {name: [] for name in [*rounds, "ours, factors ahead"]}
    timed = {name: (lambda n=name, f=f: keep(n, f)) for name, f in rounds.items()}
    for _ in range(repetitions):
        for name, seconds in interleaved(timed, 1).items():
            times[name] += seconds
        ahead = []
        for _ in range(3):
            ring.prepare()
            ahead += interleaved({"ahead": ring.round}, 1, takes=1)["ahead"]
        times["ours, factors ahead"].append(statistics.median(ahead))
    totals["ours, factors ahead"] = totals["ours"]
    bytes_a_hop["ours, factors ahead"] = ring.bytes_a_hop
    return [
        {
            "key": key_length,
            "clients": n_clients,
            "numbers": n_numbers,
            "scheme": name,
            "ms": 1e3 * statistics.median(taken),
            "times as fast as phe": median_ratio(times["phe"], taken),
            "bytes a hop": bytes_a_hop[name],
            "worst error": float(np.abs(totals[name] - expected).max()),
        }
        for name, taken in times.items()
    ]


def main():
    options = parse_options(__doc__.splitlines()[0], key_length=[2048, 3072], cases=len(CASES))
    figures = [
        row
        for key_length in options.key_length
        for case in CASES[: options.cases]
        for row in measure(*case, key_length)
    ]
    show({"One round": figures}, options.json)


if __name__ == "__main__":
    main()
