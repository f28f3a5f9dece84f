"""`custom_vjp` and `custom_jvp`: functions that bring their own derivative."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from transforms import tree
from transforms.boundary import as_array
from transforms.control.program import Program, make_program
from transforms.errors import NoRuleError, message
from transforms.graph.ir import Graph
from transforms.graph.stage import bind_effect
from transforms.primitive import Forward, Primitive, zeros_of
from transforms.types import Array, ArrayType, is_differentiable, type_of
from transforms.vjp import vjp
from transforms.vmap import vmap

Flat = Callable[..., list[Array]]


class CustomCall:
    """The option of the custom_call primitive: a function of arrays, and the rules that it brings.

    Attributes:
        name: for errors and printing.
        f: from arrays to a list of arrays.
        forward: from arrays to outputs and residuals, or None where it is to be derived from ``push``.
        backward: from residuals and the outputs' cotangents to the inputs', None for zero; or None.
        push: from arrays and from their tangents to the outputs and their tangents; or None.
    """

    def __init__(
        self, name: str, f: Flat, forward: Any = None, backward: Any = None, push: Any = None
    ) -> None:
        self.name = name
        self.f = f
        self.forward = forward
        self.backward = backward
        self.push = push
        self._staged: Program | None = None

    def __repr__(self) -> str:
        return self.name

    def program(self, types: Sequence[ArrayType]) -> Program:
        """Return the function as a program, for operands of these types.

        Raises:
            NoRuleError: the function closes over traced values.
        """
        if self._staged is None:
            self._staged, captured = make_program(self.f, types, self.name)
            if captured:
                raise NoRuleError(
                    f"{self.name}: a function with custom rules must not close over traced values, got "
                    f"{len(captured)}; pass them as arguments"
                )
        return self._staged

    def batched(self) -> CustomCall:
        """Return the call for a batch of everything, on axis 0."""
        rules = (None if rule is None else vmap(rule) for rule in (self.forward, self.backward, self.push))
        return CustomCall(f"vmap_{self.name}", vmap(self.f), *rules)

    @property
    def graphs(self) -> dict[str, Graph]:
        """The function's graph, for printing."""
        return {} if self._staged is None else {self.name: self._staged.graph}


def _evaluate(*operands: Array, call: CustomCall) -> tuple[Array, ...]:
    return tuple(call.f(*operands))


def _infer(*types: Any, call: CustomCall) -> tuple[ArrayType, ...]:
    return tuple(call.program(types).output_types)


def _vjp(operands: Sequence[Array], wanted: tuple[int, ...], call: CustomCall) -> Any:
    if call.forward is not None:
        outs, residuals = call.forward(*operands)

        def pullback(cotangents: list[Array | None]) -> list[Array | None]:
            shares = call.backward(residuals, _with_zeros(cotangents, outs))
            return [shares[position] for position in wanted]

        return outs, pullback
    outs = call.f(*operands)

    def tangents_of_outputs(*tangents: Array) -> list[Array]:
        everything = [zeros_of(type_of(x)) for x in operands]
        for position, tangent in zip(wanted, tangents, strict=True):
            everything[position] = tangent
        return call.push(list(operands), everything)[1]  # type: ignore[no-any-return]

    # The rule is linear in the tangents, so its pullback at zero is its transpose.
    _, transposed = vjp(tangents_of_outputs, *(zeros_of(type_of(operands[i])) for i in wanted))
    return outs, lambda cotangents: transposed(_with_zeros(cotangents, outs))


def _jvp(operands: Sequence[Array], tangents: Sequence[Array | None], call: CustomCall) -> Any:
    full = _with_zeros(tangents, operands)
    if call.push is not None:
        return call.push(list(operands), full)
    outs, residuals = call.forward(*operands)

    def cotangents_of_inputs(*cotangents: Array) -> list[Array]:
        return _with_zeros(call.backward(residuals, list(cotangents)), operands)

    # The pullback is linear in the cotangents, so pulling it back gives the Jacobian's product.
    _, transposed = vjp(cotangents_of_inputs, *(zeros_of(type_of(out)) for out in outs))
    return outs, list(transposed(full))


def _with_zeros(xs: Sequence[Array | None], likes: Sequence[Array]) -> list[Array]:
    return [zeros_of(type_of(like)) if x is None else x for x, like in zip(xs, likes, strict=True)]


