"""The machine: how many threads a process may use, what else runs on it, how much memory a process has."""

from __future__ import annotations

import ctypes
import gc
import os
import platform
import re
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

# The libraries' own words for the number of their threads; they are read when the library is loaded.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Compile again although it was compiled before.
_WITHOUT_CACHES = {"FUNCDL_CACHE": "0", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
_LONGEST_WAIT = 0.5


def child_environment(threads: int, *, caches: bool = True) -> dict[str, str]:
    """Return the environment of a process in which every library uses as many threads."""
    chosen = dict.fromkeys(_THREADS, str(threads))
    return {**os.environ, **chosen, **({} if caches else _WITHOUT_CACHES), "JAX_PLATFORMS": "cpu"}


def keep_to_cores(count: int) -> None:
    """Keep this process, and those that it starts, to as many cores; XLA has a thread for each of them.

    Raises:
        ValueError: there are fewer.
    """
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= count <= len(cores):
        raise ValueError(f"--threads must be from 1 to {len(cores)}, the cores that there are, got {count}")
    os.sched_setaffinity(0, cores[:count])


def describe(threads: int, packages: Iterable[str]) -> dict[str, Any]:
    """Return the machine, the versions and the number of threads."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in packages},
        "threads": threads,
    }


def _processor() -> str:
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def settle() -> None:
    """Sleep until no thread of this process is busy, half a second at most.

    After a product OpenBLAS's threads look for more work for about a tenth of a second, and after a parallel
    loop OpenMP's do for some milliseconds.
    """
    end = time.perf_counter() + _LONGEST_WAIT
    while time.perf_counter() < end:
        used = time.process_time()
        time.sleep(0.01)
        if time.process_time() - used < 0.001:
            return


class Neighbours:
    """What other processes take of the machine, from here on."""

    def __init__(self) -> None:
        self._start = _busy_time(), _own_time(), time.perf_counter()

    def share(self) -> float:
        """Return the time that others had since then, in cores; what is below the clock's ticks is 0."""
        busy, own, start = self._start
        others = _busy_time() - busy - (_own_time() - own)
        elapsed = time.perf_counter() - start
        return max(0.0, others - 2 / os.sysconf("SC_CLK_TCK")) / elapsed


def _busy_time() -> float:
    """Return how long the cores have worked since the machine started, in seconds; what was stolen counts."""
    user, nice, system, _, _, interrupts, soft, stolen, *_ = (
        int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    )
    ticks = user + nice + system + interrupts + soft + stolen
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_time() -> float:
    return time.process_time()


def private_memory() -> int:
    """Return the bytes of memory that are this process's own, and start to watch their peak.

    Pages of files do not count: the system shares them among processes, and takes them back when it must.
    """
    gc.collect()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        # What was freed goes back to the system, so that using it again counts.
        ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS") - _status("RssFile")


def peak_memory() -> int:
    """Return the largest number of bytes that were this process's own since `private_memory`."""
    return _status("VmHWM") - _status("RssFile")


def _status(entry: str) -> int:
    found = re.search(rf"{entry}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if found is None:
        raise OSError(f"/proc/self/status must have the entry {entry}")
    return 1024 * int(found[1])
