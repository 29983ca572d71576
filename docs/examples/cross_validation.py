"""
Folds in a federation
=====================

Which rows to leave out is a question of what the score is to say. Grunfeld's eleven firms are
the clients here: each has its investment of the years 1935 to 1954, its value on the market and
its stock of plant. A firm's books stay with the firm.

Three ways to cut folds, all by scikit-learn's own splitters. In each, ``clients`` goes to the
fit: it is not ``groups``, which is for the splitter.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import sklearn
import statsmodels.api as sm
from sklearn.model_selection import (
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline

from sklearn_fedphe import FederatedLinearRegression, FederatedStandardScaler

data = sm.datasets.grunfeld.load_pandas().data
X, y = np.log(data[["value", "capital"]]), np.log(data["invest"])
firms, years = data["firm"].to_numpy(dtype=str), data["year"].to_numpy()

# %%
# A pipeline whose two steps are both federated. Without metadata routing a pipeline wants the
# step's name before the argument's; with it, plain ``clients`` goes to both.

pipe = make_pipeline(
    FederatedStandardScaler(key_length=2048), FederatedLinearRegression(key_length=2048)
)
who = {"federatedstandardscaler__clients": firms, "federatedlinearregression__clients": firms}

# %%
# **Folds within every firm**: each firm stays in training, with four fifths of its years. The
# score is about other years of the same firms.

within = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, firms))

# %%
# **Years kept together**: the rows of one year share its economy, so that a year in training gives
# away something of the same year at another firm. Here, too, each firm stays.
# Where rows are visits and clients are hospitals, ``groups`` would be patients.

splitter = StratifiedGroupKFold(5, shuffle=True, random_state=0)
by_year = list(splitter.split(X, firms, groups=years))

# %%
# **One firm left out**: the score is about a firm that never took part. Ten are left to train. The
# firms' labels are passed twice, to the splitter as ``groups`` and to the fit as ``clients``.
# Whoever hears the totals of all these fits can subtract them, and learns every firm's.


by_firm = {"cv": LeaveOneGroupOut(), "groups": firms}


def errors(**folds):
    return -cross_val_score(pipe, X, y, params=who, scoring="neg_root_mean_squared_error", **folds)


found = {
    "within firms": errors(cv=within),
    "years together": errors(cv=by_year),
    "a firm left out": errors(**by_firm),
}
for folds, each in found.items():
    print(f"{folds:>15}: {each.mean():.2f} on average, {each.max():.2f} at worst")

# %%
# The averages are close, and the spread is not. For one firm the model of the ten others is off by
# a factor of three (the errors are of logarithms), and only the last way of cutting shows that
# there is such a firm.

figure, axes = plt.subplots(figsize=(6.4, 3.2), layout="constrained")
for i, each in enumerate(found.values()):
    axes.plot(each, np.full(len(each), i), "o", alpha=0.6)
    axes.plot(each.mean(), i, "k|", markersize=24)
axes.set(
    xlabel="Error of each fold, and their mean (root mean square, of log investment)",
    yticks=range(len(found)),
    yticklabels=found,
    ylim=(len(found) - 0.5, -0.5),
)
plt.show()

# %%
# With metadata routing, labels for the splitter and for the fit go in one place, and a pipeline
# needs no prefix:

with sklearn.config_context(enable_metadata_routing=True):
    routed = cross_val_score(
        pipe,
        X,
        y,
        params={"clients": firms, "groups": firms},
        cv=LeaveOneGroupOut(),
        scoring="neg_root_mean_squared_error",
    )
print("the same scores:", np.allclose(-routed, found["a firm left out"]))
