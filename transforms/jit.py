"""`jit`: trace a function once for each type of its arguments, and run the compiled program after that."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from transforms import tree
from transforms.backends import DEVICE_BACKENDS, DONATING_BACKENDS, compile_graph
from transforms.backends.placement import Placement, place
from transforms.boundary import check_callable
from transforms.control.cache import PLAIN, ProgramCache, Traced
from transforms.control.nans import are_checked, run_in_the_open
from transforms.control.program import Program, call_program
from transforms.errors import message
from transforms.graph.ir import Graph
from transforms.graph.stage import is_staging
from transforms.tracer import Tracer, as_operand


@functools.cache
def default_backend() -> str:
    """Return the backend of `jit` where none is named: "llvm", or "numpy" where llvmlite is not installed."""
    return "llvm" if importlib.util.find_spec("llvmlite") else "numpy"


Names = str | Sequence[str]
Numbers = int | Sequence[int]


class Lowered(NamedTuple):
    """What `Jitted.lower` returns: the program for some types of arguments.

    Attributes:
        program: the program.
        backend: the backend that it is for.
        donated: positions of inputs that the backend may write results over.
    """

    program: Program
    backend: str
    donated: tuple[int, ...] = ()

    @property
    def graph(self) -> Graph:
        """The program's graph."""
        return self.program.graph

    def source(self) -> str:
        """Return what the backend made of the graph, as text."""
        text: str = _compiled(self.program, self.backend, self.donated).source()
        return text

    def __repr__(self) -> str:
        return repr(self.graph)


class Shardings(NamedTuple):
    """Where a backend with many devices puts the leaves of the arguments, and of the output."""

    inputs: Any = None
    outputs: Any = None


