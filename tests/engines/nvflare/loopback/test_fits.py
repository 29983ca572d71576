"""The guide's afternoon, and fits over the machines that it prepares."""

import numpy as np

from sklearn_fedphe import FederatedLinearRegression


def test_the_guides_own_fit_prints_its_summary(running, shards):
    printed = running.run("python fit.py")

    local = FederatedLinearRegression(solver="normal_equations").fit(shards)
    values = [line.split()[1:3] for line in str(local.summary()).splitlines() if "[" in line]
    found = [line.split()[1:3] for line in printed.splitlines() if "[" in line]
    assert found == values


def test_the_reference_study_is_the_local_one_to_the_last_bit(running, shards):
    study = {
        "learning_rate": 1.3,
        "max_iter": 50,
        "tol": None,
        "init": "local",
        "precondition": False,
    }
    est = FederatedLinearRegression(**study).fit(running.federation())
    local = FederatedLinearRegression(**study).fit(shards)

    np.testing.assert_array_equal(est.coef_, local.coef_)
    assert est.intercept_ == local.intercept_
    assert est.n_rounds_ == local.n_rounds_ == 52
