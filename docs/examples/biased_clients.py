"""
Clients that differ
===================

Federated clients seldom hold samples of one population. Fisher's irises make the point: let
each species grow in a garden of its own, 50 flowers in each, and let the gardens learn the
width of a sepal from its length. No garden has seen the others' flowers.
"""

# %%
# Alone, each garden finds that longer sepals are wider. Together they find the opposite.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression

from sklearn_fedphe import FederatedLinearRegression, split_shards

iris = load_iris()
X, y = iris.data[:, [0]], iris.data[:, 1]
gardens = iris.target_names[iris.target]
shards = split_shards(X, y, gardens)

alone = {garden: LinearRegression().fit(*shard) for garden, shard in shards.items()}
together = FederatedLinearRegression(key_length=2048).fit(shards)
for garden, model in alone.items():
    print(f"{garden:>12}: {model.coef_[0]:+.2f} cm of width to a cm of length")
print(f"{'together':>12}: {together.coef_[0]:+.2f}")

# %%
# The federation is not at fault: the pooled flowers say the same, but for rounding. What differs
# is the question. Over all flowers, species with long sepals have narrow ones (Simpson's paradox).

pooled = LinearRegression().fit(X, y)
print(f"differs from the pooled fit by {abs(together.coef_ - pooled.coef_)[0]:.0e}")

figure, axes = plt.subplots(layout="constrained")
for i, (garden, (X_own, y_own)) in enumerate(shards.items()):
    axes.plot(X_own, y_own, ".", color=f"C{i}", alpha=0.4)
    ends = np.array([[X_own.min()], [X_own.max()]])
    axes.plot(ends, alone[garden].predict(ends), color=f"C{i}", label=f"{garden}, alone")
ends = np.array([[X.min()], [X.max()]])
axes.plot(ends, together.predict(ends), "k--", label="federated, and pooled")
axes.set(xlabel="Sepal length (cm)", ylabel="Sepal width (cm)")
axes.legend()
plt.show()

# %%
# To ask for the slope *within* gardens, give each a level of its own: a column of zeros and ones
# for all gardens but one. Each garden can fill these in by itself.
#
# Mind what it reveals. A column in which one client alone has ones makes totals over that column
# this client's own: its number of rows, and its sums. That is the price of a level for each.

indicators = (gardens[:, np.newaxis] == iris.target_names[1:]).astype(float)
within = FederatedLinearRegression(key_length=2048).fit(
    np.hstack([X, indicators]), y, clients=gardens
)
print(f"within gardens: {within.coef_[0]:+.2f} cm of width to a cm of length")
