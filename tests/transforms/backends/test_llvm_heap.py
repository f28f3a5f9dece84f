"""What compiling takes goes back to the system."""

import gc
import subprocess
import sys
import threading

import pytest

from transforms.backends.llvm.heap import empty_free_lists, in_threads

_MEASURED = """
import ctypes, re, threading
from pathlib import Path
from transforms.backends.llvm.heap import in_threads

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
MIB = 1 << 20

def own_memory():
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", status)[1])

def use_some(size=8 * MIB, block=64 << 10):
    blocks = [libc.malloc(block) for _ in range(size // block)]
    for x in blocks:
        ctypes.memset(x, 1, block)
    for x in blocks:
        libc.free(x)

libc.free(libc.malloc(30 * MIB))  # after which glibc gives back no heap's end that is smaller
before = own_memory()
in_threads(2, use_some)
print((own_memory() - before) / MIB)
plain = threading.Thread(target=use_some)
plain.start()
plain.join()
print((own_memory() - before) / MIB)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="heaps are given back on Linux alone")
def test_a_threads_heap_is_given_back():
    """In a process of its own: where very many threads are, they share heaps."""
    done = subprocess.run([sys.executable, "-c", _MEASURED], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    ours, plain = map(float, done.stdout.split())
    assert ours < 1
    assert plain > 4


def test_all_threads_run_before_it_returns():
    done = []
    in_threads(3, lambda: done.append(threading.current_thread().name))
    assert len(done) == 3


def test_tuples_that_are_kept_at_hand_are_freed():
    empty_free_lists()
    before = sys.getallocatedblocks()
    tuples = [(x,) * 7 for x in range(1000)]
    del tuples
    assert sys.getallocatedblocks() > before + 900
    empty_free_lists()
    assert sys.getallocatedblocks() < before + 200


def test_what_somebody_has_set_aside_stays_so():
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        empty_free_lists()
        assert gc.get_freeze_count() == count > 0
    finally:
        gc.unfreeze()
