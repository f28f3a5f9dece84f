import os
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import machine

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads what Linux shows in /proc")


@linux_only
def test_peak_memory_sees_what_was_freed():
    before = machine.private_memory()
    array = np.ones(2**24)  # 128 MiB
    del array
    assert machine.peak_memory() - before == pytest.approx(2**27, rel=0.1)
    machine.private_memory()
    assert machine.peak_memory() - before < 2**26


@linux_only
def test_pages_of_files_are_not_private(tmp_path):
    path = tmp_path / "pages"
    path.write_bytes(bytes(2**26))
    before = machine.private_memory()
    mapped = np.memmap(path, np.uint8, "r")
    assert mapped.sum() == 0
    assert machine.private_memory() - before < 2**25


def test_environment_sets_the_threads_of_each_library():
    environment = machine.child_environment(3)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    assert [environment[name] for name in names] == ["3"] * 3
    assert environment["PATH"] == os.environ["PATH"]


def test_environment_without_caches():
    names = {"FUNCDL_CACHE": "0", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    assert machine.child_environment(1, caches=False).items() >= names.items()
    assert not machine.child_environment(1).keys() & names.keys() - os.environ.keys()


@linux_only
def test_keeps_to_cores():
    code = "from benchmarks import machine as m; m.keep_to_cores(1); print(len(m.os.sched_getaffinity(0)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


@linux_only
def test_more_threads_than_cores_are_refused():
    with pytest.raises(
        ValueError, match=r"--threads must be from 1 to \d+, the cores that there are, got 4096"
    ):
        machine.keep_to_cores(4096)


def test_description_has_versions_and_threads():
    described = machine.describe(2, ["numpy"])
    assert described["versions"] == {"numpy": np.__version__}
    assert described["threads"] == 2
