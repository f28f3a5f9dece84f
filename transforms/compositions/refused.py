"""NumPy functions that cannot be traced, by the reason why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from transforms.primitive import refuse


def _refuse_all(functions: Iterable[Any], reason: str, substitute: str) -> None:
    for function in functions:
        refuse(function, reason, substitute)


_refuse_all(
    (np.save, np.savetxt, np.savez, np.savez_compressed),
    "a file holds values and no derivatives",
    "return the array from the transformed function and save it there",
)
_refuse_all(
    (np.frombuffer, np.fromfile, np.fromiter, np.fromstring, np.genfromtxt, np.loadtxt),
    "it reads plain numbers, which are like no traced array",
    "leave like= out",
)
_refuse_all(
    (np.busday_count, np.busday_offset, np.is_busday, np.datetime_as_string),
    "it is a function of dates",
    "make an array of dates outside the transformed function",
)
_refuse_all(
    (np.packbits, np.unpackbits),
    "it is about the memory of 8-bit integers",
    "write np.sum(bits << np.arange(8)[::-1], axis=-1), or (x[..., None] >> np.arange(8)[::-1]) & 1",
)
if "in1d" in vars(np):  # until NumPy 2.3
    refuse(vars(np)["in1d"], "NumPy deprecates it", "write np.isin(a.ravel(), b)")
# The name of a module stands for all its functions, so that it need not be imported for this.
refuse(
    "numpy.lib.recfunctions",
    "a traced array has no fields",
    "use a dict of arrays, which every transform takes",
)
refuse(
    "numpy.polynomial.polynomial",
    "the code of that module turns its arguments into plain arrays",
    "write np.polyval(c[::-1], x), or np.einsum of powers such as np.vander(x, n, increasing=True)",
)
_STRINGS = ("it is a function of strings", "make an array of strings outside the transformed function")
refuse("numpy.strings", *_STRINGS)
refuse("numpy.char", *_STRINGS)
