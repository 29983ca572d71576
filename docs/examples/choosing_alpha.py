"""
Choosing a penalty
==================

Three practices have 20 patients each: few, for ten features. A Ridge penalty should help, and
the question is how much of it. A grid search asks by cross-validation, over all practices
together.
"""

# %%
# The other patients of the diabetes data, whom no practice has, will tell how well it chose.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_fedphe import FederatedLinearRegression

X, y = load_diabetes(return_X_y=True)
order = np.random.default_rng(0).permutation(len(y))
mine, others = order[:60], order[60:]
practices = np.repeat(["north", "east", "south"], 20)

# %%
# Each fold takes four patients of every practice. ``clients`` is all the fit needs to be told;
# with the conjugate gradients each of the 41 fits takes a dozen rounds or fewer.

folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X[mine], practices))
search = GridSearchCV(
    FederatedLinearRegression(solver="conjugate_gradient", key_length=2048),
    {"alpha": np.logspace(-3, 0, 8)},
    scoring="neg_mean_squared_error",
    cv=folds,
)
search.fit(X[mine], y[mine], clients=practices)
print(f"alpha = {search.best_params_['alpha']:.3f}")

# %%
# Searching over the penalty on one set of rows gives nothing away that one fit would not: the
# totals from which one fit follows are those from which all follow. Folds do: each is a fit over
# other rows (:doc:`/security`).

alphas = search.cv_results_["param_alpha"].data.astype(float)
by_folds = -search.cv_results_["mean_test_score"]
of_others = [
    mean_squared_error(
        y[others],
        FederatedLinearRegression(alpha=alpha, solver="conjugate_gradient", key_length=2048)
        .fit(X[mine], y[mine], clients=practices)
        .predict(X[others]),
    )
    for alpha in alphas
]

figure, axes = plt.subplots(layout="constrained")
axes.semilogx(alphas, by_folds, "o-", label="by cross-validation")
axes.semilogx(alphas, of_others, "s-", label="of the 382 other patients")
axes.axvline(search.best_params_["alpha"], color="k", linestyle=":", label="chosen")
axes.set(xlabel="alpha", ylabel="Mean squared error")
axes.legend()
plt.show()

# %%
# No penalty, for comparison:

plain = FederatedLinearRegression(key_length=2048).fit(X[mine], y[mine], clients=practices)
for title, model in [("without", plain), ("with", search)]:
    error = mean_squared_error(y[others], model.predict(X[others]))
    print(f"mean squared error of the others, {title} a penalty: {error:.0f}")
