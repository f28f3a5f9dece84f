"""Memory that a compilation took and that goes back: to the system from threads, to Python from its lists.

glibc gives each thread a heap of its own, from which Python and LLVM take megabytes for a compilation. What
is free at the heap's end it keeps, the more the larger the blocks are that the process has freed before.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_BLOCK = 120 << 10  # bytes; what is larger may be memory of its own instead of a part of the heap
_MOST_BLOCKS = 512  # a heap has 64 MiB
_MOST_WAITS = 1000


def in_threads(count: int, work: Callable[[], None]) -> None:
    """Run something in so many threads at once, and wait for them."""
    _run(count, work)
    if sys.platform == "linux":
        # Small blocks that a thread keeps at hand are free when it has ended. Its heap is the next one's: as
        # many threads at once have them all.
        together = threading.Barrier(count)
        _run(count, lambda: _give_back(together.wait()))


def empty_free_lists() -> None:
    """Free the thousands of tuples that Python keeps at hand, so that their memory is there for anything.

    Python does so when it looks for garbage among all objects. Here all are set aside meanwhile, which takes
    no time; an object is then as old to the collector as any.
    """
    if not gc.get_freeze_count():  # nor may those be touched that somebody has set aside
        gc.freeze()
        gc.collect()
        gc.unfreeze()


def _run(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work, name="funcdl-compiler", daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
        _wait_for_end(thread)


def _wait_for_end(thread: threading.Thread) -> None:
    """Wait until the system has no such thread any more, which is a little after Python has none."""
    for _ in range(_MOST_WAITS):
        if not os.path.exists(f"/proc/self/task/{thread.native_id}"):
            return
        time.sleep(1e-4)


def _give_back(_: int) -> None:
    """Take blocks of this thread's heap as long as they were in use before, and give back their pages."""
    libc = _library()
    blocks: list[int] = []
    while len(blocks) < _MOST_BLOCKS and (block := libc.malloc(_BLOCK)):
        blocks.append(block)
        start = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        count = (block + _BLOCK - start) // mmap.PAGESIZE
        present = (ctypes.c_ubyte * count)()
        libc.mincore(start, count * mmap.PAGESIZE, present)
        if not any(present):
            break
        libc.madvise(start, count * mmap.PAGESIZE, mmap.MADV_DONTNEED)
    for block in blocks:
        libc.free(block)


@functools.cache
def _library() -> Any:
    """Return the C library, with the types of what is called of it."""
    libc = ctypes.CDLL(None)
    address, size = ctypes.c_void_p, ctypes.c_size_t
    libc.malloc.restype, libc.malloc.argtypes = address, [size]
    libc.free.argtypes = [address]
    libc.mincore.argtypes = [address, size, address]
    libc.madvise.argtypes = [address, size, ctypes.c_int]
    return libc