class Jitted:
    """A function that runs as a compiled program. Made by `jit`."""

    def __init__(
        self,
        f: Callable[..., Any],
        backend: str,
        static_argnums: tuple[int, ...],
        static_argnames: tuple[str, ...],
        donate_argnums: tuple[int, ...],
        shardings: Shardings,
    ) -> None:
        functools.update_wrapper(self, f)
        self.__name__: str = getattr(f, "__name__", "function")
        self._function = f
        self._backend = backend
        self._static_argnums = static_argnums
        self._static_argnames = static_argnames
        self._donate_argnums = donate_argnums
        self._shardings = shardings
        self._writes_over = bool(donate_argnums) and backend in DONATING_BACKENDS
        self._cache = ProgramCache(f, "jit", static_argnums, static_argnames)
        self._executables: dict[Program, Callable[..., Any]] = {}
        self._attempts: dict[Program, Callable[[list[Any]], Sequence[Any] | None]] = {}
        self._bound: dict[int, tuple[weakref.ref[Any], Jitted]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program for the types of these arguments; trace and compile it if it is the first time."""
        if are_checked():
            return run_in_the_open(self._function, args, kwargs)
        if self._writes_over and is_staging():  # what is being traced may be traced again
            traced, leaves = self._cache.look_up(args, kwargs)
            return traced.structure.unflatten(self._call(traced, leaves))
        probable = self._cache.probable(args, kwargs)
        if probable is not None:
            traced, leaves = probable
            attempt = self._attempts.get(traced.program)
            results = None if attempt is None else attempt(leaves)
            if results is not None:
                return traced.structure.unflatten(results)
        traced, leaves = self._cache.look_up(args, kwargs)
        executable = self._executables.get(traced.program)
        if executable is not None and PLAIN.issuperset(map(type, leaves)):
            return traced.structure.unflatten(executable(*leaves))
        return traced.structure.unflatten(self._run(traced, leaves, args, kwargs))

    def _run(
        self, traced: Traced, leaves: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Sequence[Any]:
        """Run a program that is not compiled yet, or on leaves that may be something else than arrays."""
        part_of_another = traced.program.has_effect and is_staging()
        if part_of_another or traced.captured or any(isinstance(leaf, Tracer) for leaf in leaves):
            return self._call(traced, leaves)
        if self._backend in DEVICE_BACKENDS:
            return self._on_device(traced, args, kwargs)(*leaves)  # type: ignore[no-any-return]
        donated = self._donated(traced, args, kwargs)
        executable = _compiled(traced.program, self._backend, donated)
        if not (are_checked() or traced.program.has_effect):
            self._executables[traced.program] = executable
            # Some backends see for themselves what they are given.
            attempt = getattr(executable, "attempt", None)
            if attempt is not None:
                self._attempts[traced.program] = attempt
        operands = [*map(as_operand, leaves)]
        for i in donated:
            if operands[i] is not leaves[i]:  # memory of something that is not an array
                operands[i] = operands[i].copy()
        return executable(*operands)  # type: ignore[no-any-return]

    def _call(self, traced: Traced, leaves: list[Any]) -> Sequence[Any]:
        """Run a program as a part of what other transforms trace."""
        return call_program(traced.program, self._backend, *leaves, *traced.captured)

    def _on_device(self, traced: Traced, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the compiled program whose results stay on their device."""
        program = traced.program

        def compiled() -> Any:
            return compile_graph(program.graph, self._backend, self._placement(traced, args, kwargs))

        return program.derive(("on its device", self._backend), compiled)

    def _placement(self, traced: Traced, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Placement:
        statics, donated = (
            {n % len(args) for n in numbers if -len(args) <= n < len(args)}
            for numbers in (self._static_argnums, self._donate_argnums)
        )
        return place(
            {i: x for i, x in enumerate(args) if i not in statics},
            {name: x for name, x in kwargs.items() if name not in self._static_argnames},
            donated,
            self._shardings.inputs,
            traced.structure,
            self._shardings.outputs,
        )

    def _donated(self, traced: Traced, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[int, ...]:
        """Return the positions of the leaves that the program may write over."""
        return self._placement(traced, args, kwargs).donated if self._writes_over else ()

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind to an instance, as a method does.

        What the instance holds is static, unless it is a tree: then it is an argument like any other.

        Raises:
            TypeError: it is neither a tree nor does it allow weak references.
        """
        if instance is None:
            return self
        if not tree.structure(instance).is_leaf():
            return functools.partial(self, instance)
        reference, jitted = self._bound.get(id(instance), (None, None))
        if reference is None or reference() is not instance:
            jitted = self._bind(instance)
        return _Bound(instance, jitted)

    def _bind(self, instance: Any) -> Jitted:
        """Return the function for one instance, which lives as long as that does."""
        forget = functools.partial(self._bound.pop, id(instance))
        try:
            reference = weakref.ref(instance, lambda _: forget(None))
        except TypeError as error:
            what = f"{self.__name__}: the instance"
            rule, remedy = "allow weak references", "add '__weakref__' to __slots__, or make it a tree"
            raise TypeError(message("jit", what, rule, type(instance).__name__, remedy)) from error
        function = self._function

        @functools.wraps(function)
        def method(*args: Any, **kwargs: Any) -> Any:
            return function(reference(), *args, **kwargs)

        jitted = Jitted(
            method,
            self._backend,
            tuple(n - (n > 0) for n in self._static_argnums if n),
            self._static_argnames,
            tuple(n - (n > 0) for n in self._donate_argnums if n),
            self._shardings,
        )
        self._bound[id(instance)] = (reference, jitted)
        return jitted

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """Return the program for arguments like these; leaves may be `ArrayType` instead of arrays."""
        traced, _ = self._cache.look_up(args, kwargs)
        return Lowered(traced.program, self._backend, self._donated(traced, args, kwargs))

    def profile(self, *args: Any, calls: int = 10, **kwargs: Any) -> str:
        """Return a table of the time that each step of the native program takes, the longest first.

        Beside each time stand the bytes and the operations a second; the first lines say what this machine
        can do at most.

        Args:
            *args: arguments of the function, whose leaves are arrays.
            calls: how often to run the program; of each step the shortest time counts.
            **kwargs: further arguments.

        Raises:
            ValueError: the backend is another one than "llvm".
        """
        traced, leaves = self._cache.look_up(args, kwargs)
        executable = _compiled(traced.program, self._backend, self._donated(traced, args, kwargs))
        if not hasattr(executable, "profile"):
            remedy = "use jit(f, backend='llvm')"
            raise ValueError(message("profile", "the backend", "be 'llvm'", repr(self._backend), remedy))
        table: str = executable.profile(*leaves, calls=calls)
        return table

    def explain(self) -> str:
        """Return why the function was traced each time that it was."""
        return "\n".join(self._cache.reasons) or f"{self.__name__}: not traced yet"

    def cache_size(self) -> int:
        """Return the number of programs that are kept."""
        return len(self._cache)

    def clear_cache(self) -> None:
        """Forget all programs."""
        self._cache.clear()
        self._executables.clear()
        self._attempts.clear()


def _compiled(program: Program, backend: str, donated: tuple[int, ...]) -> Any:
    """Return a compiled program that may write over inputs, if there are any."""
    if not donated or are_checked():
        return program.compiled(backend)
    return program.derive(
        ("donating", backend, donated),
        lambda: compile_graph(program.graph, backend, Placement(donated)),
    )


class _Bound:
    """A jitted method of an instance, which it keeps alive."""

    __slots__ = ("_instance", "_jitted")

    def __init__(self, instance: Any, jitted: Any) -> None:
        self._instance = instance
        self._jitted = jitted

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._jitted(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._jitted, name)


def jit(
    f: Callable[..., Any] | None = None,
    *,
    backend: str | None = None,
    static_argnums: Numbers = (),
    static_argnames: Names = (),
    donate_argnums: Numbers = (),
    in_shardings: Any = None,
    out_shardings: Any = None,
) -> Any:
    """Compile a function: trace it once for each type of its arguments, and then run the program.

    Use it as ``jit(f)``, ``@jit`` or ``@jit(backend=...)``. The function must be pure, and must not branch
    on values. Arrays that it closes over are constants of the program.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        backend: what runs the program: "llvm", native code, which is the default where llvmlite is installed;
            "numpy"; or "xla", on the devices that JAX finds. The results of "xla" are JAX arrays, which stay
            on their device.
        static_argnums: positions of arguments that are not traced: hashable values, on which the function may
            branch. Each value has a program of its own.
        static_argnames: names of arguments that are not traced. An argument that ``f`` names is static
            whether it is given by position or by name, if it is static in one way.
        donate_argnums: positions of arguments that must not be used again after the call, so that "llvm" and
            "xla" may write results of the same shape and dtype over them: a training step then needs no
            second copy of its parameters. Under "llvm" such a NumPy array becomes the result, read-only.
            Nothing stops you from looking at it: it holds the new values. So does whatever else shares its
            memory: views of it, a pullback or a program that has kept it. An array that does not own
            its memory (a view, a mapped file), or shares it with another argument, is copied before. If the
            call raises an error, what donated arrays hold is not known. "numpy" ignores the option, and so
            does a call that is part of what another transform traces.
        in_shardings: for "xla", a JAX sharding of all leaves of the arguments, or a tuple with a tree of
            shardings for each traced positional argument. A leaf stands for a whole subtree, and None says
            that the arrays are where they should be.
        out_shardings: for "xla", a tree of shardings for the output, likewise.

    Returns:
        A function like ``f``, with the methods ``lower``, ``explain``, ``cache_size`` and ``clear_cache``.
        The arrays that it returns are read-only.

    Raises:
        ConcreteValueError: when called, if ``f`` branches on a traced value.
        TypeError: ``f`` is no function; when called, if a leaf of the arguments is no array, or a static
            argument is not hashable.
        ValueError: there is no such backend, or it takes no shardings; or a name is that of no parameter.
        ImportError: when called, if JAX, which "xla" needs, is not installed.

    >>> import numpy as np
    >>> f = jit(lambda x: np.sin(x) ** 2)
    >>> f(np.zeros(2)), f.cache_size()
    (array([0., 0.]), 1)
    >>> step = jit(lambda params, gradient: params - 0.5 * gradient, donate_argnums=0)
    >>> params = np.ones(2)
    >>> params = step(params, np.ones(2))  # the old parameters are gone
    >>> params
    array([0.5, 0.5])
    """
    if f is None:
        return functools.partial(
            jit,
            backend=backend,
            static_argnums=static_argnums,
            static_argnames=static_argnames,
            donate_argnums=donate_argnums,
            in_shardings=in_shardings,
            out_shardings=out_shardings,
        )
    check_callable("jit", f)
    backend = backend or default_backend()
    shardings = Shardings(in_shardings, out_shardings)
    if backend not in DEVICE_BACKENDS and shardings != Shardings():
        given = f"backend={backend!r}"
        raise ValueError(message("jit", "in_shardings and out_shardings", "go with backend='xla'", given))
    names = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    donated = (donate_argnums,) if isinstance(donate_argnums, int) else tuple(donate_argnums)
    static_numbers, static_names = _in_both_ways(f, numbers, names)
    return Jitted(f, backend, static_numbers, static_names, donated, shardings)


def _in_both_ways(
    f: Callable[..., Any], numbers: tuple[int, ...], names: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return positions and names of static arguments; one that has both may be given either way."""
    if not (numbers or names):
        return numbers, names
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except ValueError:  # a function that is not written in Python
        return numbers, names
    known = {p.name for p in parameters}
    if not any(p.kind is p.VAR_KEYWORD for p in parameters) and not known.issuperset(names):
        unknown = next(name for name in names if name not in known)
        listed = ", ".join(p.name for p in parameters) or "none"
        raise ValueError(message("jit", "static_argnames", f"name parameters ({listed})", repr(unknown)))
    order = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        numbers = tuple(n + len(order) if n < 0 else n for n in numbers)
    positions = [order.index(name) for name in names if name in order]
    named = [order[n] for n in numbers if 0 <= n < len(order)]
    return tuple(dict.fromkeys((*numbers, *positions))), tuple(dict.fromkeys((*names, *named)))
