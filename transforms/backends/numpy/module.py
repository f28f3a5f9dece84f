"""The text of a Python module, put together piece by piece."""

from __future__ import annotations

import base64
import importlib
import itertools
import keyword
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from transforms.types import Array, Shape

# What a variable must not be called: the module's own names, and those of Python that it uses.
_TAKEN = {"np", "i", "int", "own", "range", "saved", "special", "slice"}


class Module:
    """A module that is being written.

    Attributes:
        imports: lines.
        arrays: lines that make what the functions use: numbers, buffers, pools.
        functions: blocks of lines.
        constants: arrays that the program closes over, by name.
        objects: what cannot be written as text, by name.
        written: what is remembered of functions that are written already, by what they are written for.
    """

    def __init__(self) -> None:
        self.imports = ["import numpy as np"]
        self.arrays: list[str] = []
        self.functions: list[str] = []
        self.constants: dict[str, Array] = {}
        self.objects: dict[str, Any] = {}
        self.written: dict[Any, Any] = {}
        self._counts: dict[str, Iterator[int]] = {}
        self._names: dict[Any, str] = {}

    def name(self, kind: str) -> str:
        """Return a new name."""
        return f"{kind}{next(self._counts.setdefault(kind, itertools.count(1)))}"

    def text(self, constants: bool = True) -> str:
        """Return the module's source, with or without the constants' values."""
        imports, arrays = list(self.imports), []
        if constants:
            arrays = [f"{name} = {self._constant_text(imports, x)}" for name, x in self.constants.items()]
            arrays += [f"# {name} has no text: {value!r}" for name, value in self.objects.items()]
        body = "\n\n\n".join(self.functions)
        return "\n".join([*imports, "", *arrays, *self.arrays, "", "", body, ""])

    # --- what functions use

    def import_line(self, line: str) -> None:
        """Add an import unless it is there."""
        if line not in self.imports:
            self.imports.append(line)

    def array(self, kind: str, expression: str) -> str:
        """Return the name of something new that is made once."""
        name = self.name(kind)
        self.arrays.append(f"{name} = {expression}")
        return name

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> str:
        """Return an expression for an array whose elements are not set."""
        return f"np.empty({shape}, {self.dtype(dtype)})"

    def number(self, value: Any, dtype: np.dtype[Any]) -> str:
        """Return the name of an array of shape () that stands for a Python number."""
        key = (repr(value), dtype)
        if key not in self._names:
            self._names[key] = self.array("number", f"np.array({self.literal(value)}, {self.dtype(dtype)})")
        return self._names[key]

    def constant(self, value: Array) -> str:
        """Return the name of an array that the program closes over."""
        if id(value) in self._names:
            return self._names[id(value)]
        name = self._names[id(value)] = self.name("constant")
        # The caller may write into their array later, but not into one that is read-only.
        array = np.array(value) if np.asarray(value).flags.writeable else np.asarray(value)
        if array.dtype.kind == "O" and np.any(array != 0):  # 0 stands for a history of zeros
            self.objects[name] = array
        else:
            self.constants[name] = array
        return name

    # --- values as text

    def literal(self, value: Any) -> str:
        """Return an expression for an option of an equation."""
        if isinstance(value, (float, complex)) and not isinstance(value, np.generic):
            return _number_text(value)
        if value is None or value is Ellipsis or isinstance(value, (bool, int, str, bytes)):
            return repr(value)
        if isinstance(value, slice):
            return f"slice({value.start!r}, {value.stop!r}, {value.step!r})"
        if isinstance(value, np.dtype):
            return self.dtype(value)
        if type(value) is tuple:
            return f"({''.join(self.literal(item) + ', ' for item in value).rstrip(' ')})"
        if isinstance(value, tuple) and self._import(type(value)):  # a NamedTuple
            return f"{type(value).__name__}({', '.join(map(self.literal, value))})"
        if callable(value) and self._import(value):
            return str(value.__name__)
        name = self.name("object")
        self.objects[name] = value
        return name

    def dtype(self, dtype: np.dtype[Any]) -> str:
        """Return an expression for a dtype."""
        if dtype.kind in "biufc" and dtype.isnative:
            return f"np.{dtype.name}"
        if dtype.kind == "V":
            self.import_line("import ml_dtypes")
        return f'np.dtype("{dtype.name if dtype.kind == "V" else dtype.str}")'

    def ufunc(self, function: np.ufunc) -> str | None:
        """Return an expression for a ufunc of NumPy or SciPy."""
        name = function.__name__
        if getattr(np, name, None) is function:
            return f"np.{name}"
        special = sys.modules.get("scipy.special")
        if special is not None and getattr(special, name, None) is function:
            self.import_line("from scipy import special")
            return f"special.{name}"
        return None

    def _import(self, value: Any) -> bool:
        """Import a class or function under its name, if it can be imported."""
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
        if module in (None, "__main__", "builtins") or not name.isidentifier():
            return False
        if getattr(importlib.import_module(str(module)), name, None) is not value:
            return False
        self.import_line(f"from {module} import {name}")
        return True

    def _constant_text(self, imports: list[str], array: Array) -> str:
        shape, dtype = array.shape, self.dtype(array.dtype)
        if not array.size:
            return f"np.empty({shape}, {dtype})"
        if array.dtype.kind == "O":
            return f"np.zeros({shape}, object)"
        if array.dtype.kind in "biufc":
            if array.size <= 16:
                return f"np.array({_nested(array.tolist())}, {dtype})"
            if not any(stride for stride, n in zip(array.strides, shape, strict=True) if n > 1):
                first = _nested(array[(0,) * array.ndim].item())
                return f"np.broadcast_to(np.array({first}, {dtype}), {shape})"
        if "import base64" not in imports:
            imports.append("import base64")
        data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        return f'np.frombuffer(base64.b64decode("{data}"), np.uint8).view({dtype}).reshape({shape})'


def _nested(values: Any) -> str:
    if isinstance(values, list):
        return f"[{', '.join(map(_nested, values))}]"
    return _number_text(values) if isinstance(values, (float, complex)) else repr(values)


def _number_text(value: float | complex) -> str:
    """Return a float or complex number as Python reads it, infinities, NaN and signs of zeros included."""
    if isinstance(value, complex):
        parts = f"{_number_text(value.real)}, {_number_text(value.imag)}"
        return f"complex({parts})"
    text = repr(value)
    return f'float("{text}")' if text in ("inf", "-inf", "nan") else text


def letters() -> Iterator[str]:
    """Return names for variables: a, b, ..., z, aa, ab, ..."""
    for length in itertools.count(1):
        for combination in itertools.product("abcdefghijklmnopqrstuvwxyz", repeat=length):
            name = "".join(combination)
            yield f"{name}_" if name in _TAKEN or keyword.iskeyword(name) else name
