"""What compiling takes goes back to the system."""

import ctypes
import re
import sys
import threading
from pathlib import Path

import pytest

from transforms.backends.llvm.heap import in_threads

if sys.platform != "linux":
    pytest.skip("heaps are given back on Linux alone", allow_module_level=True)

MIB = 1 << 20
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]


def own_memory():
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])


@pytest.fixture(autouse=True)
def large_blocks_were_freed():
    """After which glibc gives back no heap's end that is smaller."""
    libc.free(libc.malloc(30 * MIB))


def use_some(size=8 * MIB, block=64 << 10):
    blocks = [libc.malloc(block) for _ in range(size // block)]
    for x in blocks:
        ctypes.memset(x, 1, block)
    for x in blocks:
        libc.free(x)


def test_a_threads_heap_is_given_back():
    before = own_memory()
    in_threads(2, use_some)
    assert own_memory() - before < MIB
    plain = threading.Thread(target=use_some)
    plain.start()
    plain.join()
    assert own_memory() - before > 4 * MIB


def test_all_threads_run_before_it_returns():
    done = []
    in_threads(3, lambda: done.append(threading.current_thread().name))
    assert len(done) == 3
