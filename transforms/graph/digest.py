"""Digests of programs: equal for two programs that compute the same in the same way, in every process.

A digest says all that decides what a program computes: primitives, their options with the programs that these
carry, types, which operand is which result, and the bytes of constants. Variables are numbered, so that their
identities do not matter. A program that holds something whose meaning is not its value, as a Python function,
has no digest.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from typing import Any

import numpy as np

from transforms.graph.ir import Equation, Graph, Operand, Variable
from transforms.primitive import Primitive
from transforms.primitives.slicing import BasicIndex
from transforms.types import ArrayType

# Where the functions that evaluate primitives may come from: their code is known by a version.
_LIBRARIES = {"transforms", "numpy", "scipy", "_operator"}


def digest(graph: Graph) -> str | None:
    """Return the digest of a program, or None if it holds something that has none.

    It does not cover the code of the libraries that evaluate and compile primitives.
    """
    try:
        return _Digester().graph(graph)
    except _NoDigestError:
        return None


class _NoDigestError(Exception):
    """Something has no digest."""


class _Digester:
    """Writes programs as nested tuples of numbers, text and bytes, whose `repr` no two programs share.

    Attributes:
        graphs: the digests of programs so far, by identity: many equations may carry the same one.
        primitives: what stands for each primitive.
        dtypes: what stands for each dtype.
    """

    def __init__(self) -> None:
        self.graphs: dict[int, str] = {}
        self.primitives: dict[Primitive, Any] = {}
        self.dtypes: dict[np.dtype[Any], Any] = {}

    def graph(self, graph: Graph) -> str:
        """Return the digest of a program."""
        known = self.graphs.get(id(graph))
        if known is None:
            content = repr(self._content(graph)).encode()
            known = self.graphs[id(graph)] = hashlib.sha256(content).hexdigest()
        return known

    def _content(self, graph: Graph) -> Any:
        numbers: dict[Variable, int] = {}
        return (
            self._define(graph.inputs, numbers),
            [(self._define((x,), numbers), self.value(np.asarray(value))) for x, value in graph.constants],
            [self._equation(equation, numbers) for equation in graph.equations],
            [self._operand(x, numbers) for x in graph.outputs],
        )

    def _define(self, variables: tuple[Variable, ...], numbers: dict[Variable, int]) -> Any:
        """Number variables, and return their types."""
        for x in variables:
            numbers[x] = len(numbers)
        return [(x.type.shape, self.dtype(x.type.dtype), x.weak and x.weak.__name__) for x in variables]

    def _equation(self, equation: Equation, numbers: dict[Variable, int]) -> Any:
        operands = [self._operand(x, numbers) for x in equation.operands]
        attributes = [(name, self.value(value)) for name, value in sorted(equation.attributes.items())]
        types = self._define(equation.results, numbers)
        return self._primitive(equation.primitive), operands, attributes, types

    def _operand(self, operand: Operand, numbers: dict[Variable, int]) -> Any:
        return numbers[operand] if isinstance(operand, Variable) else (self.value(operand),)

    def _primitive(self, primitive: Primitive) -> Any:
        known = self.primitives.get(primitive)
        if known is None:
            function = primitive.evaluate
            if not _is_of_a_library(function):
                raise _NoDigestError
            kinds = (primitive.multiple, primitive.constant, primitive.elementwise, primitive.effect)
            known = self.primitives[primitive] = (primitive.name, _name(function), kinds)
        return known

    def dtype(self, dtype: np.dtype[Any]) -> Any:
        """Return what stands for a dtype."""
        known = self.dtypes.get(dtype)
        if known is None:
            if dtype.hasobject or dtype.fields is not None or dtype.subdtype is not None:
                raise _NoDigestError
            known = self.dtypes[dtype] = (dtype.str, dtype.name)
        return known

    def value(self, x: Any) -> Any:
        """Return what stands for the value of an option, or of a constant."""
        kind = type(x)
        if x is None or kind in (bool, int, str, bytes):
            return x
        if kind is float:  # its bits: zeros of two signs are equal, and NaN is not
            return "float", struct.pack("<d", x)
        if kind is complex:
            return "complex", struct.pack("<dd", x.real, x.imag)
        if kind in (tuple, list):
            return (kind.__name__, *map(self.value, x))
        if isinstance(x, np.dtype):
            return "dtype", self.dtype(x)
        if isinstance(x, (np.ndarray, np.generic)):
            content = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
            elements = hashlib.sha256(content.data).digest()
            return "array", self.dtype(x.dtype), x.shape, elements
        if kind is ArrayType:
            return "type", x.shape, self.dtype(x.dtype)
        if kind is BasicIndex:
            return "index", self.value(x.entries)
        return self._of_a_class(x)

    def _of_a_class(self, x: Any) -> Any:
        """Return what stands for a record, or for programs and what they are called with."""
        kind = type(x)
        if not _is_of_a_library(kind):
            raise _NoDigestError
        if hasattr(kind, "_fields"):
            return ("record", _name(kind), *map(self.value, x))
        if getattr(x, "graphs", None):
            return ("programs", _name(kind), *map(self.graph, x.graphs.values()))
        raise _NoDigestError


def _name(x: Any) -> tuple[str, str]:
    return getattr(x, "__module__", "ufunc"), getattr(x, "__qualname__", x.__name__)


def _is_of_a_library(x: Any) -> bool:
    """Whether a function or class is one whose code a version of a library tells."""
    if isinstance(x, np.ufunc):  # it does not say where it comes from
        places = (np, *map(sys.modules.get, ("scipy.special", "scipy.special._ufuncs")))
        return any(getattr(place, x.__name__, None) is x for place in places)
    module = getattr(x, "__module__", None) or ""
    return module.partition(".")[0] in _LIBRARIES
