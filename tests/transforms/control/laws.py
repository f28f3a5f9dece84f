"""The laws of composition that every function with control flow obeys, with JAX for the oracle.

A case is a function of a module of arrays and a namespace of control flow, so that the same code runs here
and in JAX. `check` runs all laws over it:

- values, pullbacks, tangents and second derivatives equal JAX's;
- their programs are well typed, before and after each pass;
- they are the same whether the function is compiled, its transform is, or both;
- a batch equals a loop over its examples, and so do the gradients of a batch, and the batch of gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import transforms
from transforms import grad, jit, jvp, stage, tree, vjp, vmap
from transforms.control import folds
from transforms.graph import passes
from transforms.graph.check import check_graph
from transforms.graph.ir import Graph
from transforms.types import type_of


class Control:
    """The control flow that is tested."""

    associative_scan = staticmethod(transforms.associative_scan)
    checkpoint = staticmethod(transforms.checkpoint)
    cond = staticmethod(transforms.cond)
    custom_jvp = transforms.custom_jvp
    custom_vjp = transforms.custom_vjp
    fori_loop = staticmethod(transforms.fori_loop)
    map = staticmethod(folds.map)
    scan = staticmethod(transforms.scan)
    switch = staticmethod(transforms.switch)
    while_loop = staticmethod(transforms.while_loop)


class JaxControl:
    """The oracle."""

    associative_scan = staticmethod(jax.lax.associative_scan)
    checkpoint = staticmethod(jax.checkpoint)
    cond = staticmethod(jax.lax.cond)
    custom_jvp = jax.custom_jvp
    custom_vjp = jax.custom_vjp
    fori_loop = staticmethod(jax.lax.fori_loop)
    map = staticmethod(jax.lax.map)
    scan = staticmethod(jax.lax.scan)
    switch = staticmethod(jax.lax.switch)
    while_loop = staticmethod(jax.lax.while_loop)


class Case(NamedTuple):
    """One function and one set of arguments.

    Attributes:
        name: for the test's identifier.
        function: ``function(xp, control, *args)`` returns an array or a tree of them.
        args: float64 arrays.
        like: a function that means the same, for JAX to run where it cannot run the first.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    like: Callable[..., Any] | None = None


def parametrize(cases: list[Case]) -> Any:
    """Decorate a test of one argument, ``case``."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case: Case) -> None:
    """Run all laws over a case."""

    def f(*args: Any) -> Any:
        return case.function(np, Control, *args)

    rng = np.random.default_rng(0)
    tangents = tuple(np.asarray(rng.standard_normal(np.shape(x))) for x in case.args)
    seeds = tree.map(lambda x: np.asarray(rng.standard_normal(np.shape(x))), f(*case.args))
    value, pulled, pushed, second = ask_jax(case, seeds, tangents)

    def pull(*args: Any) -> Any:
        out, pullback = vjp(f, *args)
        return out, pullback(seeds)

    def pull_compiled(*args: Any) -> Any:
        out, pullback = vjp(jit(f), *args)
        return out, pullback(seeds)

    for run in (f, jit(f)):
        same(run(*case.args), value)
    for run in (pull, jit(pull), pull_compiled, jit(pull_compiled)):
        same(run(*case.args), (value, pulled))
    for run in (f, jit(f)):
        same(jvp(run, case.args, tangents), (value, pushed))
    same(jit(lambda *args: jvp(f, args, tangents))(*case.args), (value, pushed))
    for function in (f, lambda *args: pull(*args)[1]):
        check_passes(stage(function)(*case.args))
    check_second(pull, case.args, tangents, second)
    check_batches(f, case.args, seeds)


def check_passes(graph: Graph) -> None:
    """The type checker finds nothing, before the passes and after each of them."""
    check_graph(graph)
    for apply in passes.ORDER:
        graph = apply(graph)
        check_graph(graph)


def check_second(pull: Callable[..., Any], args: tuple[Any, ...], tangents: Any, expected: Any) -> None:
    """Forward over reverse and reverse over reverse, eager and compiled, give the Hessian's product."""

    def gradient(*args: Any) -> Any:
        return pull(*args)[1]

    def forward_over_reverse(*args: Any) -> Any:
        return jvp(gradient, args, tangents)[1]

    def reverse_over_reverse(*args: Any) -> Any:
        return vjp(gradient, *args)[1](tangents)

    for derivative in (forward_over_reverse, reverse_over_reverse):
        for run in (derivative, jit(derivative)):
            same(run(*args), expected)


def check_batches(f: Callable[..., Any], args: tuple[Any, ...], seeds: Any) -> None:
    """``vmap`` equals a loop, for values and for gradients, whichever argument is batched."""

    def weighted(*args: Any) -> Any:
        terms = tree.map(lambda x, seed: np.sum(x * seed), f(*args), seeds)
        return functools.reduce(np.add, tree.leaves(terms))

    gradient = grad(weighted, tuple(range(len(args))))
    for batched in {0, len(args) - 1}:
        examples = [
            tuple(x * (1 + 0.1 * n) if i == batched else x for i, x in enumerate(args)) for n in range(3)
        ]
        axes = tuple(0 if i == batched else None for i in range(len(args)))
        inputs = tuple(np.stack([e[i] for e in examples]) if i == batched else x for i, x in enumerate(args))
        values = tree.map(lambda *xs: np.stack(xs), *(f(*example) for example in examples))
        gradients = tree.map(lambda *xs: np.stack(xs), *(gradient(*example) for example in examples))
        for run in (vmap(f, axes), jit(vmap(f, axes))):
            same(run(*inputs), values)
        for run in (vmap(gradient, axes), jit(vmap(gradient, axes))):
            same(run(*inputs), gradients)
        of_batch = grad(lambda *xs: np.sum(vmap(weighted, axes)(*xs)), batched)  # noqa: B023
        same(of_batch(*inputs), gradients[batched])


def ask_jax(case: Case, seeds: Any, tangents: Any) -> Any:
    """Return JAX's value, cotangents, tangent and second derivative, as trees of NumPy arrays."""
    function = case.like or case.function

    def oracle(*args: Any) -> Any:
        return function(jnp, JaxControl, *args)

    @jax.jit
    def everything(args: Any, seeds: Any, tangents: Any) -> Any:
        def gradient(*args: Any) -> Any:
            return jax.vjp(oracle, *args)[1](seeds)

        value, pushed = jax.jvp(oracle, args, tangents)
        return value, gradient(*args), pushed, jax.jvp(gradient, args, tangents)[1]

    with jax.enable_x64(True):
        return jax.tree.map(np.asarray, everything(case.args, seeds, tangents))


def same(got: Any, expected: Any, tolerance: float = 1e-9) -> None:
    """Assert that two trees have equal leaves, in shape, dtype and value."""
    got_leaves, expected_leaves = tree.leaves(got), tree.leaves(expected)
    assert len(got_leaves) == len(expected_leaves)
    for x, y in zip(got_leaves, expected_leaves, strict=True):
        assert type_of(x) == type_of(y)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
