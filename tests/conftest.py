"""What every test process needs before it imports NumPy, JAX or matplotlib."""

import os

os.environ["MPLBACKEND"] = "Agg"
os.environ["JAX_PLATFORMS"] = "cpu"

if "PYTEST_XDIST_WORKER" in os.environ:
    # The workers share the cores already; a pool of BLAS threads in each would only contend.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
