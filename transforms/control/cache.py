"""Functions as programs: traced once for each type of their arguments."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import check_outputs
from transforms.control.program import Program, make_program, weak_kind
from transforms.errors import message
from transforms.tracer import Tracer
from transforms.types import Array


class Traced(NamedTuple):
    """A program that a function became for some types of arguments.

    Attributes:
        program: from the leaves of the arguments, and then what it captures, to the leaves of the output.
        captured: tracers of other transforms that the function closes over.
        structure: of the output.
    """

    program: Program
    captured: list[Tracer]
    structure: tree.Structure


# Leaves of these classes have a shape and a dtype, and are never traced.
ARRAYS = frozenset({np.ndarray, *np.sctypeDict.values()})
# These go to a compiled program as they are.
PLAIN = ARRAYS | {float, int, bool, complex}
_shape_and_dtype = operator.attrgetter("shape", "dtype")
_KEPT_REASONS = 100


class _Guess(NamedTuple):
    """The structure that the next call's arguments probably have: to check takes less time than to find out.

    Attributes:
        structure: the structure.
        dicts: the keys that lead to each dict in it.
    """

    structure: tree.Structure
    dicts: list[tuple[Any, ...]]

    def leaves(self, x: Any) -> list[Any] | None:
        """Return the leaves of a tree; None unless they are arrays and numbers in this structure."""
        leaves = self.candidates(x)
        return leaves if leaves is not None and PLAIN.issuperset(map(type, leaves)) else None

    def candidates(self, x: Any) -> list[Any] | None:
        """Return what stands in a tree where this structure has leaves; None if other nodes are above."""
        try:
            leaves: list[Any] = self.structure.flatten_up_to(x)
        except ValueError:
            return None
        for keys in self.dicts:  # which optree takes for equal to their subclasses
            node = x
            for key in keys:
                node = node[key]
            if type(node) is not dict:
                return None
        return leaves


class _Last(NamedTuple):
    """The program of the call before, if its leaves were arrays: most calls are like that.

    To compare lists takes less time than to hash them.

    Attributes:
        structure: of the arguments.
        shapes: of the leaves.
        dtypes: of the leaves.
        traced: the program.
    """

    structure: tree.Structure
    shapes: list[Any]
    dtypes: list[Any]
    traced: Traced


def _guess(structure: tree.Structure) -> _Guess | None:
    """Return the guess of a structure, if all its nodes are of the common kinds."""
    dicts: list[tuple[Any, ...]] = []
    nodes: list[tuple[tree.Structure, tuple[Any, ...]]] = [(structure, ())]
    while nodes:
        node, keys = nodes.pop()
        if node.is_leaf():
            continue
        kind = node.type
        is_named = isinstance(kind, type) and issubclass(kind, tuple)
        if not is_named and kind not in (dict, list, type(None)):
            return None
        if kind is dict:
            dicts.append(keys)
        entries = range(node.num_children) if is_named else node.entries()
        children = zip(node.children(), entries, strict=True)
        nodes.extend((child, (*keys, entry)) for child, entry in children)
    return _Guess(structure, dicts)


class ProgramCache:
    """The programs of one function.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        where: the callable to name in errors.
        static_argnums: positions of arguments that are not traced.
        static_argnames: names of arguments that are not traced.
    """

    def __init__(
        self,
        f: Callable[..., Any],
        where: str,
        static_argnums: tuple[int, ...] = (),
        static_argnames: tuple[str, ...] = (),
    ) -> None:
        self._function = f
        self._where = where
        self._name: str = getattr(f, "__name__", "function")
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._programs: dict[Any, Traced] = {}
        self._guess: _Guess | None = None
        self._last: _Last | None = None
        self.reasons: deque[str] = deque(maxlen=_KEPT_REASONS)

    def __len__(self) -> int:
        return len(self._programs)

    def clear(self) -> None:
        """Forget all programs."""
        self._programs.clear()
        self._last = None
        self.reasons.clear()

    def look_up(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Traced, list[Any]]:
        """Return the program for these arguments, traced now if it is the first time, and their leaves."""
        leaves, structure, statics = self._split(args, kwargs)
        if not ARRAYS.issuperset(map(type, leaves)):
            signature = tuple([_signature(self._where, leaf) for leaf in leaves])
            return self._known(leaves, structure, signature, statics), leaves
        last = self._last
        if (
            last is not None
            and structure is last.structure  # as it comes from `_Guess`, where no argument is static
            and [x.shape for x in leaves] == last.shapes
            and [x.dtype for x in leaves] == last.dtypes
        ):
            return last.traced, leaves
        signature = tuple(map(_shape_and_dtype, leaves))
        traced = self._known(leaves, structure, signature, statics)
        if statics is None and not traced.captured:
            self._last = _Last(structure, [x.shape for x in leaves], [x.dtype for x in leaves], traced)
        return traced, leaves

    def probable(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Traced, list[Any]] | None:
        """Return the program of the call before, and what these arguments have where it has leaves.

        Whether the types fit is for the caller to see. None if the structure differs, or is not all there is.
        """
        last, guess = self._last, self._guess
        if last is None or guess is None or guess.structure is not last.structure:
            return None
        leaves = guess.candidates((args, kwargs))
        return None if leaves is None else (last.traced, leaves)

    def _known(self, leaves: list[Any], structure: tree.Structure, signature: Any, statics: Any) -> Traced:
        traced = self._programs.get((structure, signature, statics))
        return self._trace(leaves, structure, signature, statics) if traced is None else traced

    def _split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any, Any]:
        """Return the leaves and structure of the traced arguments, and the static ones with their places."""
        if not (self._static_argnums or self._static_argnames):
            guess = self._guess
            known = None if guess is None else guess.leaves((args, kwargs))
            if known is not None:
                return known, guess.structure, None  # type: ignore[union-attr]
            leaves, structure = tree.flatten((args, kwargs))
            return leaves, structure, None
        statics: dict[Any, Any] = {
            n % len(args): args[n] for n in self._static_argnums if -len(args) <= n < len(args)
        }
        names = {name: kwargs[name] for name in self._static_argnames if name in kwargs}
        dynamic = tuple(None if i in statics else x for i, x in enumerate(args))
        dynamic_named = {name: x for name, x in kwargs.items() if name not in names}
        leaves, structure = tree.flatten((dynamic, dynamic_named))
        # With their types, because 1, 1.0 and True are equal.
        frozen = tuple((place, type(x), x) for place, x in {**statics, **names}.items())
        try:
            hash(frozen)
        except TypeError as error:
            place, value = next((place, x) for place, _, x in frozen if not _is_hashable(x))
            raise TypeError(
                message(
                    f"{self._where}({self._name})",
                    "a static argument",
                    "be hashable",
                    f"a {type(value).__name__} for argument {place!r}",
                    "pass it as a tuple, or trace it",
                )
            ) from error
        return leaves, structure, frozen

    def _trace(self, leaves: list[Any], structure: tree.Structure, signature: Any, statics: Any) -> Traced:
        reason = self._reason(structure, signature, statics)
        out_structure: list[tree.Structure] = []

        def flat(*tracers: Array) -> list[Array]:
            args, kwargs = _merge(structure.unflatten(tracers), statics)
            out = self._function(*args, **kwargs)
            out_leaves, spec = tree.flatten(out)
            check_outputs(self._where, self._function, out, out_leaves)
            out_structure.append(spec)
            return out_leaves

        types = [s if isinstance(s, type) else leaf for s, leaf in zip(signature, leaves, strict=True)]
        program, captured = make_program(flat, types, self._name, self._where)
        self.reasons.append(reason)
        traced = Traced(program, captured, out_structure[0])
        if not captured:
            self._guess = _guess(structure)
            self._programs[structure, signature, statics] = traced
        return traced

    def _reason(self, structure: tree.Structure, signature: Any, statics: Any) -> str:
        known = list(self._programs)  # at once, because other threads trace too
        if not known:
            return f"{self._name}: traced for the first time, for {_listed(signature)}"
        for other_structure, other_signature, other_statics in known:
            if other_structure == structure and other_statics == statics:
                changed = [
                    f"{_shown(old)} became {_shown(new)}"
                    for old, new in zip(other_signature, signature, strict=True)
                    if old != new
                ]
                listed = ", ".join(changed)
                return f"{self._name}: traced again, because the type of an argument changed: {listed}"
        if any(other == structure for other, _, _ in known):
            changed_to = {place: value for place, _, value in statics}
            return f"{self._name}: traced again, because a static argument changed to {changed_to}"
        return f"{self._name}: traced again, because the tree of the arguments changed to {structure}"


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _merge(dynamic: Any, statics: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = dynamic
    if statics is None:
        return args, kwargs
    values = {place: value for place, _, value in statics}
    named = {name: value for name, value in values.items() if isinstance(name, str)}
    return tuple(values.get(i, x) for i, x in enumerate(args)), {**kwargs, **named}


def _signature(where: str, leaf: Any) -> Any:
    """Return what of a leaf the program depends on: its shape and dtype, or that it is a Python number."""
    kind = weak_kind(leaf)
    if kind is not None:
        return kind
    try:
        return _shape_and_dtype(leaf)
    except AttributeError:
        raise TypeError(
            message(
                where,
                "each leaf of the arguments",
                "be an array or a number",
                f"{leaf!r} of type {type(leaf).__name__}",
                "name the argument in static_argnums or static_argnames",
            )
        ) from None


def _shown(signature: Any) -> str:
    if isinstance(signature, type):
        return signature.__name__
    shape, dtype = signature
    return f"{dtype}[{','.join(map(str, shape))}]"


def _listed(signature: Any) -> str:
    return ", ".join(map(_shown, signature)) or "no arguments"
