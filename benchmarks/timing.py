"""Timing of contenders that take turns, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any, NamedTuple

from benchmarks.machine import Neighbours, settle
from transforms import tree

# A turn counts as disturbed if other processes took more than this share of one core: a thread that waits
# for another one, whose core is taken, waits for a tick of the scheduler, which is thousands of times longer.
DISTURBED = 0.15
# Seconds before a turn is taken for the first, second, ... time.
PAUSES = (0.0, 0.5, 1.0, 2.0, 4.0)
# What share of the calls of a turn comes before its clock starts.
WARM_UP = 0.2


class Turns(NamedTuple):
    """What the turns gave.

    Attributes:
        times: for each contender, the seconds of one call in each of its turns.
        disturbed: how many turns were counted although other processes took a part of the machine.
    """

    times: dict[str, list[float]]
    disturbed: int

    def medians(self) -> dict[str, float]:
        """Return the median time of one call of each contender, in seconds."""
        return {name: statistics.median(values) for name, values in self.times.items()}


def take_turns(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 15, seconds: float = 0.05
) -> Turns:
    """Time contenders that take turns, each round in another order.

    Before a turn the process is quiet: idle threads of the one before would take the core of a thread of
    this one. A turn that another process disturbs is taken again a while later, up to four times.

    Args:
        contenders: what to call, by name; a turn ends when the result of its last call is there.
        rounds: how often each has its turn.
        seconds: how long a turn lasts, about.
    """
    counts = {name: _calls_per_turn(call, seconds) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    disturbed = 0
    names = list(contenders)
    for turn in range(rounds):
        for name in rotated(names, turn):
            for pause in PAUSES:
                time.sleep(pause)
                elapsed, share = _turn(contenders[name], counts[name])
                if share <= DISTURBED:
                    break
            disturbed += share > DISTURBED
            times[name].append(elapsed / counts[name])
    return Turns(times, disturbed)


def medians(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 15, seconds: float = 0.05
) -> dict[str, float]:
    """Return the median time of one call of each contender, in seconds; see `take_turns`."""
    return take_turns(contenders, rounds=rounds, seconds=seconds).medians()


def rotated(names: list[str], turn: int) -> list[str]:
    """Return the order of a round, so that none always follows the same other one."""
    first = turn % len(names)
    return names[first:] + names[:first]


def wait_for(value: Any) -> None:
    """Wait until arrays that are still being computed are there."""
    for leaf in tree.leaves(value):
        if hasattr(leaf, "block_until_ready"):
            leaf.block_until_ready()


def _turn(call: Callable[[], object], count: int) -> tuple[float, float]:
    """Return how long a turn took, and what share of a core other processes had in it."""
    gc.collect()
    settle()
    # After a sleep the first calls are slow: threads wake up, caches fill.
    for _ in range(int(count * WARM_UP)):
        wait_for(call())
    neighbours = Neighbours()
    start = time.perf_counter()
    for _ in range(count):
        value = call()
    wait_for(value)
    return time.perf_counter() - start, neighbours.share()


def _calls_per_turn(call: Callable[[], object], seconds: float) -> int:
    for _ in range(3):
        wait_for(call())
    start = time.perf_counter()
    wait_for(call())
    return max(1, int(seconds / max(time.perf_counter() - start, 1e-7)))


def report(title: str, times: Mapping[str, float], ours: str = "funcdl") -> None:
    """Print the times, and how many times faster ours is than each of the others."""
    print(title)
    for name, value in times.items():
        ratio = "" if name == ours else f"   {value / times[ours]:5.2f} x {ours}"
        print(f"  {name:<12}{value * 1e6:10.1f} us{ratio}")


def environment(*packages: str) -> str:
    """Return a line about the machine and the versions."""
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in packages)
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"
