"""What the compiler must know of the processor that runs the code."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path
from typing import NamedTuple

from llvmlite import binding


class Processor(NamedTuple):
    """A processor, as far as it decides what code is written.

    Attributes:
        name: as LLVM calls it.
        features: LLVM's list of what it can do.
        vector_bytes: the width of a vector register.
        vector_registers: how many of them there are.
    """

    name: str
    features: str
    vector_bytes: int
    vector_registers: int


@functools.cache
def initialize() -> None:
    """Make LLVM ready to write code for this processor."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()


@functools.cache
def host_processor() -> Processor:
    """Return the processor that this process runs on."""
    features = binding.get_host_cpu_features()
    has = {name for name, present in features.items() if present}
    if "avx512f" in has:
        width, count = 64, 32
    elif "avx" in has:
        width, count = 32, 16
    else:
        width, count = 16, 32 if "neon" in has else 16
    return Processor(binding.get_host_cpu_name(), features.flatten(), width, count)


def available_threads() -> int:
    """Return how many threads can run at the same time: the processors of this process, within its quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, max(math.ceil(int(quota) / int(period)), 1))
    except (OSError, ValueError):  # no control groups, or the first version of them
        pass
    return count
