"""The analyst's afternoon: coefficients, standard errors, tests."""

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.engines.nvflare import NVFlareFederation

federation = NVFlareFederation(
    "kits/analyst@study.org", sites=["north", "east", "south"], key_holder="trustee"
)
est = FederatedLinearRegression(solver="normal_equations").fit(federation)
print(est.summary())
