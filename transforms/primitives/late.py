"""What needs SciPy, which is costly to import: declared, or imported, when it is first used."""

from __future__ import annotations

import importlib
import sys

import numpy as np

from transforms.lazy import lazy_module
from transforms.primitive import implements, method
from transforms.types import Array

special = lazy_module("scipy.special")


@method("declare_ufuncs")
def declare_ufuncs() -> None:
    """Declare the primitives for the ufuncs of SciPy; no other can be called before it is imported."""
    if "scipy.special" in sys.modules:
        importlib.import_module("transforms.primitives.special")


@implements(np.i0)
def _i0(x: Array) -> Array:
    return special.i0(x)
