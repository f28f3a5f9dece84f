"""What every test process needs before it imports NumPy, JAX or matplotlib."""

import atexit
import os
import shutil
import tempfile

import pytest

os.environ["MPLBACKEND"] = "Agg"
os.environ["JAX_PLATFORMS"] = "cpu"

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores already; a pool of BLAS threads in each would only contend.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

if "FUNCDL_CACHE" not in os.environ:
    # Compiled programs are shared by the workers, which inherit this, and leave the user's own alone.
    os.environ["FUNCDL_CACHE"] = tempfile.mkdtemp(prefix="funcdl-tests-")
    atexit.register(shutil.rmtree, os.environ["FUNCDL_CACHE"], ignore_errors=True)


@pytest.fixture(autouse=True)
def same_numbers_in_any_order(request):
    """Start the generators of a module afresh, so that a test's numbers do not depend on those before it."""
    from numpy.random import Generator

    for value in vars(request.module).values():
        if isinstance(value, Generator):
            bits = value.bit_generator
            bits.state = type(bits)(bits.seed_seq).state
