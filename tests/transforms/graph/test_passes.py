"""Passes: fewer equations, the same values."""

from __future__ import annotations

import numpy as np

from transforms import stage
from transforms.graph.check import check_graph
from transforms.graph.cut import cut
from transforms.graph.passes import inline_calls, optimize, remove_dead, share_common
from transforms.graph.stage import evaluate
from transforms.jit import jit

X = np.arange(3.0)


def names(graph):
    return [equation.primitive.name for equation in graph.equations]


def same_values(first, second, *args):
    check_graph(first)
    check_graph(second)
    for x, y in zip(evaluate(first, *args), evaluate(second, *args), strict=True):
        np.testing.assert_array_equal(x, y)


def test_dead_equations_are_dropped():
    def f(x):
        np.exp(x) * np.ones(3)
        return np.sin(x)

    graph = stage(f)(X)
    smaller = remove_dead(graph)
    assert names(smaller) == ["sin"]
    assert smaller.constants == ()
    same_values(graph, smaller, X)


def test_common_equations_are_shared():
    graph = stage(lambda x: np.sin(x) * np.sin(x) + np.sum(x, axis=0) + np.sum(x, axis=-1))(X)
    smaller = share_common(graph)
    assert names(smaller) == ["sin", "multiply", "sum", "add", "add"]
    same_values(graph, smaller, X)


def test_numbers_of_different_type_are_not_shared():
    graph = share_common(stage(lambda x: (x * 1.0, x * 1, x * True))(np.arange(3)))
    assert len(graph.equations) == 3


def test_called_programs_are_inlined_at_any_depth():
    scale = np.arange(3.0)
    inner = jit(lambda x: (np.sin(x) * scale, x))
    outer = jit(lambda x: inner(x)[0] + inner(2.0 * x)[1] + 1.0)
    graph = stage(lambda x: outer(outer(x)))(X)
    assert names(graph) == ["call", "call"]
    flat = inline_calls(graph)
    assert "call" not in names(flat)
    same_values(graph, flat, X)
    same_values(graph, optimize(graph), X)


def test_cut_separates_what_is_early_from_what_is_late():
    graph = stage(lambda x, y: (np.sin(x), np.cos(x) * y + x))(X, X)
    halves = cut(graph, 1, 1)
    check_graph(halves.first)
    check_graph(halves.second)
    assert names(halves.first) == ["sin", "cos"]
    assert names(halves.second) == ["multiply", "add"]
    assert halves.passed == (0,)
    out, residual = evaluate(halves.first, X)
    late = evaluate(halves.second, residual, X, 2 * X)
    expected = evaluate(graph, X, 2 * X)
    np.testing.assert_array_equal(out, expected[0])
    np.testing.assert_array_equal(late[0], expected[1])
