"""Timing of contenders that take turns, so that a machine whose speed drifts treats them alike."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib import metadata


def medians(
    contenders: Mapping[str, Callable[[], object]], *, rounds: int = 15, seconds: float = 0.05
) -> dict[str, float]:
    """Return the median time of one call of each contender, in seconds.

    Args:
        contenders: what to call, by name.
        rounds: how often each has its turn.
        seconds: how long a turn lasts, about.
    """
    counts = {name: _calls_per_turn(call, seconds) for name, call in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            gc.collect()
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            times[name].append((time.perf_counter() - start) / counts[name])
    return {name: statistics.median(values) for name, values in times.items()}


def _calls_per_turn(call: Callable[[], object], seconds: float) -> int:
    for _ in range(3):
        call()
    start = time.perf_counter()
    call()
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
