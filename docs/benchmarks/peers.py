"""One secure sum as other libraries make it, each used as its own documentation does.

A peer has `round`, which encrypts every vector, adds the ciphertexts and decrypts the total,
and `bytes_a_hop`, the length of what one party would send to the next. Messages are not
serialised within a round, which favours the peers: our ring does so at every hop.
"""

import os
from contextlib import contextmanager

import numpy as np
import phe

HEU_SCALE = 10**12


@contextmanager
def stdout_kept_clean():
    """Send to stderr what C++ prints within the block: stdout may be JSON."""
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class Phe:
    """phe's tutorial: one ciphertext a number, hidden by ``r**n``."""

    def __init__(self, key_length, n_numbers):
        self._public, self._private = phe.generate_paillier_keypair(n_length=key_length)
        self.bytes_a_hop = n_numbers * 2 * key_length // 8

    def round(self, vectors):
        totals = [self._public.encrypt(float(value)) for value in vectors[0]]
        for vector in vectors[1:]:
            own = (self._public.encrypt(float(value)) for value in vector)
            totals = [total + value for total, value in zip(totals, own, strict=True)]
        return np.array([self._private.decrypt(total) for total in totals])


class HeuVectorised:
    """SecretFlow HEU's ZPaillier over arrays: one ciphertext a number, in C++."""

    def __init__(self, key_length, n_numbers):
        from heu import numpy as heu_numpy
        from heu import phe as heu_phe

        with stdout_kept_clean():
            self._kit = heu_numpy.setup(heu_phe.SchemaType.ZPaillier, key_length)
            self._encoder = self._make_encoder(heu_phe, n_numbers)
            example = self._encrypt(np.ones(n_numbers))
        self.bytes_a_hop = len(example.serialize())

    def _make_encoder(self, heu_phe, n_numbers):  # noqa: ARG002 (the other encoder packs)
        return heu_phe.FloatEncoder(heu_phe.SchemaType.ZPaillier, HEU_SCALE)

    def _encrypt(self, vector):
        return self._kit.encryptor().encrypt(self._kit.array(vector, self._encoder))

    def _decrypt(self, total):
        return self._kit.decryptor().decrypt(total).to_numpy(self._encoder)

    def round(self, vectors):
        total = self._encrypt(vectors[0])
        for vector in vectors[1:]:
            total = self._kit.evaluator().add(total, self._encrypt(vector))
        return self._decrypt(total)


class HeuPacked(HeuVectorised):
    """HEU's ZPaillier under our packing: what its C++ would do in place of our crypto."""

    def __init__(self, key_length, n_numbers, n_clients):
        from sklearn_fedphe.protocol.queries import Slots

        self._layout = Slots.STANDARD.layout(key_length - 2, n_clients)
        self._n_clients, self._size = n_clients, n_numbers
        super().__init__(key_length, n_numbers)

    def _make_encoder(self, heu_phe, n_numbers):  # noqa: ARG002
        return heu_phe.BigintEncoder(heu_phe.SchemaType.ZPaillier)

    def _encrypt(self, vector):
        integers = [int(integer) for integer in self._layout.encode(vector).integers]
        return super()._encrypt(integers)

    def _decrypt(self, total):
        from gmpy2 import mpz

        from sklearn_fedphe.crypto.encoded_vector import EncodedVector

        integers = tuple(map(mpz, np.ravel(super()._decrypt(total)).tolist()))
        encoded = EncodedVector(self._layout, self._size, integers, self._n_clients)
        return self._layout.decode(encoded)


class Ckks:
    """TenSEAL's CKKS: approximate arithmetic on lattices, thousands of numbers a ciphertext.

    Its totals are approximate, and publishing them endangers the key (Li and Micciancio,
    "On the security of homomorphic encryption on approximate numbers", EUROCRYPT 2021).
    """

    def __init__(self, degree, n_numbers):
        import tenseal

        sizes, scale = {4096: ([60, 49], 2.0**45), 8192: ([60, 40, 40, 60], 2.0**40)}[degree]
        self._vector = tenseal.ckks_vector
        self._context = tenseal.context(
            tenseal.SCHEME_TYPE.CKKS, degree, coeff_mod_bit_sizes=sizes, n_threads=1
        )
        self._context.global_scale = scale
        self.bytes_a_hop = len(self._vector(self._context, np.ones(n_numbers)).serialize())

    def round(self, vectors):
        total = self._vector(self._context, vectors[0])
        for vector in vectors[1:]:
            total = total + self._vector(self._context, vector)
        return np.array(total.decrypt())
