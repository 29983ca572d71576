"""
Standard errors
===============

``solver="normal_equations"`` ends where a statistician begins: with standard errors, tests and
intervals. 20,190 people-years of the RAND health insurance experiment stand for the books of
three insurers. What makes people see a doctor?
"""

# %%
# The insurers, thirds of the table, are made up; the rest is not. Twenty thousand rows cost hardly
# more than two hundred: the products of nine features travel, not the rows.

import matplotlib.pyplot as plt
import numpy as np
import statsmodels.api as sm

from sklearn_fedphe import FederatedLinearRegression

data = sm.datasets.randhie.load_pandas().data
X, y = data.drop(columns="mdvis"), data["mdvis"]
insurers = np.repeat(["A", "B", "C"], len(y) // 3)

est = FederatedLinearRegression(solver="normal_equations", key_length=2048)
est.fit(X, y, clients=insurers)
est.summary()

# %%
# statsmodels on the pooled rows finds the same.

pooled = sm.OLS(y, sm.add_constant(X, prepend=False)).fit()
table = est.summary().to_frame()
print("coefficients  ", np.allclose(table["coef"], pooled.params, rtol=1e-9))
print("standard errors", np.allclose(table["std err"], pooled.bse, rtol=1e-9))
print("intervals      ", np.allclose(table[["2.5 %", "97.5 %"]], pooled.conf_int(), rtol=1e-9))

# %%
# What the federation adds is narrower intervals. Here they are for five of the nine features,
# beside those that each insurer would have found alone. ``lncoins`` is the logarithm of the share
# that people pay themselves (in percent, and one more), ``idp`` a deductible for each person,
# ``physlm`` a limit to what one can do, ``hlthf`` and ``hlthp`` fair and poor health.

shown = ["lncoins", "idp", "physlm", "hlthf", "hlthp"]
figure, axes = plt.subplots(layout="constrained")
alone = {
    f"insurer {name}": sm.OLS(y[own], sm.add_constant(X[own], prepend=False)).fit().conf_int()
    for name in np.unique(insurers)
    for own in [insurers == name]
}
together = {"together": table[["2.5 %", "97.5 %"]]}
for i, (name, intervals) in enumerate((alone | together).items()):
    low, high = intervals.loc[shown].to_numpy().T
    at = np.arange(len(shown)) + 0.15 * (i - 1.5)
    style = {"color": "k", "linewidth": 3} if name == "together" else {"color": f"C{i}"}
    axes.hlines(at, low, high, label=name, **style)
axes.axvline(0, color="grey", linestyle=":")
axes.set(xlabel="Visits a year, 95% interval", yticks=range(len(shown)), yticklabels=shown)
axes.invert_yaxis()
axes.legend()
plt.show()

# %%
# Two cautions. The thirds of the table are not alike: insurer B finds far more visits with poor
# health than the others do, and one common model says nothing of that. And classical standard
# errors assume errors of one variance that do not depend on each other. Counts of visits, of the
# same people in several years, are neither: the intervals are what least squares gives, and likely
# too narrow.
