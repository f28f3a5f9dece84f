"""`jit`: trace a function once for each type of its arguments, and run the compiled program after that."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transforms import tree
from transforms.control.program import Program, call_program, make_program
from transforms.errors import message
from transforms.graph.ir import Graph
from transforms.tracer import Tracer
from transforms.types import Array
from transforms.vjp import check_outputs

DEFAULT_BACKEND = "numpy"

Names = str | Sequence[str]
Numbers = int | Sequence[int]


class Lowered(NamedTuple):
    """What `Jitted.lower` returns: the program for some types of arguments.

    Attributes:
        program: the program.
        backend: the backend that it is for.
    """

    program: Program
    backend: str

    @property
    def graph(self) -> Graph:
        """The program's graph."""
        return self.program.graph

    def source(self) -> str:
        """Return what the backend made of the graph, as text."""
        text: str = self.program.compiled(self.backend).source()
        return text

    def __repr__(self) -> str:
        return repr(self.graph)


class _Traced(NamedTuple):
    program: Program
    captured: list[Tracer]
    structure: tree.Structure
    run: Callable[..., Sequence[Array]]


class Jitted:
    """A function that runs as a compiled program. Made by `jit`."""

    def __init__(
        self,
        f: Callable[..., Any],
        backend: str,
        static_argnums: tuple[int, ...],
        static_argnames: tuple[str, ...],
        donate_argnums: tuple[int, ...],
    ) -> None:
        functools.update_wrapper(self, f)
        self.__name__: str = getattr(f, "__name__", "function")
        self._function = f
        self._backend = backend
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._donate_argnums = donate_argnums
        self._cache: dict[Any, _Traced] = {}
        self._reasons: list[str] = []
        self._bound: weakref.WeakKeyDictionary[Any, Jitted] = weakref.WeakKeyDictionary()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program for the types of these arguments; trace and compile it if it is the first time."""
        leaves, structure, statics = self._split(args, kwargs)
        signature = tuple([_signature(leaf) for leaf in leaves])
        traced = self._cache.get((structure, signature, statics))
        if traced is None:
            traced = self._trace(leaves, structure, signature, statics)
        for leaf in leaves:
            if isinstance(leaf, Tracer):
                return self._call_traced(traced, leaves)
        if traced.captured:
            return self._call_traced(traced, leaves)
        return traced.structure.unflatten(traced.run(*leaves))

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as a method does; what the instance holds is static."""
        if instance is None:
            return self
        bound = self._bound.get(instance)
        if bound is None:
            method = self._function.__get__(instance, owner)
            bound = Jitted(
                method,
                self._backend,
                tuple(n - 1 for n in self._static_argnums if n > 0),
                self._static_argnames,
                tuple(n - 1 for n in self._donate_argnums if n > 0),
            )
            self._bound[instance] = bound
        return bound

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Return the program for arguments like these; leaves may be `ArrayType` instead of arrays."""
        leaves, structure, statics = self._split(args, kwargs)
        signature = tuple([_signature(leaf) for leaf in leaves])
        traced = self._cache.get((structure, signature, statics))
        if traced is None:
            traced = self._trace(leaves, structure, signature, statics)
        return Lowered(traced.program, self._backend)

    def explain(self) -> str:
        """Return why the function was traced each time that it was."""
        return "\n".join(self._reasons) or f"{self.__name__}: not traced yet"

    def cache_size(self) -> int:
        """Return the number of programs that are kept."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all programs."""
        self._cache.clear()
        self._reasons.clear()

    def _split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any, Any]:
        """Return the leaves and structure of the traced arguments, and the static ones with their places."""
        if not (self._static_argnums or self._static_argnames):
            leaves, structure = tree.flatten((args, kwargs))
            return leaves, structure, None
        statics: dict[Any, Any] = {
            n % len(args): args[n] for n in self._static_argnums if -len(args) <= n < len(args)
        }
        names = {name: kwargs[name] for name in self._static_argnames if name in kwargs}
        dynamic = tuple(None if i in statics else x for i, x in enumerate(args))
        dynamic_named = {name: x for name, x in kwargs.items() if name not in names}
        leaves, structure = tree.flatten((dynamic, dynamic_named))
        frozen = tuple({**statics, **names}.items())
        try:
            hash(frozen)
        except TypeError as error:
            raise TypeError(
                message(
                    f"jit({self.__name__})",
                    "a static argument",
                    "be hashable",
                    f"{statics | names}",
                    "pass it as a tuple, or trace it",
                )
            ) from error
        return leaves, structure, frozen

    def _call_traced(self, traced: _Traced, leaves: list[Any]) -> Any:
        outs = call_program(traced.program, self._backend, *leaves, *traced.captured)
        return traced.structure.unflatten(outs)

    def _trace(self, leaves: list[Any], structure: tree.Structure, signature: Any, statics: Any) -> _Traced:
        self._reasons.append(self._reason(structure, signature, statics))
        out_structure: list[tree.Structure] = []

        def flat(*tracers: Array) -> list[Array]:
            args, kwargs = _merge(structure.unflatten(tracers), statics)
            out = self._function(*args, **kwargs)
            out_leaves, spec = tree.flatten(out)
            check_outputs("jit", self._function, out, out_leaves)
            out_structure.append(spec)
            return out_leaves

        types = [s if isinstance(s, type) else leaf for s, leaf in zip(signature, leaves, strict=True)]
        program, captured = make_program(flat, types, self.__name__)
        traced = _Traced(program, captured, out_structure[0], program.compiled(self._backend))
        if not captured:
            self._cache[structure, signature, statics] = traced
        return traced

    def _reason(self, structure: tree.Structure, signature: Any, statics: Any) -> str:
        if not self._cache:
            return f"{self.__name__}: traced for the first time, for {_listed(signature)}"
        for other_structure, other_signature, other_statics in self._cache:
            if other_structure == structure and other_statics == statics:
                changed = [
                    f"{_shown(old)} became {_shown(new)}"
                    for old, new in zip(other_signature, signature, strict=True)
                    if old != new
                ]
                listed = ", ".join(changed)
                return f"{self.__name__}: traced again, because the type of an argument changed: {listed}"
        if any(other == structure for other, _, _ in self._cache):
            return f"{self.__name__}: traced again, because a static argument changed to {statics}"
        return f"{self.__name__}: traced again, because the tree of the arguments changed to {structure}"


