"""What the arithmetic alone would cost: GMP's own time for the operations that must be made.

Of an encryption, the multiplications of the walk over the table of hiding factors and the one
that hides the plaintext; of a decryption, two modular powers.
"""

import gmpy2

from sklearn_fedphe.crypto.obfuscation import COLUMNS


def encryptions(public_key, count):
    """Make the modular multiplications of so many encryptions, and nothing else."""
    obfuscator = public_key._obfuscator
    n_squared, rows = public_key.n_squared, obfuscator._rows
    product, entry = n_squared // 3, obfuscator._table[0][0][-1]
    for _ in range(count):
        for _ in range(rows):
            product * product % n_squared
        for _ in range(rows * COLUMNS):
            product * entry % n_squared
        product * product % n_squared  # by the factor's other half
        product * product % n_squared  # by the plaintext


def decryptions(private_key, count):
    """Make the modular powers of so many decryptions, and nothing else."""
    key = private_key._key
    ciphertext = private_key.public_key.n_squared // 3
    for _ in range(count):
        gmpy2.powmod(ciphertext, key.p - 1, key.psquare)
        gmpy2.powmod(ciphertext, key.q - 1, key.qsquare)
