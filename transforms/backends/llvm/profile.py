"""Where the time of a program goes: each step's share, and how near it comes to what the processor can do."""

from __future__ import annotations

import ctypes
import math
import sys
import time
from collections.abc import Callable, Sequence

from transforms.backends.llvm.contraction import flops
from transforms.backends.llvm.steps import Apply, Contraction, Kernel, Step, accesses, reads, writes

_WIDTH = 60


def profile(
    timed: Sequence[Step],
    address: int,
    stamp: Callable[[], int],
    call: Callable[[], object],
    calls: int,
    ceilings: tuple[float, float],
) -> str:
    """Return a table of steps, those that take the most time first.

    Args:
        timed: the steps that are counted.
        address: of the counters, one of 8 bytes for each step.
        stamp: returns the number of cycles since some time.
        call: runs the program once.
        calls: how often to run it, after once to warm up. Of each step the shortest time counts, which is the
            one that other programs disturbed least.
        ceilings: the bytes and the operations a second that the machine can do at most.
    """
    call()
    counters = (ctypes.c_int64 * len(timed)).from_address(address)
    counts = [sys.maxsize] * len(timed)
    start, begin = time.perf_counter(), stamp()
    for _ in range(calls):
        ctypes.memset(address, 0, ctypes.sizeof(counters))
        call()
        counts = list(map(min, counts, counters))
    seconds = time.perf_counter() - start
    frequency = (stamp() - begin) / seconds
    times = [count / frequency for count in counts]
    rows = sorted(zip(times, timed, strict=True), key=lambda row: -row[0])
    lines = [f"{'us':>9} {'%':>5} {'GB/s':>6} {'GFLOP/s':>8}  step"]
    lines += [_row(taken, step, sum(times)) for taken, step in rows]
    head = f"{sum(times) * 1e6:.1f} us in steps, of each the least, all threads together"
    most = f"at most {ceilings[0] / 1e9:.0f} GB/s from memory and {ceilings[1] / 1e9:.0f} GFLOP/s"
    return "\n".join([head, f"{most}, measured on this machine", *lines])


def _row(seconds: float, step: Step, total: float) -> str:
    size = sum(x.type.size * x.type.dtype.itemsize for x in {*reads(step), *writes(step)})
    rate = work(step) / max(seconds, 1e-12) / 1e9
    share = 100 * seconds / max(total, 1e-12)
    bandwidth = size / max(seconds, 1e-12) / 1e9
    return f"{seconds * 1e6:9.1f} {share:5.1f} {bandwidth:6.1f} {rate:8.1f}  {describe(step)}"


def work(step: Step) -> int:
    """Return how many arithmetic operations a step does."""
    if isinstance(step, Contraction):
        return flops(step)
    if isinstance(step, Kernel):
        operations = sum(isinstance(x, Apply) for x in step.values) + len(step.reductions)
        return math.prod(step.shape) * operations
    return 0


def describe(step: Step) -> str:
    """Return a step in a few words: its loops, and what it computes."""
    if isinstance(step, Contraction):
        axes = " ".join(
            f"{name} {'x'.join(map(str, lengths))}"
            for name, lengths in (("stack", step.stack), ("rows", step.rows), ("inner", step.inner))
            if lengths
        )
        return f"contraction {axes} columns {step.columns}"
    if not isinstance(step, Kernel):
        return type(step).__name__
    shape = "x".join(f"{n}{'+' if r else ''}" for n, r in zip(step.shape, step.reduced, strict=True))
    names = [x.operation for x in step.values if isinstance(x, Apply) and x.operation != "cast"]
    names += [f"{x.operation}=" for x in step.reductions]
    text = " ".join(names) or "copy"
    return (
        f"{shape}: {text if len(text) <= _WIDTH else text[:_WIDTH] + '...'} ({len(accesses(step))} streams)"
    )
