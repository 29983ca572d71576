"""Mutated messages at every party's door: none but the documented errors, no hang, no bulk.

Needs atheris, which steers its mutations by the code they reach: ``pip install ".[test]"``. Run
it with ``python docs/benchmarks/fuzz_messages.py``; ``--runs`` says how many messages. An error
of another kind, a message that takes longer than five seconds or memory beyond 1 GB ends the
run, with an exit code other than 0.
"""

import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import atheris
from measuring import parse_options, show

with atheris.instrument_imports(include=["sklearn_fedphe"]):
    import doors

    from sklearn_fedphe.protocol import RefusedMessageError

DOCUMENTED = (
    (RefusedMessageError, "refused by its form, round or range"),
    (ValueError, "a key, or a total that does not decode"),
    (OverflowError, "its answer does not fit"),
)


class Fuzzer:
    """Hands each message to its door and counts what comes of it."""

    def __init__(self, runs):
        self._runs = runs
        self._doors = list(doors.all_doors().items())
        self._outcomes = {name: Counter() for name, _ in self._doors}
        self._n_messages = 0
        self._slowest = 0.0
        self._started = time.perf_counter()
        self._memory = _megabytes()

    def seed(self, folder):
        """Write the messages that are taken, each after the number of its door."""
        for number, (_, (_, message)) in enumerate(self._doors):
            (Path(folder) / str(number)).write_bytes(bytes([number]) + message)

    def __call__(self, data):
        if data:
            number, message = data[0] % len(self._doors), data[1:]
            name, (take, _) = self._doors[number]
            start = time.perf_counter()
            self._outcomes[name][self._outcome(take, message)] += 1
            self._slowest = max(self._slowest, time.perf_counter() - start)
            self._n_messages += 1
        if self._n_messages == self._runs:
            self._report()
            sys.stdout.flush()
            os._exit(0)

    @staticmethod
    def _outcome(take, message):
        try:
            take(message)
        except tuple(kind for kind, _ in DOCUMENTED) as error:
            return next(text for kind, text in DOCUMENTED if isinstance(error, kind))
        return "taken"

    def _report(self):
        columns = [*(text for _, text in DOCUMENTED), "taken"]
        rows = [
            {"door": name, "messages": outcomes.total(), **{c: outcomes[c] for c in columns}}
            for name, outcomes in self._outcomes.items()
        ]
        summary = {
            "messages": self._n_messages,
            "other errors": 0,
            "slowest ms": 1e3 * self._slowest,
            "MB more at the end": _megabytes() - self._memory,
            "minutes": (time.perf_counter() - self._started) / 60,
        }
        show({"Mutated messages": [summary], "By door": rows}, as_json=False)


def _megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    options = parse_options(__doc__.splitlines()[0], runs=1_000_000)
    fuzzer = Fuzzer(options.runs)
    with tempfile.TemporaryDirectory() as folder:
        fuzzer.seed(folder)
        limits = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=6000", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *limits, folder], fuzzer)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
