"""Encrypted fits against NIST's certified regressions: https://www.itl.nist.gov/div898/strd/lls."""

from importlib.resources import files

import numpy as np
import pytest
import statsmodels.api as sm

from sklearn_fedphe import FederatedLinearRegression

pytestmark = pytest.mark.usefixtures("known_key")

UNEVEN = {3: [0.2, 0.5], 5: [0.1, 0.25, 0.4, 0.75]}

WAMPLER_NOISE = np.array(
    [759, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 1838, -2048, 2048,
     -2048, 1838, -2048, 2048, -2048, 2523, -2048, 2048, -2048, 759]
)  # fmt: skip
WAMPLER_ERRORS = np.array(
    [2152.32624678170, 2363.55173469681, 779.343524331583,
     101.475507550350, 5.64566512170752, 0.112324854679312]
)  # fmt: skip
WAMPLER_DEVIATION = 2360.14502379268


def longley():
    data = sm.datasets.longley.load_pandas()
    X = data.exog[["GNPDEFL", "GNP", "UNEMP", "ARMED", "POP", "YEAR"]]
    certified = [
        [-3482258.63459582, 890420.383607373],
        [15.0618722713733, 84.9149257747669],
        [-0.358191792925910e-01, 0.334910077722432e-01],
        [-2.02022980381683, 0.488399681651699],
        [-1.03322686717359, 0.214274163161675],
        [-0.511041056535807e-01, 0.226073200069370],
        [1829.15146461355, 455.478499142212],
    ]
    return (
        X.to_numpy(float),
        data.endog.to_numpy(float),
        *np.transpose(certified),
        304.854073561965,
    )


def norris():
    path = files("scipy.stats").joinpath("tests/data/nist_linregress/Norris.dat")
    lines = path.read_text().splitlines()
    y, x = np.loadtxt(lines[60:96]).T
    certified = {words[0]: words[1:] for words in map(str.split, lines[30:46]) if words}
    estimates, errors = np.array([certified["B0"], certified["B1"]], dtype=float).T
    (deviation,) = (float(line.split()[-1]) for line in lines if "Standard Deviation  " in line)
    return x[:, np.newaxis], y, estimates, errors, deviation


def wampler(one_over, noise):
    powers = np.vander(np.arange(21), 6, increasing=True)
    # Whole numbers until the last step, as NIST's five decimals are exact.
    y = (powers * one_over ** np.arange(5, -1, -1)).sum(axis=1) / one_over**5
    return (
        powers[:, 1:].astype(float),
        y + noise * WAMPLER_NOISE,
        1.0 / one_over ** np.arange(6),
        noise * WAMPLER_ERRORS,
        noise * WAMPLER_DEVIATION,
    )


CERTIFIED = {
    "Longley": longley,
    "Norris": norris,
    "Wampler1": lambda: wampler(1, 0),
    "Wampler2": lambda: wampler(10, 0),
    "Wampler3": lambda: wampler(1, 1),
    "Wampler4": lambda: wampler(1, 100),
    "Wampler5": lambda: wampler(1, 10000),
}


@pytest.mark.parametrize(
    ("x", "y", "slope", "error", "deviation"),
    [
        (
            np.arange(60.0, 71),
            np.arange(130.0, 141),
            2.07438016528926,
            0.165289256198347e-01,
            3.56753034006338,
        ),
        (
            [4.0, 5.0, 6.0],
            [3.0, 4.0, 4.0],
            0.727272727272727,
            0.420827318078432e-01,
            0.369274472937998,
        ),
    ],
    ids=["NoInt1", "NoInt2"],
)
def test_reaches_the_certified_values_without_intercept(x, y, slope, error, deviation):
    rows = np.array_split(np.column_stack([x, y]), 3)
    est = FederatedLinearRegression(
        solver="normal_equations", fit_intercept=False, key_length=2048, min_rows=1
    ).fit([(row[:, :1], row[:, 1]) for row in rows])

    assert digits(est.coef_, [slope]) >= 13
    assert digits(np.sqrt(est.covariance_[0]), [error]) >= 13
    assert digits(np.sqrt(est.residual_variance_), deviation) >= 13


def fit(X, y, cuts):
    order = np.random.default_rng(0).permutation(len(y))
    parts = np.split(order, (len(y) * np.array(cuts)).astype(int))
    est = FederatedLinearRegression(solver="normal_equations", key_length=2048, min_rows=1)
    return est.fit([(X[part], y[part]) for part in parts])


def digits(found, certified):
    """NIST's log relative error, or absolute about 0, of the worst; at most 15."""
    size = np.where(np.equal(certified, 0), 1.0, np.abs(certified))
    worst = (np.abs(np.subtract(found, certified)) / size).max()
    return -np.log10(np.maximum(worst, 1e-15))


@pytest.mark.parametrize("cuts", UNEVEN.values(), ids=UNEVEN)
@pytest.mark.parametrize("data", CERTIFIED.values(), ids=CERTIFIED)
def test_reaches_the_certified_values(data, cuts):
    X, y, estimates, errors, deviation = data()

    est = fit(X, y, cuts)

    found = np.sqrt(est.covariance_.diagonal())
    assert digits([est.intercept_, *est.coef_], estimates) >= 13
    assert digits([found[-1], *found[:-1]], errors) >= 11
    assert digits(np.sqrt(est.residual_variance_), deviation) >= 13


@pytest.mark.parametrize("cuts", UNEVEN.values(), ids=UNEVEN)
def test_a_perfect_fit_leaves_exactly_nothing(cuts):
    X, y, *_ = CERTIFIED["Wampler1"]()

    est = fit(X, y, cuts)

    assert est.residual_variance_ == 0.0
    assert not est.covariance_.any()
    np.testing.assert_array_equal([est.intercept_, *est.coef_], np.ones(6))
