"""A workload that needs no library, and results as they are saved."""

import numpy as np

from benchmarks.workload import Program, Workload


def counting(start):
    """A contender whose results are start, start + 1, ..."""

    def make(sizes):
        count = start - 1

        def step():
            nonlocal count
            count += 1
            return np.float64(count)

        return step

    return make


def workload(**peers):
    """A workload that counts from 1."""
    program = Program(lambda count: (count + 1.0, count), (np.array(1.0),), carried=1)
    return Workload("counting", "counting, from 1", 1.5, None, None, lambda sizes: program, peers)


RESULTS = {
    "machine": {
        "processor": "abacus",
        "cores": 2,
        "system": "Linux x86_64",
        "python": "3.11",
        "versions": {"numpy": "2.0"},
        "threads": 2,
    },
    "backend": "numpy",
    "tiny": False,
    "workloads": {
        "counting": {
            "times": {
                "funcdl": [3e-3, 1e-3, 2e-3],
                "torch": [5e-3, 5e-3, 9e-3],
                "jax": [8e-3, 4e-3, 3e-3],
            },
            "disturbed": 0,
            "fresh": {
                "funcdl": {"memory": 2 * 2**20, "first_memory": 3 * 2**20, "first_call": 0.25},
                "torch": {"memory": 4 * 2**20, "first_memory": 5 * 2**20, "first_call": 0.5},
                "jax": {"memory": 8 * 2**20, "first_memory": 9 * 2**20, "first_call": 1.5},
            },
        }
    },
}
