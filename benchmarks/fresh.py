"""One contender in a fresh process: ``python -m benchmarks.fresh WORKLOAD CONTENDER '{"threads": 2, ...}'``.

Prints JSON: the seconds of the first call, which compiles, and the largest memory that the process had in it
and in later calls, beyond what it had with everything imported, and data and parameters made.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.contenders import make_step, set_threads
from benchmarks.machine import peak_memory, resident_memory
from benchmarks.timing import wait_for
from benchmarks.workloads import all_workloads

CALLS = 3


def measure(name: str, contender: str, options: dict[str, Any]) -> dict[str, float]:
    """Return the time of the first call, and the peaks of memory in it and after it."""
    workload = all_workloads()[name]
    sizes = workload.tiny if options["tiny"] else workload.full
    set_threads(options["threads"])
    step = make_step(workload, sizes, contender, options["backend"])
    before = resident_memory()
    start = time.perf_counter()
    wait_for(step())
    first_call = time.perf_counter() - start
    first_peak = peak_memory()
    resident_memory()
    for _ in range(CALLS):
        wait_for(step())
    return {
        "first_call": first_call,
        "first_memory": max(0, first_peak - before),
        "memory": max(0, peak_memory() - before),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
