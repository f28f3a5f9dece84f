"""The backend that runs programs through JAX's XLA: on CPUs, GPUs, TPUs and meshes of them.

Each primitive has a lowering in the file of its family, in terms of `jax.numpy` and `jax.lax`; what XLA has
no operation for runs as NumPy on the host, see `transforms.backends.xla.host`.
"""

from __future__ import annotations

import importlib.util

from transforms.errors import message

if importlib.util.find_spec("jax") is None:
    raise ImportError(
        message(
            "jit", "jax", "be installed for backend='xla'", "no such module", 'run pip install "funcdl[xla]"'
        )
    )

from transforms.backends.xla import arithmetic as arithmetic
from transforms.backends.xla import bessel as bessel
from transforms.backends.xla import casts as casts
from transforms.backends.xla import choice as choice
from transforms.backends.xla import complex_numbers as complex_numbers
from transforms.backends.xla import control as control
from transforms.backends.xla import convolution as convolution
from transforms.backends.xla import cumulative as cumulative
from transforms.backends.xla import decompositions as decompositions
from transforms.backends.xla import discrete as discrete
from transforms.backends.xla import exponential as exponential
from transforms.backends.xla import fft as fft
from transforms.backends.xla import gathering as gathering
from transforms.backends.xla import joining as joining
from transforms.backends.xla import least_squares as least_squares
from transforms.backends.xla import matmul as matmul
from transforms.backends.xla import matrix_exponential as matrix_exponential
from transforms.backends.xla import power as power
from transforms.backends.xla import reduction as reduction
from transforms.backends.xla import shape as shape
from transforms.backends.xla import slicing as slicing
from transforms.backends.xla import solving as solving
from transforms.backends.xla import sorting as sorting
from transforms.backends.xla import special as special
from transforms.backends.xla import spectral as spectral
from transforms.backends.xla import trajectory as trajectory
from transforms.backends.xla import triangular as triangular
from transforms.backends.xla import trigonometric as trigonometric
from transforms.backends.xla import windows as windows
from transforms.backends.xla.executable import compile_graph as compile_graph
from transforms.backends.xla.host import HOST_CALLBACKS as HOST_CALLBACKS
from transforms.backends.xla.registry import LOWERINGS as LOWERINGS
