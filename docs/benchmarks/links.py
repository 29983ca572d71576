"""How long a fit takes over links of a latency: few trips or many.

Run it with ``python docs/benchmarks/links.py``; ``--json`` prints JSON. Ten features, 100 rows a
client. A message waits for two latencies, to the server and from it; queries and totals go to all
at once, running sums one after the other. What would take less than ``--patience`` seconds is
simulated: a fit whose messages wait. The rest is computed: the time that a fit takes without
waiting, and the waits.
"""

import time

from measuring import parse_options, show
from solvers import make_data

from sklearn_fedphe import FederatedLinearRegression
from sklearn_fedphe.protocol import observe

FEATURES, ROWS = 10, 100
SOLVERS = ("normal_equations", "gradient_descent")


class Links:
    """Lets messages wait, or only counts what they would have waited for."""

    def __init__(self, latency, *, waits):
        self.latency, self.waits = latency, waits
        self.waited, self._told = 0, None

    def __call__(self, message):
        if message.kind != "running sum":
            told = (message.round, message.kind)
            if told == self._told:  # to all at once: they wait together
                return
            self._told = told
        self.waited += 2 * self.latency
        if self.waits:
            time.sleep(2 * self.latency)


def fitted(n_clients, solver, key_length, links):
    X, y = make_data(ROWS * n_clients, FEATURES)
    est = FederatedLinearRegression(solver=solver, n_clients=n_clients, key_length=key_length)
    start = time.perf_counter()
    with observe(links):
        est.fit(X, y)
    return est.n_rounds_, time.perf_counter() - start


def compare(n_clients, latencies, key_length, patience):
    """A row a latency, a pair of columns a solver."""
    rows = [{"clients": n_clients, "latency, ms": latency} for latency in latencies]
    for solver in SOLVERS:
        counted = Links(1.0, waits=False)
        trips, alone = fitted(n_clients, solver, key_length, counted)
        for row in rows:
            seconds = alone + counted.waited * row["latency, ms"] / 1000
            how = "computed"
            if seconds < patience:
                links = Links(row["latency, ms"] / 1000, waits=True)
                seconds, how = fitted(n_clients, solver, key_length, links)[1], "simulated"
            row |= {
                f"{solver}: trips": trips,
                f"{solver}, s": seconds,
                f"{solver}: by": how,
            }
    return rows


def main():
    options = parse_options(
        __doc__.splitlines()[0],
        clients=[3, 10, 100],
        latencies=[1, 20, 100],
        key_length=3072,
        patience=60.0,
    )
    rows = [
        row
        for n_clients in options.clients
        for row in compare(n_clients, options.latencies, options.key_length, options.patience)
    ]
    show({"Few trips or many": rows}, options.json)


if __name__ == "__main__":
    main()
