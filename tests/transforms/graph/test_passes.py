"""Passes: fewer equations, the same values."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import at, grad, scan, stage, stop_gradient
from transforms.control.callbacks import effect_callback
from transforms.control.checkpoint import name_p
from transforms.graph.check import check_graph
from transforms.graph.cut import cut
from transforms.graph.ir import Equation, Graph, Variable, nested_graphs
from transforms.graph.passes import (
    fold_constants,
    inline_calls,
    join_pieces,
    merge_scatters,
    optimize,
    remove_dead,
    share_common,
    simplify,
    turn_products,
)
from transforms.graph.stage import evaluate, staged_beside
from transforms.jit import jit
from transforms.primitive import PRIMITIVES
from transforms.tracer import bind
from transforms.types import ArrayType

X = np.arange(3.0)
MATRIX = np.linspace(-1, 1, 12).reshape(3, 4)


def names(graph):
    return [equation.primitive.name for equation in graph.equations]


def same_values(first, second, *args):
    check_graph(first)
    check_graph(second)
    with np.errstate(invalid="ignore"):
        pairs = zip(evaluate(first, *args), evaluate(second, *args), strict=True)
    for x, y in pairs:
        assert (np.shape(x), np.asarray(x).dtype) == (np.shape(y), np.asarray(y).dtype)
        np.testing.assert_array_equal(x, y)
        np.testing.assert_array_equal(np.signbit(x) & (x == x), np.signbit(y) & (y == y))


# --- dead code, common subexpressions, calls


def test_dead_equations_are_dropped():
    def f(x):
        np.exp(x) * np.ones(3)
        return np.sin(x)

    graph = stage(f)(X)
    smaller = remove_dead(graph)
    assert names(smaller) == ["sin"]
    assert smaller.constants == ()
    same_values(graph, smaller, X)


def test_effects_are_kept_in_loops_too():
    def step(carry, x):
        effect_callback(lambda x: None, (x,), {})
        return carry, x

    def f(x):
        scan(step, 0.0, x)
        effect_callback(lambda x: None, (x,), {})
        return x

    assert names(optimize(stage(f)(X))) == ["scan", "debug_callback"]


def test_common_equations_are_shared():
    graph = stage(lambda x: np.sin(x) * np.sin(x) + np.sum(x, axis=0) + np.sum(x, axis=-1))(X)
    smaller = share_common(graph)
    assert names(smaller) == ["sin", "multiply", "sum", "add", "add"]
    same_values(graph, smaller, X)


def test_numbers_that_are_only_equal_are_not_shared():
    graph = share_common(stage(lambda x: (x * 1.0, x * 1, x * True))(np.arange(3)))
    assert len(graph.equations) == 3
    graph = stage(lambda x: (x * 0.0, x * -0.0))(X)
    same_values(graph, share_common(graph), X)


def test_equal_constants_are_kept_once():
    graph = stage(lambda x: x * np.arange(3.0) + np.arange(3.0))(X)
    smaller = share_common(graph)
    assert (len(graph.constants), len(smaller.constants)) == (2, 1)
    same_values(graph, smaller, X)


def test_called_programs_are_inlined_at_any_depth():
    scale = np.arange(3.0)
    inner = jit(lambda x: (np.sin(x) * scale, x))
    outer = jit(lambda x: inner(x)[0] + inner(2.0 * x)[1] + 1.0)
    graph = stage(lambda x: outer(outer(x)))(X)
    assert names(graph) == ["call", "call"]
    flat = inline_calls(graph)
    assert "call" not in names(flat)
    assert len(flat.constants) == 1
    same_values(graph, flat, X)
    same_values(graph, optimize(graph), X)


def test_an_inlined_program_promotes_like_the_call():
    inner = jit(lambda x, scale: (x * scale, scale * 2.0))
    single = X.astype(np.float32)
    graph = stage(lambda x: inner(x, 2.0)[0] * inner(x, 2.0)[1])(single)
    same_values(graph, optimize(graph), single)
    nested = jit(lambda x, scale: inner(x, scale))
    assert [out.dtype for out in nested(single, 2.0)] == [np.float32, np.float64]


# --- constants


def test_constants_are_folded():
    graph = stage(lambda x: x * np.sin(np.arange(3.0)) + jit(lambda: np.arange(3.0) ** 2 + 1)())(X)
    smaller = fold_constants(inline_calls(graph))
    assert names(smaller) == ["multiply", "add"]
    same_values(graph, smaller, X)


def test_a_comparison_of_each_with_each_is_left_to_the_run():
    """It is as soon computed as read, and takes a square of memory as a constant."""

    def compared(n):
        numbers = np.arange(n)
        return fold_constants(stage(lambda x: x[2] * (staged_beside(numbers[:, None], x) == numbers))(X))

    assert names(compared(9)) == ["getitem", "multiply"]
    assert names(compared(90)) == ["getitem", "equal", "multiply"]
    np.testing.assert_array_equal(evaluate(compared(90), X)[0], X[2] * np.eye(90))


def test_what_is_large_or_fails_is_left_to_the_run():
    large = stage(lambda x: x + np.sum(bind(PRIMITIVES["broadcast_to"], np.ones(1), shape=(200, 200)), 0)[0])
    ones = Variable(ArrayType((1,), "float64"))
    grown = Variable(ArrayType((300, 300), "float64"))
    spread = Equation((grown,), PRIMITIVES["broadcast_to"], (ones,), {"shape": (300, 300)})
    graph = Graph((), ((ones, np.ones(1)),), (spread,), (grown,))
    assert names(fold_constants(graph)) == ["broadcast_to"]
    assert "broadcast_to" not in names(large(X))  # evaluated while it is staged

    singular = Variable(ArrayType((2, 2), "float64"))
    inverse = Variable(ArrayType((2, 2), "float64"))
    invert = Equation((inverse,), PRIMITIVES["inv"], (singular,), {})
    graph = Graph((), ((singular, np.zeros((2, 2))),), (invert,), (inverse,))
    assert names(fold_constants(graph)) == ["inv"]


def test_numbers_are_folded_to_numbers():
    number, doubled = (Variable(ArrayType((), "float64"), float) for _ in range(2))
    x, product = (Variable(ArrayType((3,), "float32")) for _ in range(2))
    graph = Graph(
        (x,),
        (),
        (
            Equation((number,), PRIMITIVES["add"], (1.0, 0.5), {}),
            Equation((doubled,), PRIMITIVES["multiply"], (number, 2.0), {}),
            Equation((product,), PRIMITIVES["multiply"], (x, doubled), {}),
        ),
        (product, doubled),
    )
    smaller = fold_constants(graph)
    assert smaller.equations[0].operands[1] == 3.0
    same_values(graph, smaller, X.astype(np.float32))
    assert evaluate(smaller, X.astype(np.float32))[0].dtype == np.float32


# --- algebra


@pytest.mark.parametrize(
    ("f", "left"),
    [
        (lambda x: x * 1.0, []),
        (lambda x: 1 * x, []),
        (lambda x: x / 1.0, []),
        (lambda x: x**1, []),
        (lambda x: x * np.ones((3, 4)), []),
        (lambda x: x - 0.0, []),
        (lambda x: x + -0.0, []),
        (lambda x: x + 0.0, ["add"]),
        (lambda x: x - -0.0, ["subtract"]),
        (lambda x: 0.0 - x, ["subtract"]),
        (lambda x: x * 0.0, ["multiply"]),
        (lambda x: np.negative(-x), []),
        (lambda x: +x, []),
        (lambda x: 2.0 + -x, ["subtract"]),
        (lambda x: x - (-np.sin(x)), ["sin", "add"]),
        (lambda x: np.conj(x), []),
        (lambda x: stop_gradient(x), []),
        (lambda x: bind(name_p, x, tag="x"), []),
        (lambda x: x.reshape(12).reshape(4, 3), ["reshape"]),
        (lambda x: x.reshape(12).reshape(3, 4), []),
        (lambda x: x.T.T, []),
        (lambda x: x[None].transpose(2, 0, 1).transpose(1, 2, 0), ["reshape"]),
        (lambda x: x[:, None][0:], ["reshape"]),
        (lambda x: x[::-1], ["getitem"]),
        (lambda x: np.prod(x[None], 0), []),
        (lambda x: np.max(x[:, None], 1, keepdims=True), ["reshape"]),
        (lambda x: x * np.broadcast_to(np.sum(x), (3, 4)), ["sum", "multiply"]),
        (lambda x: x + np.sum(x, 0).reshape(1, 4), ["sum", "add"]),
        (lambda x: x + np.broadcast_to(np.sum(x, 0), (3, 4)) * 2.0, ["sum", "multiply", "add"]),
        (lambda x: np.broadcast_to(np.broadcast_to(x, (1, 3, 4)), (2, 3, 4)), ["broadcast_to"]),
        (lambda x: x * np.full((3, 4), 0.5), ["multiply"]),
        (lambda x: np.sum(x, 0) * np.full((3, 4), 0.5), ["sum", "multiply", "broadcast_to"]),
        (lambda x: at(x)[0].set(np.full(4, 2.0)), ["setitem"]),
    ],
)
def test_algebra(f, left):
    graph = stage(f)(MATRIX)
    smaller = remove_dead(simplify(graph))
    assert names(smaller) == left
    for zero in (0.0, -0.0):
        same_values(graph, smaller, np.where(MATRIX > 0.5, zero, MATRIX))
    same_values(graph, smaller, np.where(MATRIX > 0.5, np.nan, np.inf))


def test_a_sum_over_one_element_is_no_sum():
    graph = stage(lambda x: np.sum(x[:, None], 1))(MATRIX)
    smaller = simplify(graph)
    assert remove_dead(smaller).equations == ()
    np.testing.assert_array_equal(evaluate(smaller, MATRIX)[0], MATRIX)


def test_algebra_keeps_types():
    graph = stage(lambda x, n, b: (x * np.float64(1.0), n * 1.0, n / 1, b * 1, n + 0, np.sum(b[None], 0)))(
        X.astype(np.float32), np.arange(3), np.array([True, False, True])
    )
    smaller = remove_dead(simplify(graph))
    assert names(smaller) == ["multiply", "multiply", "divide", "multiply", "reshape", "sum"]
    same_values(graph, smaller, X.astype(np.float32), np.arange(3), np.array([True, False, True]))


def test_equal_elements_are_one_number():
    graph = stage(lambda x: x * np.full((3, 4), 0.5) + np.array([0.0, -0.0, 0, 0]))(MATRIX)
    graph = remove_dead(simplify(graph))
    assert [value.shape for _, value in graph.constants] == [(4,), ()]
    assert names(graph) == ["multiply", "add"]


def test_derivatives_get_shorter():
    def loss(x):
        return np.mean(np.sum(x * x, axis=1) / 2.0)

    graph = stage(grad(loss))(MATRIX)
    smaller = optimize(graph)
    assert len(smaller.equations) <= 4
    np.testing.assert_allclose(evaluate(smaller, MATRIX)[0], MATRIX / 3)


def test_scattered_values_are_added_to_the_other_summand():
    rows = np.array([0, 2, 0])
    graph = stage(grad(lambda x, rows: np.sum(x[rows] * 2.0) + np.sum(x**3)))(MATRIX, rows)
    smaller = optimize(graph)
    assert "add" not in names(smaller)
    assert names(smaller)[-1] == "scatter_add"
    check_graph(smaller)
    np.testing.assert_allclose(evaluate(smaller, MATRIX, rows)[0], evaluate(graph, MATRIX, rows)[0])


def test_scattered_values_that_are_read_twice_stay():
    graph = stage(lambda x: at(np.zeros(3))[np.array([0, 0])].add(x))(np.ones(2))
    twice = stage(lambda x, y: (lambda s: (s + y, s))(bind(
        PRIMITIVES["scatter_add"], 0.0, x, np.array([0, 0]), axes=(0,), position=0, shape=(3,)
    )))(np.ones(2), X)  # fmt: skip
    assert names(merge_scatters(twice)) == names(twice)
    same_values(graph, optimize(graph), np.ones(2))


# --- programs inside of programs, and long ones


def test_nested_programs_are_simplified_where_they_are_compiled():
    f = jit(
        lambda x: scan(lambda c, y: (c * 1.0 + np.sin(y) * np.sin(y), np.negative(-y)), 0.0, x),
        backend="numpy",
    )
    graph = f.lower(X).graph
    (step,) = nested_graphs(graph.equations[0]).values()
    assert len(optimize(step).equations) < len(step.equations)
    assert f.lower(X).source().count("np.sin(") == 1


def test_long_programs_pass_without_recursion():
    def chain(x):
        for _ in range(5000):
            x = np.sin(np.negative(-x) * 1.0) * 1.0001 + np.zeros(3).reshape(1, 3)[0]
        return x

    graph = stage(chain)(X)
    smaller = optimize(graph)
    assert len(smaller.equations) == 15000
    check_graph(smaller)


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


# --- sums of pieces, transposed products


def test_the_gradient_of_parts_is_a_concatenation():
    def f(x):
        a, b, c = np.split(x, 3, axis=1)
        return np.sum(a * b + np.sin(c))

    x = np.linspace(-1, 1, 24).reshape(4, 6)
    graph = stage(grad(f))(x)
    joined = remove_dead(join_pieces(graph))
    assert names(joined).count("concatenate") == 1
    assert "setitem" not in names(joined)
    assert "add" not in names(joined)[names(joined).index("concatenate") :]
    same_values(graph, joined, x)


def embedded(*places, axis=0):
    """Return a function that adds up values, each embedded in zeros at its places."""

    def f(*values):
        index = [(slice(None),) * axis + (place,) for place in places]
        parts = [at(np.zeros((6, 4))).__getitem__(i).set(x) for i, x in zip(index, values, strict=True)]
        return sum(parts[1:], parts[0])

    return f


@pytest.mark.parametrize(
    ("places", "axis"),
    [
        ((slice(0, 2), slice(3, 6)), 0),  # a gap
        ((slice(0, 4), slice(2, 6)), 0),  # an overlap
        ((slice(0, 6, 2), slice(1, 6, 2)), 0),  # steps
    ],
)
def test_pieces_that_do_not_tile_an_axis_are_added(places, axis):
    shapes = [np.zeros((6, 4))[(slice(None),) * axis + (place,)].shape for place in places]
    values = [np.arange(1.0, 1 + np.prod(shape)).reshape(shape) for shape in shapes]
    graph = optimize(stage(embedded(*places, axis=axis))(*values))
    assert "concatenate" not in names(graph)
    same_values(stage(embedded(*places, axis=axis))(*values), graph, *values)


def test_a_product_that_is_only_transposed_is_turned():
    def f(queries, cotangent):
        return np.moveaxis(np.swapaxes(queries, -1, -2) @ cotangent, 1, -1)

    args = np.arange(24.0).reshape(2, 4, 3), np.arange(40.0).reshape(2, 4, 5)
    graph = stage(f)(*args)
    turned = optimize(turn_products(graph))
    (product,) = [x for x in turned.equations if x.primitive.name == "matmul"]
    assert product.results[0].type.shape == (2, 5, 3)
    assert product.operands[1] is turned.inputs[0]
    same_values(graph, turned, *args)


def test_a_product_that_something_else_reads_stays():
    def f(x, y):
        product = x.T @ y
        return product.T, np.sin(product)

    graph = stage(f)(MATRIX, MATRIX)
    assert names(turn_products(graph)) == names(graph)