def _merge(dynamic: Any, statics: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    args, kwargs = dynamic
    if statics is None:
        return args, kwargs
    values = dict(statics)
    named = {name: value for name, value in values.items() if isinstance(name, str)}
    return tuple(values.get(i, x) for i, x in enumerate(args)), {**kwargs, **named}


def _signature(leaf: Any) -> Any:
    """Return what of a leaf the program depends on: its shape and dtype, or that it is a Python number."""
    kind = leaf.__class__
    if kind is float or kind is int or kind is bool or kind is complex:
        return kind
    try:
        return (leaf.shape, leaf.dtype)
    except AttributeError:
        raise TypeError(
            message(
                "jit",
                "each leaf of the arguments",
                "be an array or a number",
                f"{leaf!r} of type {kind.__name__}",
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


def jit(
    f: Callable[..., Any] | None = None,
    *,
    backend: str | None = None,
    static_argnums: Numbers = (),
    static_argnames: Names = (),
    donate_argnums: Numbers = (),
) -> Any:
    """Compile a function: trace it once for each type of its arguments, and then run the program.

    Use it as ``jit(f)``, ``@jit`` or ``@jit(backend=...)``. The function must be pure, and must not branch
    on values. Arrays that it closes over are constants of the program.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        backend: what runs the program: "numpy".
        static_argnums: positions of arguments that are not traced: hashable values, on which the function may
            branch. Each value has a program of its own.
        static_argnames: names of arguments that are not traced. A name in the signature of ``f`` is static
            by position as well.
        donate_argnums: positions of arguments that are not used again after the call, so that a backend
            may write its results over them.

    Returns:
        A function like ``f``, with the methods ``lower``, ``explain``, ``cache_size`` and ``clear_cache``.
        The arrays that it returns are read-only.

    Raises:
        ConcreteValueError: when called, if ``f`` branches on a traced value.
        TypeError: when called, if a leaf of the arguments is no array, or a static argument is not hashable.
        ValueError: there is no such backend.

    >>> f = jit(lambda x: np.sin(x) ** 2)
    >>> f(np.zeros(2)), f.cache_size()
    (array([0., 0.]), 1)
    """
    if f is None:
        return functools.partial(
            jit,
            backend=backend,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
        )
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    donated = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    return Jitted(f, backend or DEFAULT_BACKEND, (*numbers, *_positions(f, names)), names, donated)


def _positions(f: Callable[..., Any], names: tuple[str, ...]) -> list[int]:
    if not names:
        return []
    parameters = list(inspect.signature(f).parameters)
    return [parameters.index(name) for name in names if name in parameters]
