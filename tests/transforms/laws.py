"""The laws that every traced function obeys, and the form of the cases that they run over.

A family of primitives has one table of cases; `check` runs all laws over a case:

- traced evaluation equals NumPy's;
- the staged program has the types of the values, and computes them;
- forward mode equals differences, reverse mode is its transpose, to second order;
- a batch equals a loop over its examples, for each set of batched arguments;
- compiled programs give the same values and pullbacks;
- float32 arguments give float32 results and derivatives;
- values and derivatives equal JAX's.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transforms import jit, jvp, stage, tree, vjp, vmap
from transforms.checks import check_grads
from transforms.graph.stage import evaluate
from transforms.tracer import Tracer
from transforms.types import is_differentiable, type_of


class Case(NamedTuple):
    """One function and one set of arguments.

    Attributes:
        name: for the test's identifier.
        function: ``function(xp, *args)``, where ``xp`` is ``numpy``, or ``jax.numpy`` for the oracle. It
            returns an array or a tree of them.
        args: float64, complex, integer or boolean arrays. Real and complex ones are differentiated.
        order: how often derivatives are checked; 0 for a function without any.
        oracle: the function to ask JAX, where the same code does not run under ``jax.numpy``;
            a string says why there is no oracle.
        tolerance: relative, of float64 comparisons with JAX.
        batch: whether `vmap` has a rule; otherwise the reason why it has not.
        single: whether to check float32; otherwise the reason why not.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    order: int = 2
    oracle: Callable[..., Any] | str | None = None
    tolerance: float = 1e-9
    batch: bool | str = True
    single: bool | str = True


def parametrize(cases: list[Case]) -> Any:
    """Decorate a test of one argument, ``case``."""
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def check(case: Case) -> None:
    """Run all laws over a case."""

    def f(*args: Any) -> Any:
        return case.function(np, *args)

    check_values(f, case)
    if case.order:
        restricted, values = of_floating(f, case.args)
        check_grads(restricted, values, order=case.order)
    if case.batch is True:
        check_batch(f, case)
    if case.single is True:
        check_single_precision(f, case)
    if not isinstance(case.oracle, str):
        check_oracle(f, case)
    check_compiled(f, case)


def check_compiled(f: Callable[..., Any], case: Case) -> None:
    """Compiled as native code, the function and its pullback give what they give as they are."""

    def both(*args: Any) -> Any:
        if not case.order:
            return f(*args)
        restricted, values = of_floating(f, args)
        out, pullback = vjp(restricted, *values)
        return out, pullback(tree.map(np.ones_like, out))

    same(jit(both, backend="llvm")(*case.args), both(*case.args), tolerance=1e-9)


