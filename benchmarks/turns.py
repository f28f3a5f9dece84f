"""One workload in a process of its own: ``python -m benchmarks.turns NAME '{"threads": 2, ...}'``.

Prints JSON: the times of each contender, which took turns, and how many turns others disturbed.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.contenders import check_agreement, make_step, names_of, set_threads
from benchmarks.timing import take_turns
from benchmarks.workloads import all_workloads


def measure(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the times of one step of each contender, after checking that they compute the same."""
    workload = all_workloads()[name]
    sizes = workload.tiny if options["tiny"] else workload.full
    set_threads(options["threads"])
    chosen = names_of(workload, options["contenders"])
    steps = {name: make_step(workload, sizes, name, options["backend"]) for name in chosen}
    check_agreement(workload, steps)
    turns = take_turns(steps, rounds=options["rounds"], seconds=options["seconds"])
    count = workload.steps(sizes)
    times = {name: [value / count for value in values] for name, values in turns.times.items()}
    return {"times": times, "disturbed": turns.disturbed}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], json.loads(sys.argv[2]))))
