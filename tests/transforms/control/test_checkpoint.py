"""`checkpoint`: the laws, what is kept, and what the policies keep."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize
from transforms import (
    checkpoint,
    checkpoint_name,
    grad,
    jit,
    save_matmuls,
    save_names,
    scan,
    stage,
    tree,
    vjp,
)
from transforms.graph.check import check_graph
from transforms.graph.ir import nested_graphs

X = np.linspace(-0.7, 0.9, 3)
W = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [0.7, 0.2, 0.3]])


def layers(xp, control, w, x):
    layer = control.checkpoint(lambda w, x: xp.tanh(w @ x) * xp.sin(x))
    return layer(w, layer(w, x))


def nested(xp, control, w, x):
    inner = control.checkpoint(lambda x: xp.sin(w @ x))
    return control.checkpoint(lambda x: xp.exp(inner(inner(x))))(x)


def around_control_flow(xp, control, w, x):
    def f(x):
        x = control.scan(lambda h, row: (xp.tanh(h * row), None), x, w)[0]
        return control.cond(x[0] > 0, xp.sin, lambda x: x * x, x)

    return control.checkpoint(f)(x)


CASES = [
    Case("layers", layers, (W, X)),
    Case("nested", nested, (W, X)),
    Case("around_control_flow", around_control_flow, (W, X)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def primitives(graph):
    """The names of all primitives of a program, those in the programs that it carries included."""
    names = []
    for equation in graph.equations:
        names.append(equation.primitive.name)
        for inner in nested_graphs(equation).values():
            names += primitives(inner)
    return names


def backward_of(f, *args):
    """The names of the primitives that the pullback of a checkpointed function runs."""
    graph = stage(lambda *xs: vjp(f, *xs)[1](np.ones(3)))(*args)
    check_graph(graph)
    (again,) = [e for e in graph.equations if e.primitive.name == "checkpoint"]
    return primitives(again.attributes["recipe"].graphs[again.attributes["recipe"].program.name])


def block(w, x):
    hidden = checkpoint_name(np.tanh(w @ x), "hidden")
    return np.sin(w @ hidden)


@pytest.mark.parametrize(
    ("policy", "again"),
    [
        (None, ["matmul", "tanh", "matmul"]),
        (save_matmuls, ["tanh"]),
        (save_names("hidden"), ["matmul"]),
        (lambda equation: True, []),
    ],
    ids=["nothing", "matmuls", "names", "everything"],
)
def test_policies_say_what_is_computed_again(policy, again):
    f = checkpoint(block) if policy is None else checkpoint(block, policy=policy)
    plain = primitives(stage(lambda *xs: vjp(block, *xs)[1](np.ones(3)))(W, X))
    forward = ["matmul", "tanh", "matmul"]
    ran = backward_of(f, W, X)
    assert [n for n in ran if n == "tanh"] == [n for n in again if n == "tanh"]
    backward_matmuls = plain.count("matmul") - forward.count("matmul")
    assert ran.count("matmul") - backward_matmuls == again.count("matmul")
    np.testing.assert_allclose(
        grad(lambda w: np.sum(f(w, X)))(W), grad(lambda w: np.sum(block(w, X)))(W), rtol=1e-12
    )


def stacked_bytes(f, *args):
    """How many bytes the forward loop of a scan's reverse mode stacks."""
    graph = stage(lambda *xs: grad(f)(*xs))(*args)
    loops = [e for e in graph.equations if e.primitive.name == "scan"]
    carries = loops[0].attributes["loop"].carries
    return sum(v.type.size * v.type.dtype.itemsize for v in loops[0].results[carries:])


def test_a_step_that_is_checkpointed_stacks_only_its_carry():
    xs = np.zeros((50, 3))

    def step(h, x):
        h = np.tanh(W @ np.sin(np.exp(h) + x))
        return np.tanh(W @ h), None

    def f(step):
        return lambda h: np.sum(scan(step, h, xs)[0])

    plain, less = stacked_bytes(f(step), X), stacked_bytes(f(checkpoint(step)), X)
    assert less == 50 * 3 * 8
    assert plain >= 4 * less


@pytest.mark.parametrize("transformed", [grad, lambda f: jit(grad(f), backend="numpy")], ids=["eager", "jit"])
def test_the_peak_of_memory_is_less(transformed):
    """The values in between of 40 steps are a hundred times the carry; checkpointed, those of one are."""
    start = np.linspace(0.1, 1.0, 20_000)

    def step(h, _):
        for _ in range(5):
            h = np.sin(h) * np.exp(h) / 2.0
        return h, None

    def peak(step):
        run = transformed(lambda h: np.sum(scan(step, h, length=40)[0]))
        run(start)
        tracemalloc.start()
        run(start)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(checkpoint(step)) < peak(step) / 4


def test_trees_keywords_and_decorator():
    @checkpoint(policy=save_matmuls)
    def f(params, *, scale):
        return {"y": np.sin(params["w"] @ X) * scale}

    gradient = grad(lambda p: np.sum(f(p, scale=2.0)["y"]))({"w": W})
    expected = grad(lambda w: np.sum(np.sin(w @ X) * 2.0))(W)
    np.testing.assert_allclose(tree.leaves(gradient)[0], expected)
    assert f.__name__ == "f"


def test_closing_over_traced_values():
    def f(w):
        return np.sum(checkpoint(lambda x: np.sin(w * x))(X))

    np.testing.assert_allclose(grad(f)(2.0), np.sum(np.cos(2 * X) * X))
    np.testing.assert_allclose(jit(grad(f))(2.0), np.sum(np.cos(2 * X) * X))


def test_names_of_plain_arrays():
    assert checkpoint_name({"a": 1.0}, "tag") == {"a": 1.0}


def test_a_number_can_have_a_name():
    f = checkpoint(lambda x: np.sin(checkpoint_name(2 * x, "kept")), policy=save_names("kept"))
    assert f(0.5) == np.sin(1.0)
    assert grad(f)(0.5) == pytest.approx(2 * np.cos(1.0))