def of_floating(f: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a function of just the real and complex arguments, and these."""
    floating = [i for i, x in enumerate(args) if is_differentiable(type_of(x).dtype)]

    def restricted(*values: Any) -> Any:
        everything = list(args)
        for i, value in zip(floating, values, strict=True):
            everything[i] = value
        return f(*everything)

    return restricted, tuple(
        x if isinstance(x, Tracer) else np.asarray(x) for x in (args[i] for i in floating)
    )


def check_values(f: Callable[..., Any], case: Case) -> None:
    """Traced and staged evaluation give NumPy's values and types."""
    expected = f(*case.args)
    traced, _ = vjp(f, *case.args)
    same(traced, expected)
    graph = stage(f)(*case.args)
    staged = evaluate(graph, *tree.leaves(case.args))
    same(tree.unflatten(tree.structure(expected), staged), expected)
    inferred = [type_of(x.type if hasattr(x, "type") else x) for x in graph.outputs]
    assert inferred == [type_of(x) for x in tree.leaves(expected)]


def check_batch(f: Callable[..., Any], case: Case) -> None:
    """``vmap`` equals a loop, whichever arguments are batched, at the first or the last axis."""
    count = len(case.args)
    chosen = [mask for mask in itertools.product([False, True], repeat=count) if any(mask)][-4:]
    for mask, axis in itertools.product(chosen, (0, -1)):
        batches = [_variants(x) for x in case.args]
        axes = tuple(axis if is_batched else None for is_batched in mask)
        args = [
            np.stack(batch, axis=axis) if is_batched else x
            for x, batch, is_batched in zip(case.args, batches, mask, strict=True)
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            got = vmap(f, in_axes=axes)(*args)
        one_by_one = [
            f(
                *(
                    batch[i] if is_batched else x
                    for x, batch, is_batched in zip(case.args, batches, mask, strict=True)
                )
            )
            for i in range(2)
        ]
        expected = tree.map(lambda *outs: np.stack(outs), *one_by_one)
        same(got, expected, tolerance=1e-10)


def _variants(x: Any) -> list[Any]:
    """Return two examples of an argument: itself, and another one that is as valid."""
    array = np.asarray(x)
    return [array, array * 1.01 if is_differentiable(array.dtype) else array]


def check_single_precision(f: Callable[..., Any], case: Case) -> None:
    """float32 arguments give float32 values, tangents and cotangents."""
    narrow = {np.dtype("float64"): np.float32, np.dtype("complex128"): np.complex64}
    args = tuple(
        np.asarray(x).astype(narrow.get(np.asarray(x).dtype, np.asarray(x).dtype)) for x in case.args
    )
    out, pullback = vjp(f, *args)
    for leaf in tree.leaves(out):
        assert type_of(leaf).dtype not in narrow, f"float32 gave {type_of(leaf)}"
    if case.order:
        cotangents = pullback(tree.map(lambda x: np.ones_like(x), out))
        for x, cotangent in zip(args, cotangents, strict=True):
            assert cotangent is None or type_of(cotangent) == type_of(x)
        _, tangents = jvp(f, args, tuple(np.ones_like(x) for x in args))
        for x, tangent in zip(tree.leaves(out), tree.leaves(tangents), strict=True):
            assert type_of(tangent) == type_of(x)


def check_oracle(f: Callable[..., Any], case: Case) -> None:
    """JAX gives the same values and, for one cotangent, the same pullback."""
    oracle = case.oracle if case.oracle is not None else lambda *args: case.function(jnp, *args)

    def ask(*args: Any) -> list[Any]:
        return jax.tree.leaves(oracle(*args))

    asked, values = of_floating(ask, case.args)
    restricted, _ = of_floating(lambda *args: tree.leaves(f(*args)), case.args)
    with jax.enable_x64(True):
        if not case.order:
            same(tree.leaves(f(*case.args)), [np.asarray(x) for x in asked(*values)], case.tolerance)
            return
        got, pullback = vjp(restricted, *values)
        seeds = list(_seeds(got))
        oracle_seeds = [
            seed if is_differentiable(seed.dtype) else np.zeros(seed.shape, jax.dtypes.float0)
            for seed in seeds
        ]

        def ask_both(*values: Any) -> Any:
            expected, oracle_pullback = jax.vjp(asked, *values)
            return expected, oracle_pullback(oracle_seeds)

        expected, expected_cotangents = jax.jit(ask_both)(*values)
        same(got, [np.asarray(x) for x in expected], case.tolerance)
        same(list(pullback(seeds)), [np.asarray(x) for x in expected_cotangents], case.tolerance)


def _seeds(outs: list[Any]) -> Iterator[Any]:
    rng = np.random.default_rng(1)
    for out in outs:
        shape, dtype = type_of(out)
        seed = rng.standard_normal(shape)
        if dtype.kind == "c":
            seed = seed + 1j * rng.standard_normal(shape)
        yield np.asarray(seed).astype(dtype)


def same(got: Any, expected: Any, tolerance: float = 1e-12) -> None:
    """Assert that two trees have equal shapes, dtypes and values."""
    got_leaves, expected_leaves = tree.leaves(got), tree.leaves(expected)
    assert len(got_leaves) == len(expected_leaves)
    for x, y in zip(got_leaves, expected_leaves, strict=True):
        assert type_of(x) == type_of(y)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
