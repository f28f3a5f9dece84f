"""Digests: programs that are equal have the same, in every process, and no two others share one."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import transforms.primitives
from tests.transforms.laws import Case, of_floating
from transforms import custom_vjp, grad, jit, pure_callback, scan, stage, tree, vjp, while_loop
from transforms.graph.digest import digest
from transforms.graph.ir import Graph, Variable, nested_graphs, show
from transforms.graph.passes import optimize
from transforms.primitive import NoRule, Primitive
from transforms.tracer import bind
from transforms.types import ArrayType

F32 = ArrayType((3,), np.dtype("float32"))
MATRIX = ArrayType((3, 4), np.dtype("float64"))
SQUARE = ArrayType((3, 3), np.dtype("float64"))


def of(f, *types):
    return digest(stage(f)(*types))


PROGRAMS = {
    "sum": lambda x: np.sum(np.sin(x) * 2.0, axis=0),
    "loop": lambda x: scan(lambda c, _: (np.cos(c) @ x, np.sum(c)), x, None, length=3),
    "while": lambda x: while_loop(lambda c: np.sum(c) < 3, lambda c: c + np.abs(x) + 1, x),
    "gradient": grad(lambda x: np.sum(np.tanh(x @ x) ** 2)),
    "constants": lambda x: x[:2] @ np.arange(9.0).reshape(3, 3) + np.linspace(0, 1, 3),
    "call": lambda x: jit(lambda y: np.sort(y, axis=1))(x * x),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_traced_again_has_the_same_digest(name):
    first = of(PROGRAMS[name], SQUARE)
    assert first == of(PROGRAMS[name], SQUARE)
    assert len(first) == 64


def test_the_programs_differ():
    assert len({of(f, SQUARE) for f in PROGRAMS.values()}) == len(PROGRAMS)


_OTHER = """
from tests.transforms.graph.test_digest import PROGRAMS, SQUARE, of
print(*(of(f, SQUARE) for f in PROGRAMS.values()))
"""


def test_another_process_gives_the_same_digests():
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", _OTHER], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == [of(f, SQUARE) for f in PROGRAMS.values()]


PAIRS = {
    "primitive": (np.sin, np.cos, MATRIX),
    "option": (lambda x: np.sum(x, axis=0), lambda x: np.sum(x, axis=1), SQUARE),
    "index": (lambda x: x[:2], lambda x: x[1:], SQUARE),
    "step of an index": (lambda x: x[0:3:2], lambda x: x[0:2], SQUARE),
    "number": (lambda x: x + 1.0, lambda x: x + 2.0, SQUARE),
    "kind of a number": (lambda x: x + 1, lambda x: x + 1.0, SQUARE),
    "boolean": (lambda x: x + True, lambda x: x + 1, SQUARE),
    "sign of zero": (lambda x: x + 0.0, lambda x: x + -0.0, SQUARE),
    "NaN": (lambda x: x + np.inf, lambda x: x + np.nan, SQUARE),
    "part of a complex number": (lambda x: x + 1j, lambda x: x + (1 + 1j), SQUARE),
    "wiring": (lambda x: x - x.T, lambda x: x.T - x, SQUARE),
    "order of equations": (
        lambda x: [np.sin(x), np.cos(x)],
        lambda x: [np.cos(x), np.sin(x)][::-1],
        SQUARE,
    ),
    "order of results": (lambda x: [x + 1, x + 2], lambda x: [x + 1, x + 2][::-1], SQUARE),
    "which result": (lambda x: (x + 1, x * 2)[0], lambda x: (x + 1, x * 2)[1], SQUARE),
    "a result twice": (lambda x: [x + 1, x + 1], lambda x: [x + 1] * 2, SQUARE),
    "constant": (lambda x: x + np.arange(3.0), lambda x: x + np.arange(1.0, 4), SQUARE),
    "bits of a constant": (lambda x: x + np.zeros(3), lambda x: x + -np.zeros(3), SQUARE),
    "shape of a constant": (lambda x: x + np.ones((1, 3)), lambda x: x + np.ones(3), SQUARE),
    "dtype of a constant": (
        lambda x: x + np.ones(3, np.int32),
        lambda x: x + np.full(3, 1, np.float32),
        SQUARE,
    ),
    "step of a loop": (
        lambda x: scan(lambda c, _: (c + 1.0, c), x, None, length=3),
        lambda x: scan(lambda c, _: (c + 2.0, c), x, None, length=3),
        SQUARE,
    ),
    "constant in a loop": (
        lambda x: scan(lambda c, _: (c + np.arange(3.0), c), x, None, length=3),
        lambda x: scan(lambda c, _: (c + np.arange(1.0, 4.0), c), x, None, length=3),
        SQUARE,
    ),
    "length of a loop": (
        lambda x: scan(lambda c, _: (c + 1.0, None), x, None, length=3),
        lambda x: scan(lambda c, _: (c + 1.0, None), x, None, length=4),
        SQUARE,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_programs_that_differ_in_one_thing_have_other_digests(name):
    first, second, argument = PAIRS[name]
    assert None not in (of(first, argument), of(second, argument))
    assert of(first, argument) != of(second, argument)


@pytest.mark.parametrize(
    "other",
    [
        ArrayType((3,), np.dtype("float64")),
        ArrayType((3, 1), np.dtype("float32")),
        ArrayType((4,), np.dtype("float32")),
        ArrayType((3,), np.dtype(">f4")),
    ],
)
def test_a_type_counts(other):
    assert of(np.sin, F32) != of(np.sin, other)
    assert of(np.sin, F32) == of(np.sin, ArrayType((3,), "f4"))


def test_whether_an_input_promotes_like_a_number_counts():
    types = ArrayType((), np.dtype("float64"))
    strong, weak = Variable(types), Variable(types, float)
    assert digest(Graph((strong,), (), (), (strong,))) != digest(Graph((weak,), (), (), (weak,)))


def test_the_identities_and_the_layout_of_constants_do_not_count():
    constant = np.arange(12.0).reshape(3, 4)
    assert of(lambda x: x + constant, MATRIX) == of(lambda x: x + np.asfortranarray(constant), MATRIX)


def test_a_rule_of_a_function_does_not_count_and_the_function_does():
    def with_rule(f, rule):
        g = custom_vjp(f)
        g.defvjp(lambda x: (f(x), x), lambda residuals, d: (rule(d),))
        return lambda x: g(x) * 2

    plain = of(with_rule(np.sin, lambda d: d), SQUARE)
    assert plain == of(with_rule(np.sin, lambda d: 2 * d), SQUARE)
    assert plain != of(with_rule(np.cos, lambda d: d), SQUARE)
    assert plain is not None


def test_a_program_that_calls_python_has_none():
    def called(x):
        return pure_callback(lambda y: y, ArrayType((3, 3), np.dtype("float64")), x)

    assert of(called, SQUARE) is None
    assert of(lambda x: scan(lambda c, _: (called(c), None), x, None, length=2), SQUARE) is None


def test_a_constant_of_objects_has_none():
    variable = Variable(ArrayType((1,), np.dtype(object)))
    assert digest(Graph((), ((variable, np.array([object()])),), (), (variable,))) is None


def test_a_primitive_that_is_not_the_librarys_has_none(monkeypatch):
    monkeypatch.setattr(transforms.primitive, "PRIMITIVES", {})
    rule = NoRule("it is for a test")
    mine = Primitive("sin", lambda x: 2 * x, infer=lambda x: x, jvp=rule, vjp=rule, batch=rule)
    assert of(lambda x: bind(mine, x), SQUARE) is None
    ufunc = Primitive(
        "sin",
        np.frompyfunc(lambda x: 2 * x, 1, 1),
        infer=lambda x: x,
        jvp=rule,
        vjp=rule,
        batch=rule,
        elementwise=True,
    )
    assert of(lambda x: bind(ufunc, x), SQUARE) is None


# --- all cases of all primitives


def programs():
    """Return the programs of all tables of cases, and of the pullbacks of their functions."""
    folder = Path(__file__).parents[1]
    modules = [
        f"{x.parent.name}.{x.stem}"
        for room in ("primitives", "compositions")
        for x in (folder / room).glob("test_*.py")
    ]
    cases = {
        (name, case.name): case
        for name in modules
        for value in vars(importlib.import_module(f"tests.transforms.{name}")).values()
        for case in (value if isinstance(value, list) else ())
        if isinstance(case, Case)
    }
    for case in cases.values():

        def f(*args, case=case):
            return case.function(np, *args)

        yield stage(f)(*case.args)
        restricted, values = of_floating(f, case.args)
        if case.order and values:
            yield stage(pulled(restricted))(*values)


def pulled(f):
    def pullback_at(*args):
        out, pullback = vjp(f, *args)
        return pullback(tree.map(np.ones_like, out))

    return pullback_at


def content(graph):
    """Return all of a program that a digest must tell apart, in another way than the digest does."""

    def bits(value):
        array = np.asarray(value)
        return array.shape, array.dtype.str, [*map(repr, array.reshape(-1).tolist())]

    weak = [x.weak for x in (*graph.inputs, *(y for e in graph.equations for y in e.results))]
    inner = [content(nested) for e in graph.equations for nested in nested_graphs(e).values()]
    return repr((show(graph), weak, [bits(value) for _, value in graph.constants], inner))


def test_no_two_programs_of_all_cases_share_a_digest():
    contents = {}
    for graph in programs():
        for form in (graph, optimize(graph)):
            found = digest(form)
            assert found is not None, show(form)
            contents.setdefault(found, set()).add(content(form))
    assert {len(x) for x in contents.values()} == {1}
    assert len(contents) > 1000
    assert len({x for y in contents.values() for x in y}) == len(contents)
