"""Staging: what a program looks like, its types, and evaluation on arrays and tracers."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import ArrayType, eval_shape, grad, stage, vmap
from transforms.errors import ConcreteValueError, LeakedTracerError
from transforms.graph.check import GraphError, check_graph
from transforms.graph.ir import Graph, Variable
from transforms.graph.stage import evaluate


def test_program_reads_like_the_function():
    graph = stage(lambda p, x: np.sin(p["w"]) * x + 2.0)({"w": np.ones(3)}, np.ones((2, 3), np.float32))
    assert repr(graph) == (
        "(a: float64[3], b: float32[2,3]) ->\n"
        "  c: float64[3] = sin a\n"
        "  d: float64[2,3] = multiply c b\n"
        "  e: float64[2,3] = add d 2.0\n"
        "  return e"
    )
    check_graph(graph)


def test_arrays_that_are_closed_over_are_constants():
    scale = np.arange(2.0)
    graph = stage(lambda x: x * scale + scale)(np.ones(2))
    assert len(graph.constants) == 1
    np.testing.assert_array_equal(evaluate(graph, np.ones(2))[0], [0.0, 2.0])


def test_evaluation_can_be_transformed():
    graph = stage(lambda x: np.sin(x) * x)(1.0)
    assert grad(lambda x: evaluate(graph, x)[0])(0.5) == pytest.approx(np.cos(0.5) * 0.5 + np.sin(0.5))
    batch = vmap(lambda x: evaluate(graph, x)[0])(np.arange(3.0))
    np.testing.assert_allclose(batch, np.sin(np.arange(3.0)) * np.arange(3.0))


def test_eval_shape_computes_nothing():
    out = eval_shape(lambda x: {"y": x @ x, "z": (x[0], 1.0)}, ArrayType((100000, 100000), "float32"))
    assert out == {
        "y": ArrayType((100000, 100000), "float32"),
        "z": (ArrayType((100000,), "float32"), ArrayType((), "float64")),
    }


def test_gradient_can_be_staged():
    graph = stage(grad(lambda x: np.sum(np.sin(x))))(np.ones(3))
    check_graph(graph)
    np.testing.assert_allclose(evaluate(graph, np.arange(3.0))[0], np.cos(np.arange(3.0)))


def test_values_are_not_there_to_branch_on():
    with pytest.raises(ConcreteValueError, match=r"got one of type bool\[\] .* use np.where, cond"):
        stage(lambda x: x if x > 0 else -x)(1.0)


def test_leaked_tracer_is_named():
    kept = []
    stage(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(LeakedTracerError, match="stage: a traced value must be used inside"):
        kept[0] + 1.0


def test_checker_finds_what_is_wrong():
    graph = stage(lambda x: np.sin(np.cos(x)))(1.0)
    with pytest.raises(GraphError, match="must be assigned before it is read"):
        check_graph(graph._replace(equations=graph.equations[::-1]))
    with pytest.raises(GraphError, match="must be assigned once"):
        check_graph(graph._replace(equations=(*graph.equations, graph.equations[0])))
    wrong = graph.equations[0]._replace(results=(Variable(ArrayType((3,), "float32")),))
    with pytest.raises(GraphError, match=r"must have type float64\[\], got float32\[3\]"):
        check_graph(Graph(graph.inputs, (), (wrong,), wrong.results))


def test_long_programs_are_staged_in_linear_time():
    def chain(x):
        for _ in range(20000):
            x = x * 1.0001
        return x

    graph = stage(chain)(1.0)
    assert len(graph.equations) == 20000
    assert evaluate(graph, 1.0)[0] == pytest.approx(1.0001**20000)
