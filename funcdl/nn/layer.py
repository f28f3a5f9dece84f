"""What a layer is, and how an error inside a model, or who looks at it, comes to know a layer's place."""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from transforms import type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType

T = TypeVar("T")


class Init(Protocol):
    """Makes the parameters and the state of a layer, as `Layer` describes."""

    def __call__(self, key: Array, x: Array | ArrayType, /) -> tuple[Tree, Tree]:
        """Return ``(params, state)``."""


class Apply(Protocol):
    """Computes the output of a layer, as `Layer` describes."""

    def __call__(
        self, params: Tree, state: Tree, x: Array, /, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        """Return ``(y, state)``."""


class Layer(NamedTuple):
    """A part of a model: two pure functions.

    A layer without state can also be called, ``y = layer(params, x)``, for its output when not training.

    Attributes:
        init: ``init(key, x) -> (params, state)``, with a random key and an example batch or its
            `ArrayType`. Parameters are what an optimizer changes; state is what ``apply`` changes, and
            ``()`` where there is none.
        apply: ``apply(params, state, x, *, key=None, training=False) -> (y, state)``. The key is for
            layers that draw random numbers while training.
        name: what errors call the layer.
        has_state: whether ``init`` returns a state that is not ``()``.

    >>> def init(key, x):
    ...     return {"scale": np.ones(x.shape[-1:], x.dtype)}, ()
    >>> def apply(params, state, x, *, key=None, training=False):
    ...     return params["scale"] * x, state
    >>> scale = Layer(init, apply, "scale")
    >>> scale({"scale": np.array([1.0, 10.0])}, np.array([[1.0, 2.0]]))
    array([[ 1., 20.]])
    """

    init: Init
    apply: Apply
    name: str = "layer"
    has_state: bool = False

    def __call__(self, params: Tree, x: Array) -> Array:
        """Return the output when not training, of a layer without state.

        Raises:
            TypeError: the layer has state.
        """
        if self.has_state:
            raise TypeError(
                message(
                    self.name,
                    "a layer that is called",
                    "have no state",
                    "one that has",
                    "write y, state = layer.apply(params, state, x)",
                )
            )
        return self.apply(params, (), x)[0]


def as_layer(where: str, part: Layer | Callable[[Any], Any]) -> Layer:
    """Return a layer as it is, and a function of one array as a layer without parameters.

    Args:
        where: the callable to name in an error.
        part: the layer or the function.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(part, Layer):
        return part
    if not callable(part):
        raise TypeError(
            message(where, "each part", "be a layer or a function of one array", f"a {type(part).__name__}")
        )
    if getattr(part, "__annotations__", {}).get("return") in (Layer, "Layer"):
        name = _name_of(part)
        rule, got = "be a layer or a function of one array", f"{name}, which makes one"
        raise TypeError(message(where, "each part", rule, got, f"call it: {name}(...)"))
    return from_function(_name_of(part), part)


def from_function(name: str, function: Callable[[Any], Any]) -> Layer:
    """Return the layer without parameters that applies a function of one array."""

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        y = function(x)
        if isinstance(y, Layer):
            raise TypeError(
                message(
                    name, "a function used as a layer", "return an array", "a layer", f"call nn.{name}(...)"
                )
            )
        return y, state

    return Layer(no_params, apply, name)


def no_params(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
    """The ``init`` of a layer with neither parameters nor state."""
    return (), ()


def _name_of(function: Callable[..., Any]) -> str:
    if isinstance(function, functools.partial):
        return _name_of(function.func)
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


# Who is told of the layers that a model applies; None but inside of `watched`.
_WATCHER: contextvars.ContextVar[Callable[..., Any] | None] = contextvars.ContextVar("watcher", default=None)


@contextlib.contextmanager
def watched(watcher: Callable[..., Any]) -> Iterator[None]:
    """Let a function apply the parts of models, in this thread, in place of the models themselves.

    Args:
        watcher: ``watcher(place, layer, params, state, x, *, key, training) -> (y, state)``, where place is
            the combinator's name and the layer's place in it, such as "serial/2". It must call
            ``layer.apply``, which calls the watcher again for the parts of the layer.
    """
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def apply_part(
    place: str, layer: Layer, params: Tree, state: Tree, x: Any, *, key: Array | None, training: bool
) -> tuple[Any, Tree]:
    """Apply a layer on behalf of a combinator, by way of the watcher if there is one."""
    watcher = _WATCHER.get()
    if watcher is None:
        return layer.apply(params, state, x, key=key, training=training)
    result: tuple[Any, Tree] = watcher(place, layer, params, state, x, key=key, training=training)
    return result


def within(place: str, layer: Layer, function: Callable[..., T], *args: Any, **options: Any) -> T:
    """Call a function on behalf of a layer in a model; an error that it raises gains the layer's path.

    Args:
        place: the combinator's name and the layer's place in it, such as "serial/2".
        layer: the layer.
        function: what to call: its ``init`` or ``apply``, or what calls these.
        *args: arguments of the function.
        **options: keyword arguments of the function.

    Raises:
        ValueError, TypeError: as the function does, with "serial/2 (dense): ..." for a message.
    """
    try:
        call: Any = functools.partial(apply_part, place, layer) if function is layer.apply else function
        result: T = call(*args, **options)
        return result
    except (ValueError, TypeError) as error:
        text = str(error)
        # A message that begins with the layer's own name, or with a path from it, goes on from there.
        rest = text.removeprefix(layer.name)
        if rest == text or rest[:1] not in (":", "/"):
            rest = f": {text}"
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{place} ({layer.name}){rest}") from error


def param_dtype(x: Array | ArrayType) -> np.dtype[Any]:
    """Return the dtype for the parameters of a layer applied to ``x``: its own, float32 for integers."""
    dtype = type_of(x).dtype
    return np.dtype(np.float32) if dtype.kind in "biu" else dtype


def as_floating(x: Array, dtype: np.dtype[Any]) -> Array:
    """Return integers and booleans as floating numbers, and others as they are.

    NumPy would promote int64 and float32 to float64.
    """
    return x.astype(dtype) if x.dtype.kind in "biu" else x
