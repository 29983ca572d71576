"""
Three hospitals
===============

The reference study. Three hospitals hold 130 patients of the diabetes data each; 50 other
patients are there to test on. The target is how far the disease has progressed a
year later.

Each hospital first takes 50 steps of gradient descent on its own patients. Then all three take
50 common steps, each from where it had come to. A common step needs the sum of three
gradients, and nobody sees any of the three: they are encrypted, added round the ring, and the
total alone is decrypted.
"""

# %%
# ``python -m sklearn_fedphe`` runs this with keys of 3072 bits. The models do not depend on the
# length of the key.

import matplotlib.pyplot as plt

from sklearn_fedphe.study import HOSPITALS, run_study

study = run_study(max_iter=50, key_length=2048)

for name, alone, together in zip(HOSPITALS, *study.error_by_round[[0, -1]], strict=True):
    print(f"{name}: mean squared error {alone:.2f} alone, {together:.2f} after 50 common steps")

# %%
# At every hospital the test error falls below that of the model trained alone. The three do not
# meet: each hospital keeps a model of its own, since each started at a place of its own.

figure, axes = plt.subplots(layout="constrained")
for name, errors in zip(HOSPITALS, study.error_by_round.T, strict=True):
    (line,) = axes.plot(errors, label=name)
    axes.axhline(errors[0], color=line.get_color(), linestyle=":")
axes.plot([], color="grey", linestyle=":", label="alone")
axes.set(xlabel="Common steps", ylabel="Mean squared error, test patients")
axes.legend(ncols=2)
plt.show()

# %%
# These models were stopped early. ``FederatedLinearRegression()`` goes on to the least squares
# solution, which is that of ``LinearRegression`` on the pooled patients. On these 50 patients it
# is the worse one, as the pooled one is: stopping early acts as a penalty does.

print(f"FederatedLinearRegression()  {study.error_default:.2f}")
print(f"LinearRegression(), pooled   {study.error_pooled:.2f}")

# %%
# What it takes. Seconds are those of all parties one after the other, on one machine.

for title, traffic in [
    ("50 common steps", study.traffic),
    ("to the solution", study.traffic_default),
]:
    print(f"{title}: {traffic.rounds} secure sums, {traffic.seconds:.1f} s")
