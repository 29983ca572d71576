"""Error of private fits by epsilon, against diffprivlib's LinearRegression at the same epsilon.

Run it with ``python docs/benchmarks/privacy.py``; ``--json`` prints JSON, ``--plot FILE`` draws it
(``pip install ".[plot,privacy]"``). Both are given the same bounds. diffprivlib pools the rows and
promises epsilon with no delta; it is left out if it cannot be imported (0.6.6 needs scikit-learn
before 1.7: ``pip install diffprivlib "scikit-learn==1.6.*"``).
"""

import statistics

import numpy as np
from measuring import parse_options, show
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from sklearn_fedphe import FederatedLinearRegression, GaussianPrivacy

try:
    from diffprivlib.models import LinearRegression as Diffprivlib
except ImportError:
    Diffprivlib = None

DELTA = 1e-6
EPSILONS = [0.1, 0.3, 1.0, 3.0, 10.0]


def made(n_rows, n_features=10):
    """Uniform features, a linear target with noise, and bounds known beforehand."""
    generator = np.random.default_rng(0)
    X = generator.uniform(-1, 1, size=(n_rows, n_features))
    y = X @ np.linspace(-1, 1, n_features) + 0.3 * generator.normal(size=n_rows)
    return X, y, (-1.0, 1.0), (-4.0, 4.0)


def diabetes():
    """Bounds as a user would give them: the features are scaled, the target is a score."""
    return *load_diabetes(return_X_y=True), (-0.2, 0.2), (0.0, 400.0)


DATA = {
    "diabetes, 442 rows": diabetes,
    "made, 1,000 rows": lambda: made(1_000),
    "made, 10,000 rows": lambda: made(10_000),
    "made, 100,000 rows": lambda: made(100_000),
}


def ours(X, y, bounds_X, bounds_y, epsilon):
    privacy = GaussianPrivacy(epsilon=epsilon, delta=DELTA, bounds_X=bounds_X, bounds_y=bounds_y)
    est = FederatedLinearRegression(solver="normal_equations", privacy=privacy, key_length=2048)
    return est.fit(X, y).predict(X)


def theirs(X, y, bounds_X, bounds_y, epsilon):
    # It takes bounds for the target as two numbers, and random_state=None for real noise.
    est = Diffprivlib(epsilon=epsilon, bounds_X=bounds_X, bounds_y=bounds_y)
    return est.fit(X, y).predict(X)


def measure(name, epsilons, repetitions):
    X, y, bounds_X, bounds_y = DATA[name]()
    rows = []
    for epsilon in epsilons:
        row = {"data": name, "epsilon": epsilon}
        for who, fit in (("ours", ours), ("diffprivlib", theirs)):
            scores = None
            if who == "ours" or Diffprivlib is not None:
                scores = [
                    r2_score(y, fit(X, y, bounds_X, bounds_y, epsilon)) for _ in range(repetitions)
                ]
            row[f"R^2, {who}"] = scores and float(statistics.median(scores))
            row[f"worst tenth, {who}"] = scores and float(np.quantile(scores, 0.1))
        row["R^2, no privacy"] = float(LinearRegression().fit(X, y).score(X, y))
        rows.append(row)
    return rows


def readable(row):
    """R^2 to two digits; what is below -10 is as bad as it gets."""
    return {
        name: value
        if value is None or isinstance(value, str) or name == "epsilon"
        else "< -10"
        if value < -10
        else f"{value:.2f}"
        for name, value in row.items()
    }


def plot(rows, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(DATA), figsize=(12, 3.4), layout="constrained", sharey=True)
    for ax, name in zip(axes, DATA, strict=True):
        own = [row for row in rows if row["data"] == name]
        epsilons = [row["epsilon"] for row in own]
        for who, style in (("ours", "o-"), ("diffprivlib", "s--")):
            if own[0][f"R^2, {who}"] is not None:
                ax.plot(epsilons, [row[f"R^2, {who}"] for row in own], style, label=who)
        ax.axhline(own[0]["R^2, no privacy"], color="gray", linewidth=1, label="no privacy")
        ax.set(xscale="log", xlabel="epsilon", title=name, ylim=(-1, 1))
    axes[0].set_ylabel("R^2, median of fits")
    axes[0].legend(loc="upper left")
    figure.savefig(path, dpi=110)


def main():
    options = parse_options(
        __doc__.splitlines()[0], epsilon=EPSILONS, data=list(DATA), repetitions=25, plot=""
    )
    rows = [
        row for name in options.data for row in measure(name, options.epsilon, options.repetitions)
    ]
    table = rows if options.json else [readable(row) for row in rows]
    show({f"Private fits, 3 clients, delta {DELTA}": table}, options.json)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
