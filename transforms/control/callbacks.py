"""Callbacks: Python functions that a program calls when it runs, with plain arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array
from transforms.control.loop import spread_out
from transforms.errors import message
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, NoRule, Primitive
from transforms.tracer import Tracer, bind
from transforms.types import Array, ArrayType, type_of
from transforms.vmap import loop_rule


class Callback(NamedTuple):
    """The option of the callback primitives.

    Attributes:
        function: what is called.
        arguments: the structure of its positional and named arguments.
        fixed: the leaves of these that are no arrays, with their positions.
        results: the types of the arrays that it returns.
        structure: of what it returns; None where that is dropped.
        vectorized: whether a batch goes to one call, as arrays with one more leading axis.
    """

    function: Callable[..., Any]
    arguments: tree.Structure
    fixed: tuple[tuple[int, Any], ...]
    results: tuple[ArrayType, ...] = ()
    structure: tree.Structure | None = None
    vectorized: bool = False

    def __repr__(self) -> str:
        return str(getattr(self.function, "__name__", "function"))

    def call(self, operands: Sequence[Array]) -> Any:
        """Call the function on plain arrays."""
        fixed = dict(self.fixed)
        arrays = iter(operands)
        leaves = [
            fixed[i] if i in fixed else np.asarray(next(arrays)) for i in range(self.arguments.num_leaves)
        ]
        arguments: Any = self.arguments.unflatten(leaves)
        return self.function(*arguments[0], **arguments[1])


def _callback(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callback, list[Array]]:
    leaves, structure = tree.flatten((args, kwargs))
    is_array = [isinstance(x, (Tracer, np.ndarray, np.generic, int, float, complex)) for x in leaves]
    fixed = tuple((i, x) for i, x in enumerate(leaves) if not is_array[i])
    arrays = [as_array(x) for x, is_one in zip(leaves, is_array, strict=True) if is_one]
    return Callback(function, structure, fixed), arrays


# --- with results


def _evaluate(*operands: Array, callback: Callback) -> tuple[Array, ...]:
    where = f"pure_callback({callback!r})"
    out = callback.call(operands)
    assert callback.structure is not None
    results = [np.asarray(x) for x in tree.flatten_up_to(callback.structure, out, where)]
    for x, wanted in zip(results, callback.results, strict=True):
        if type_of(x) != wanted:
            raise TypeError(
                message(
                    where,
                    "the result",
                    f"have the type {wanted}",
                    type_of(x),
                    "cast it, or correct the types",
                )
            )
    return tuple(results)


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], callback: Callback
) -> tuple[Any, Any]:
    if not callback.vectorized:
        return loop_rule(pure_callback_p)(size, operands, axes, callback=callback)  # type: ignore[no-any-return]
    spread = [spread_out(x, axis, size) for x, axis in zip(operands, axes, strict=True)]
    batched = callback._replace(results=tuple(ArrayType((size, *t.shape), t.dtype) for t in callback.results))
    return bind(pure_callback_p, *spread, callback=batched), (0,) * len(callback.results)


_OPAQUE = NoRule("what a callback does is not known; give the function that calls it rules of its own with "
                 "custom_jvp or custom_vjp")  # fmt: skip

pure_callback_p = Primitive(
    "pure_callback",
    _evaluate,
    infer=lambda *types, callback: callback.results,
    jvp=_OPAQUE,
    vjp=_OPAQUE,
    batch=_batch,
    multiple=True,
)


def pure_callback(
    callback: Callable[..., Any], result_types: Any, *args: Any, vectorized: bool = False, **kwargs: Any
) -> Any:
    """Call a Python function on plain arrays, where a program runs.

    Args:
        callback: a function without effects, for it may be called less often than it is written, or more.
            It takes plain arrays and may do with them what cannot be traced.
        result_types: a tree like its result, with an `ArrayType` (or what has shape and dtype) for a leaf.
        *args: its arguments, trees of arrays; other leaves are passed on as they are.
        vectorized: whether, under `vmap`, to call it once, with the examples on axis 0 of all arguments and
            results. Otherwise it is called for each example.
        **kwargs: its named arguments.

    Returns:
        What it returns.

    Raises:
        TypeError: the result's types are not ``result_types``.
        NoRuleError: it is differentiated.

    >>> from transforms import ArrayType, jit
    >>> count = lambda x: np.array(len(set(x.tolist())))
    >>> int(jit(lambda x: pure_callback(count, ArrayType((), "int64"), x))(np.array([1.0, 2.0, 1.0])))
    2
    """
    call, operands = _callback(callback, args, kwargs)
    types, structure = tree.flatten(result_types)
    results = tuple(ArrayType(tuple(t.shape), t.dtype) for t in types)
    call = call._replace(results=results, structure=structure, vectorized=vectorized)
    return structure.unflatten(bind(pure_callback_p, *operands, callback=call))


# --- for its effect


def _evaluate_effect(*operands: Array, callback: Callback) -> tuple[()]:
    callback.call(operands)
    return ()


def _jvp_effect(operands: Sequence[Array], tangents: Sequence[Any], callback: Callback) -> Any:
    bind_effect(debug_callback_p, *operands, callback=callback)
    return (), ()


def _vjp_effect(operands: Sequence[Array], wanted: tuple[int, ...], callback: Callback) -> Any:
    bind_effect(debug_callback_p, *operands, callback=callback)
    return (), lambda cotangents: [None] * len(wanted)


def _batch_effect(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], callback: Callback
) -> tuple[tuple[()], tuple[()]]:
    for example in range(size):
        one = [
            x if axis is None else x[(slice(None),) * axis + (example,)]
            for x, axis in zip(operands, axes, strict=True)
        ]
        bind_effect(debug_callback_p, *one, callback=callback)
    return (), ()


debug_callback_p = Primitive(
    "debug_callback",
    _evaluate_effect,
    infer=lambda *types, callback: (),
    jvp=Forward(_jvp_effect),
    vjp=Forward(_vjp_effect),
    batch=_batch_effect,
    multiple=True,
    effect=True,
)


def effect_callback(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Call a function for its effect, now if no argument is traced or else where the program runs."""
    call, operands = _callback(function, args, kwargs)
    bind_effect(debug_callback_p, *operands, callback=call)
