"""What tests of fits that do not come to their end have in common."""

import os
import time

from afternoon import HOSPITALS, SITES

LIMIT = 45  # 30 where nothing else runs; the rest of the suite does
TIMEOUT = int(os.environ.get("TIMEOUT", "8"))  # the least that there can be; 15 is the default


def wait_until_stopped(machines, since, names=("localhost", *SITES)):
    while any(machines.processes(name, "job") for name in names):
        assert time.monotonic() - since < LIMIT, [machines.processes(n, "job") for n in names]
        time.sleep(0.2)
    return time.monotonic() - since


def no_partial_total(machines):
    """Every total that was opened has an answer of every hospital in it."""

    def rounds(name, event):
        return {
            (line["study"], line["round"])
            for line in machines.audit(name)
            if line["event"] == event
        }

    opened = rounds("trustee", "opened")
    assert opened
    for name in HOSPITALS:
        assert opened <= rounds(name, "answered")