def _batch(
    size: int, operands: Sequence[Array], axes: Sequence[int | None], call: CustomCall
) -> tuple[tuple[Array, ...], tuple[int, ...]]:
    batched = [
        np.broadcast_to(x, (size, *type_of(x).shape)) if axis is None else np.moveaxis(x, axis, 0)
        for x, axis in zip(operands, axes, strict=True)
    ]
    outs = bind_effect(custom_call, *batched, call=call.batched())
    return outs, (0,) * len(outs)


custom_call = Primitive(
    "custom_call", _evaluate, infer=_infer, jvp=Forward(_jvp), vjp=Forward(_vjp), batch=_batch, multiple=True
)


# --- what users call


class _Arguments(NamedTuple):
    """The arguments of one call.

    Attributes:
        types: of the leaves that are differentiated.
        structure: of the tuple of arguments that are differentiated.
        fixed: the arguments that are not.
        merged: from the leaves to all arguments.
    """

    types: list[ArrayType]
    structure: tree.Structure
    fixed: list[Any]
    merged: Callable[[Sequence[Any]], list[Any]]


class _Custom:
    """A function whose rules are added later, by a method that its kind has."""

    def __init__(self, f: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        functools.update_wrapper(self, f)
        self.__name__: str = getattr(f, "__name__", "function")
        self._function = f
        numbers = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else nondiff_argnums
        self._fixed = tuple(numbers)
        try:
            self._signature = inspect.signature(f)
        except ValueError:  # a function that is not written in Python
            self._signature = inspect.signature(lambda *args: None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function; its derivative is what the rules say, which take all arguments by position."""
        bound = self._signature.bind(*args, **kwargs)
        if bound.kwargs:
            raise TypeError(
                message(self.__name__, "all arguments", "have positions", f"{[*bound.kwargs]} by name only")
            )
        bound.apply_defaults()
        args = bound.args
        fixed = {i: args[i] for i in self._fixed}
        free = tuple(x for i, x in enumerate(args) if i not in fixed)
        leaves, structure = tree.flatten(free)
        leaves = [as_array(x) for x in leaves]
        out_structure: list[tree.Structure] = []

        def merged(values: Sequence[Any]) -> list[Any]:
            rest = iter(structure.unflatten(values))
            return [fixed[i] if i in fixed else next(rest) for i in range(len(args))]

        def flat(*values: Array) -> list[Array]:
            return self._flatten_out(self._function(*merged(values)), out_structure)

        arguments = _Arguments(
            [type_of(x) for x in leaves], structure, [fixed[i] for i in self._fixed], merged
        )
        outs = bind_effect(custom_call, *leaves, call=self._rules(flat, arguments, out_structure))
        return out_structure[-1].unflatten(outs)

    def _flatten_out(self, out: Any, out_structure: list[tree.Structure]) -> list[Array]:
        leaves, spec = tree.flatten(out)
        out_structure.append(spec)
        return [as_array(x) for x in leaves]

    def _rules(self, flat: Flat, arguments: _Arguments, out_structure: list[Any]) -> CustomCall:
        raise NotImplementedError


def _unset(name: str, method: str) -> str:
    return message(name, "its rules", "be set before it is called", "none", f"use {method}")


class custom_vjp(_Custom):  # noqa: N801 (a decorator)
    """Give a function its own pullback, as a decorator with the method `defvjp`.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        nondiff_argnums: positions of arguments that are passed on as they are, without a derivative.

    >>> @custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda _, cotangent: (np.clip(cotangent, -1, 1),))
    >>> from transforms import grad
    >>> grad(lambda x: 5 * clip_gradient(x))(2.0)
    np.float64(1.0)
    """

    _forward: Callable[..., Any] | None = None
    _backward: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """Set the rules.

        Args:
            fwd: takes the function's arguments and returns ``(out, residuals)``.
            bwd: takes the arguments at ``nondiff_argnums``, then residuals and the cotangent of ``out``, and
                returns a tuple with a cotangent for each of the other arguments; None for zero.
        """
        self._forward, self._backward = fwd, bwd

    def _rules(self, flat: Flat, arguments: _Arguments, out_structure: list[Any]) -> CustomCall:
        forward_rule, backward_rule = self._forward, self._backward
        if forward_rule is None or backward_rule is None:
            raise NoRuleError(_unset(self.__name__, "defvjp"))
        residual_structure: list[tree.Structure] = []

        def forward(*values: Array) -> Any:
            out, residuals = forward_rule(*arguments.merged(values))
            residual_leaves, spec = tree.flatten(residuals)
            residual_structure.append(spec)
            return self._flatten_out(out, out_structure), residual_leaves

        def backward(residuals: list[Any], cotangents: list[Array]) -> list[Array | None]:
            cotangent = out_structure[-1].unflatten(cotangents)
            saved = residual_structure[-1].unflatten(residuals)
            return _check_shares(self.__name__, arguments, backward_rule(*arguments.fixed, saved, cotangent))

        return CustomCall(self.__name__, flat, forward, backward)


def _check_shares(name: str, arguments: _Arguments, shares: Any) -> list[Array | None]:
    """Return the cotangent of each leaf; None for an argument is None for all its leaves."""
    if not isinstance(shares, tuple):
        raise TypeError(message(f"{name} bwd", "it", "return a tuple of cotangents", type(shares).__name__))
    children = arguments.structure.children()
    if len(children) != len(shares):
        raise TypeError(
            message(
                f"{name} bwd", "it", f"return a cotangent for each of {len(children)} arguments", len(shares)
            )
        )
    flat: list[Array | None] = []
    for child, share in zip(children, shares, strict=True):
        whole = (
            [None] * child.num_leaves if share is None else tree.flatten_up_to(child, share, f"{name} bwd")
        )
        flat.extend(leaf if leaf is None or hasattr(leaf, "shape") else np.asarray(leaf) for leaf in whole)
    for position, (leaf, wanted) in enumerate(zip(flat, arguments.types, strict=True)):
        if leaf is not None and is_differentiable(wanted.dtype) and leaf.shape != wanted.shape:
            place = tree.paths(arguments.structure.unflatten(range(len(flat))))[position]
            raise ValueError(
                message(
                    f"{name} bwd",
                    f"the cotangent at {place!r}",
                    f"have its argument's shape {wanted.shape}",
                    leaf.shape,
                )
            )
    return flat


class custom_jvp(_Custom):  # noqa: N801 (a decorator)
    """Give a function its own derivative, as a decorator with the methods `defjvp` and `defjvps`.

    Args:
        f: a function of trees of arrays that returns a tree of arrays.
        nondiff_argnums: positions of arguments that are passed on as they are, without a derivative.

    >>> @custom_jvp
    ... def softplus(x):
    ...     return np.logaddexp(x, 0.0)
    >>> softplus.defjvps(lambda tangent, out, x: tangent / (1 + np.exp(-x)))
    >>> from transforms import grad
    >>> grad(softplus)(0.0)
    np.float64(0.5)
    """

    _push: Callable[..., Any] | None = None

    def defjvp(self, jvp: Callable[..., Any]) -> None:
        """Set the rule.

        Args:
            jvp: takes the arguments at ``nondiff_argnums``, then the tuples of the other arguments and
                of their tangents, and returns ``(out, tangent of out)``. It is linear in the tangents.
        """
        self._push = jvp

    def defjvps(self, *jvps: Callable[..., Any] | None) -> None:
        """Set the rule as one function for each argument.

        Args:
            *jvps: ``rule(tangent, out, *args)`` gives that argument's share of the tangent; None for zero.
        """
        if self._fixed:
            raise TypeError(
                message(
                    self.__name__, "defjvps", "be used without nondiff_argnums", self._fixed, "use defjvp"
                )
            )

        def push(primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
            out = self(*primals)
            shares = [
                rule(tangent, out, *primals) for rule, tangent in zip(jvps, tangents, strict=True) if rule
            ]
            zero = tree.map(lambda x: zeros_of(type_of(x)), out)
            return out, functools.reduce(lambda x, y: tree.map(np.add, x, y), shares, zero)

        self.defjvp(push)

    def _rules(self, flat: Flat, arguments: _Arguments, out_structure: list[Any]) -> CustomCall:
        rule = self._push
        if rule is None:
            raise NoRuleError(_unset(self.__name__, "defjvp"))

        def push(primals: Sequence[Array], tangents: Sequence[Array]) -> Any:
            unflatten = arguments.structure.unflatten
            out, tangent = rule(*arguments.fixed, unflatten(primals), unflatten(tangents))
            outs = self._flatten_out(out, out_structure)
            tree.check_same_structure(out, tangent, f"{self.__name__} jvp")
            pushed = [x if hasattr(x, "shape") else np.asarray(x) for x in tree.leaves(tangent)]
            for path, x, t in zip(tree.paths(out), outs, pushed, strict=True):
                if x.shape != t.shape:
                    raise ValueError(
                        message(
                            f"{self.__name__} jvp",
                            "the tangent" + (f" at {path!r}" if path else ""),
                            f"have the output's shape {x.shape}",
                            t.shape,
                        )
                    )
            return outs, pushed

        return CustomCall(self.__name__, flat, push=push)
