"""Calls of the host from programs that run on several CPU devices of one process.

Each device runs on a thread of one pool, and waits there for the others. While one of them calls the host,
JAX copies large operands on another thread of the same pool. If all threads wait, the copy never comes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import jax

from transforms.errors import message


def check_threads(arrays_and_shardings: Iterable[Any]) -> None:
    """Check that a program which calls the host has a thread left for that.

    Args:
        arrays_and_shardings: its arguments, and the shardings of arguments and results.

    Raises:
        RuntimeError: it runs on as many CPU devices as there are threads.
    """
    devices: set[Any] = set()
    for x in arrays_and_shardings:
        devices |= getattr(getattr(x, "sharding", x), "device_set", set())
    if len(devices) < 2 or any(device.platform != "cpu" for device in devices):
        return
    threads = max(_processors(), jax.local_device_count("cpu"))
    if len(devices) >= threads:
        raise RuntimeError(
            message(
                "jit(backend='xla')",
                "a program that calls the host",
                "run on fewer CPU devices than XLA has threads, or it would wait for ever",
                f"{len(devices)} devices and {threads} threads",
                f"set the environment variable PJRT_NPROC={len(devices) + 1} before JAX starts, or use fewer "
                "devices",
            )
        )


def _processors() -> int:
    """Return how many threads XLA takes, if there are not more devices."""
    given = os.environ.get("PJRT_NPROC") or os.environ.get("NPROC") or ""
    return int(given) if given.isdigit() and int(given) else len(os.sched_getaffinity(0))
