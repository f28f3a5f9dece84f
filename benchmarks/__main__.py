"""All workloads, or those that are named, against all contenders: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import PACKAGES, installed, names_of
from benchmarks.machine import child_environment, describe, keep_to_cores
from benchmarks.table import text
from benchmarks.workload import Workload
from benchmarks.workloads import all_workloads
from transforms.lazy import lazy_module

# They need matplotlib.
chart = lazy_module("benchmarks.chart")
pages = lazy_module("benchmarks.pages")

QUICK = {"rounds": 2, "seconds": 0.005}
SLOW_TO_COMPILE = "torch.compile"
# Memory and first calls are measured in so many fresh processes, if the first call takes no more seconds.
FRESH_PROCESSES, QUICK_CALL = 3, 2.0


def parse(arguments: list[str] | None, workloads: dict[str, Workload]) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed, as ratios.")
    parser.add_argument(
        "names", nargs="*", metavar="WORKLOAD", help=f"all by default: {', '.join(workloads)}"
    )
    parser.add_argument("--backend", default="llvm", choices=("llvm", "numpy", "xla"), help="of funcdl")
    parser.add_argument(
        "--threads", type=int, default=len(os.sched_getaffinity(0)), help="for every contender"
    )
    parser.add_argument("--contenders", help=f"with commas between; of {', '.join(PACKAGES)}")
    parser.add_argument("--rounds", type=int, default=15, help="how often each has its turn (default: 15)")
    parser.add_argument("--seconds", type=float, default=0.1, help="length of a turn (default: 0.1)")
    parser.add_argument("--skip-fresh", action="store_true", help="measure no memory and no first calls")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--json", type=Path, help="save what was measured")
    parser.add_argument("--chart", type=Path, help="draw what was measured, as SVG or PNG")
    parser.add_argument(
        "--docs", type=Path, metavar="JSON", help="measure nothing; put a saved file into the docs"
    )
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in workloads:
            parser.error(f"there is no workload {name!r}; there are {', '.join(workloads)}")
    options.names = options.names or list(workloads)
    options.contenders = _contenders(parser, options)
    return options


def _contenders(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """Return the contenders that take part, and say which do not."""
    here = installed()
    if options.contenders is not None:
        chosen = options.contenders.split(",")
        for name in chosen:
            if name not in here:
                parser.error(f"there is no contender {name!r} here; there are {', '.join(here)}")
        return chosen
    chosen = [name for name in here if not (options.quick and name == SLOW_TO_COMPILE)]
    if left_out := [name for name in PACKAGES if name not in chosen]:
        print(f"Without {', '.join(left_out)}.", file=sys.stderr)
    return chosen


def run(module: str, *arguments: str, threads: int, caches: bool = True) -> Any:
    """Return the JSON that a module of this package prints in a process of its own.

    Raises:
        subprocess.CalledProcessError: it failed; what it had to say went to standard error.
    """
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    environment = child_environment(threads, caches=caches)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(workload: Workload, options: argparse.Namespace) -> dict[str, Any]:
    """Return what was measured of one workload."""
    settings = {
        "backend": options.backend,
        "contenders": options.contenders,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "threads": options.threads,
        "tiny": options.quick,
        **(QUICK if options.quick else {}),
    }
    given = json.dumps(settings)
    measured = run("turns", workload.name, given, threads=options.threads)
    if not options.skip_fresh:
        measured["fresh"] = {
            name: measure_fresh(workload, name, given, options)
            for name in names_of(workload, options.contenders)
        }
    return measured


def measure_fresh(workload: Workload, name: str, given: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return a contender's first call and memory: medians of fresh processes, or of one if it is slow."""

    def one() -> Any:
        return run("fresh", workload.name, name, given, threads=options.threads, caches=False)

    found = [one()]
    if not options.quick and found[0]["first_call"] < QUICK_CALL:
        found += [one() for _ in range(FRESH_PROCESSES - 1)]
    return {key: statistics.median(values[key] for values in found) for key in found[0]}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 1 if a workload failed."""
    workloads = all_workloads()
    options = parse(arguments, workloads)
    if options.docs:
        pages.write_page(json.loads(options.docs.read_text()), workloads)
        return 0
    keep_to_cores(options.threads)
    packages = dict.fromkeys(["funcdl", "numpy", *(PACKAGES[name] for name in options.contenders)])
    results: dict[str, Any] = {
        "machine": describe(options.threads, packages),
        "backend": options.backend,
        "tiny": options.quick,
        "workloads": {},
    }
    failed = []
    for name in options.names:
        print(f"{name} ...", file=sys.stderr)
        try:
            results["workloads"][name] = measure(workloads[name], options)
        except subprocess.CalledProcessError:
            failed.append(name)
    print(text(results, workloads))
    if failed:
        print(f"\nFailed: {', '.join(failed)}.")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    if options.chart:
        chart.draw(results, workloads, options.chart)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
