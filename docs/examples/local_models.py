"""
What each client gains
======================

Would a client be better off alone? Three growers of one region have 48 to 71 wines each, and each
makes a type of its own (scikit-learn's wines). They want to know a wine's flavanoids from its
other twelve measurements.
"""

# %%
# Three tenths of each grower's wines are kept to test on.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

from sklearn_fedphe import FederatedLinearRegression, evaluate, own_scores, split_shards
from sklearn_fedphe.displays import FederationDisplay

wine = load_wine(as_frame=True)
X, y = wine.data.drop(columns="flavanoids"), wine.data["flavanoids"]
growers = np.array(["Barolo", "Grignolino", "Barbera"])[wine.target]
X, X_test, y, y_test, growers, growers_test = train_test_split(
    X, y, growers, test_size=0.3, stratify=growers, random_state=0
)
shards = split_shards(X, y, growers)
test_shards = split_shards(X_test, y_test, growers_test)
est = FederatedLinearRegression(key_length=2048).fit(shards)

# %%
# On the test wines of all growers, no grower's own model comes near to the federated one. Who
# draws this holds all rows in the clear.

FederationDisplay.from_estimator(est, X_test, y_test, shards=shards)
plt.show()

# %%
# A federation need not pool its test rows. :func:`~sklearn_fedphe.evaluate` tells everyone the
# error over all of them, by two secure sums; with :func:`~sklearn_fedphe.own_scores` each finds,
# and keeps to itself, how the common model does at home. Beside that, the model it would have
# fitted alone:

everyone = evaluate(est, test_shards, key_length=2048)
print(f"all together: {everyone.mean_squared_error:.3f}, R^2 {everyone.r2:.2f}")
for grower, scores in own_scores(est, test_shards).items():
    alone = own_scores(LinearRegression().fit(*shards[grower]), {grower: test_shards[grower]})
    print(
        f"{grower:>12}: {scores.mean_squared_error:.3f} with the common model, "
        f"{alone[grower].mean_squared_error:.3f} with its own"
    )

# %%
# So the answer depends on what a grower wants. For its own type, its own model is the better
# one, at all three. On the wines of all three it is much the worse one.
