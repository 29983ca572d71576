"""
What encryption costs
=====================

Cost grows with features, clients and the key, and hardly with rows, up to a million of them. Here
are ciphertexts, bytes and seconds as features and key length grow, on the 1797 images of
scikit-learn's digits: pixels of an image are the features, and three clients hold a third of the
images each.

:doc:`/benchmarks` has careful measurements; these seconds are of the machine that made the page.
"""

# %%
# :func:`~sklearn_fedphe.protocol.observe` shows every message. What clients send are the running
# sums; a ciphertext takes twice the key's length.

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.protocol import observe

X, y = load_digits(return_X_y=True)
X = X[:, X.std(axis=0) > 1]  # some pixels are hardly ever inked


def cost(n_features, **parameters):
    """Fit three times; return secure sums, ciphertexts and kB sent, seconds of the fastest."""
    est = FederatedLinearRegression(**parameters)
    seconds = []
    for _ in range(3):  # finding a key takes now longer, now less
        messages = []
        start = time.perf_counter()
        with observe(messages.append):
            est.fit(X[:, :n_features], y)
        seconds.append(time.perf_counter() - start)
    sent = [len(m.payload) for m in messages if m.kind == "running sum"]
    n_ciphertexts = sum(size // (est.key_length // 4) for size in sent)
    return est.n_rounds_, n_ciphertexts, sum(sent) / 1e3, min(seconds)


# %%
# Ten steps of gradient descent, and the two sums before them, against the exact solver's single
# round. (Ten steps show the cost of a round; on these images they do not reach the optimum.) A
# ciphertext has room for dozens of a gradient's numbers, so that more features add little. The
# exact solver sends the products of all pairs of columns.

features = [5, 10, 20, 40]
ways = [
    (f"{solver}, {key_length} bits", {"solver": solver, "key_length": key_length, **more})
    for solver, more in [
        ("gradient_descent", {"max_iter": 10, "tol": None}),
        ("normal_equations", {}),
    ]
    for key_length in (2048, 3072)
]
found = {name: np.array([cost(n, **way) for n in features]) for name, way in ways}

print(f"{'':>28} features  sums  ciphertexts    kB  seconds")
for name, rows in found.items():
    for n, (sums, ciphertexts, kilobytes, seconds) in zip(features, rows, strict=True):
        print(f"{name:>28} {n:8} {sums:5.0f} {ciphertexts:12.0f} {kilobytes:5.0f} {seconds:8.2f}")

# %%
# In bytes, the exact solver is the cheaper one at five features and much the dearer one at forty.
# A longer key makes ciphertexts longer and work on them slower; each then holds more numbers, so
# that where many travel the bytes stay about the same.

figure, (by_bytes, by_time) = plt.subplots(ncols=2, figsize=(8, 4), layout="constrained")
for i, (name, rows) in enumerate(found.items()):
    style = {"color": f"C{i // 2}", "linestyle": "-" if i % 2 else "--", "marker": "o"}
    by_bytes.plot(features, rows[:, 2], label=name, **style)
    by_time.plot(features, rows[:, 3], **style)
for axes, label in [(by_bytes, "kB sent by all clients"), (by_time, "Seconds, all parties")]:
    axes.set(xlabel="Features", ylabel=label, xticks=features, ylim=0)
figure.legend(loc="outside upper center", ncols=2)
plt.show()
