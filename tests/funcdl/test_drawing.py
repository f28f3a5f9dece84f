"""Programs as DOT, whose graph is that of the program, and as SVG."""

import re
import shutil
import sys
import xml.etree.ElementTree

import numpy as np
import pytest

from funcdl import dot, draw
from transforms import cond, grad, scan, stage, while_loop

X = np.ones((3, 4), np.float32)
GRAPHVIZ = pytest.importorskip(
    "graphviz", reason="draw calls Graphviz through its package: pip install graphviz"
)
NO_DOT = "draw needs Graphviz's program dot: apt-get install graphviz"
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason=NO_DOT)


def program(f, *args):
    return stage(f)(*args)


PROGRAMS = {
    "line": program(lambda w, b: np.tanh(X @ w + b), np.ones((4, 2), np.float32), np.ones(2, np.float32)),
    "gradient": program(grad(lambda x: np.sum(np.sin(x) * np.exp(x))), X),
    "numbers": program(lambda x: (2 * x, 3.0), 1.0),
    "scan": program(lambda x: scan(lambda c, e: (c + e, c * e), x[0], x), X),
    "nested": program(
        lambda x: scan(lambda c, e: (cond(e > 0, np.sin, np.cos, c), None), 0.0, x)[0], np.ones(3)
    ),
    "while": program(lambda x: while_loop(lambda c: c[0] > 0, lambda c: c - 1, x), np.ones(3)),
    "unused": program(lambda x, y: x, 1.0, 2.0),
}


def labels(text):
    return dict(re.findall(r'^ *(n\d+) \[label="((?:[^"\\]|\\.)*)"', text, re.MULTILINE))


def edges(text):
    return re.findall(r"^ *(n\d+) -> (n\d+)$", text, re.MULTILINE)


def test_nodes_and_edges_are_those_of_the_program():
    text = dot(PROGRAMS["line"])
    shown = labels(text)
    kinds = [label.split("\\n")[0].split(" ")[0] for label in shown.values()]
    assert kinds == ["input", "input", "constant", "matmul", "add", "tanh", "output"]
    by_words = {(shown[a].split("\\n")[0], shown[b].split("\\n")[0]) for a, b in edges(text)}
    assert by_words == {
        ("input 0", "matmul"),
        ("constant", "matmul"),
        ("matmul", "add"),
        ("input 1", "add"),
        ("add", "tanh"),
        ("tanh", "output 0"),
    }
    assert "matmul\\nfloat32[3,2]" in shown.values()


def test_numbers_are_shown():
    shown = list(labels(dot(PROGRAMS["numbers"])).values())
    assert shown == ["input 0\\nfloat64[]", "multiply 2 ·\\nfloat64[]", "output 0", "output 1\\n3.0"]


def test_nested_programs_stand_in_frames():
    text = dot(PROGRAMS["nested"])
    assert re.findall(r'label="([a-z0-9 ]+)"; style=filled', text) == ["step", "branch 0", "branch 1"]
    opened, depth = 0, 0
    for line in text.splitlines():
        opened += line.rstrip().endswith("{") - (line.strip() == "}")
        depth = max(depth, opened)
    assert (opened, depth) == (0, 3)
    assert len(re.findall("style=dashed", text)) == 3


def test_labels_are_escaped():
    text = dot(program(lambda x: x[1:], np.ones(3)))
    assert "getitem" in text
    assert labels(dot(PROGRAMS["gradient"]))


@needs_dot
@pytest.mark.parametrize("name", PROGRAMS)
def test_graphviz_draws_every_node(name, tmp_path):
    path = tmp_path / "program.svg"
    svg = draw(PROGRAMS[name], path)
    assert path.read_text(encoding="utf-8") == svg
    root = xml.etree.ElementTree.fromstring(svg)
    groups = root.findall(".//{http://www.w3.org/2000/svg}g")
    titles = {
        group.find("{http://www.w3.org/2000/svg}title").text
        for group in groups
        if group.get("class") == "node"
    }
    assert titles == labels(dot(PROGRAMS[name])).keys()


def test_without_graphviz_the_remedy_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        RuntimeError, match=r"draw: the program dot must be on the path, got none; install Graph"
    ):
        draw(PROGRAMS["line"])
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match=r'pip install "funcdl\[draw\]"'):
        draw(PROGRAMS["line"])


def test_what_is_no_program_is_refused():
    with pytest.raises(
        TypeError, match=r"dot: graph must be a program, got a function; make one with transf"
    ):
        dot(lambda x: x)
