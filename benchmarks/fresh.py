"""One contender in a fresh process: ``python -m benchmarks.fresh WORKLOAD CONTENDER '{"threads": 2, ...}'``.

Prints JSON: the seconds of the first call, which compiles, and the largest memory of its own that the process
had in it and in later calls, beyond what it had with everything imported, compiler and threads started, and
data and parameters made. To start the compiler counts as a part of the time of the first call.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

from benchmarks.contenders import PACKAGES, make_step, set_threads, start_up
from benchmarks.machine import peak_memory, private_memory
from benchmarks.timing import wait_for
from benchmarks.workloads import all_workloads

CALLS = 3


def measure(name: str, contender: str, options: dict[str, Any]) -> dict[str, float]:
    """Return the time of the first call, and the peaks of memory in it and after it."""
    workload = all_workloads()[name]
    sizes = workload.tiny if options["tiny"] else workload.full
    set_threads(options["threads"])
    importlib.import_module(PACKAGES[contender])
    start = time.perf_counter()
    start_up(contender, options["backend"])
    first_call = time.perf_counter() - start
    step = make_step(workload, sizes, contender, options["backend"])
    before = private_memory()
    start = time.perf_counter()
    wait_for(step())
    first_call += time.perf_counter() - start
    first_peak = peak_memory()
    private_memory()
    for _ in range(CALLS):
        wait_for(step())
    return {
        "first_call": first_call,
        "first_memory": max(0, first_peak - before),
        "memory": max(0, peak_memory() - before),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))))
