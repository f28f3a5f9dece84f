"""Write ``docs/coverage.md``, the table of functions: ``python -m tests.coverage``.

What a transform or a backend does with a function is found out by running it on the calls in
`tests.transforms.surface` and `tests.transforms.library`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.transforms.library import ENGINE, SCIPY
from tests.transforms.surface import (
    CONSTANT,
    DIFFERENTIABLE,
    MATRIX,
    QUERIES,
    WITHOUT_RULE,
    Call,
    handling,
    is_primitive,
    is_refused,
    overridable,
)
from transforms import jit, jvp, tree, vjp, vmap
from transforms.errors import ConcreteValueError, NoRuleError, RefusedError

PAGE = Path(__file__).parent.parent / "docs" / "coverage.md"

INTRODUCTION = """\
# What works with which function

Every function that NumPy lets a library intercept is a *primitive*, which has rules of its own, or a
*composition* of primitives, or refused. This page is made by `python -m tests.coverage`, which runs each
transform, and `jit` on each backend (`numpy`, `xla`, `llvm`), on a call of each function: **yes** where it
gives the right result, **constant** where the derivative is zero wherever it exists, **no** where there is
none, and **values** where the shape or the dtype of the result depends on values, which `grad` and `jvp` know
and `vmap` and `jit` do not.

## NumPy
"""

FORMS = """\
## Working forms of what NumPy cannot intercept

Some functions turn their arguments into plain arrays before a library is asked. On a traced array they raise
a `TypeError` that says what to write instead.

| instead of | write |
|---|---|
| `np.array([t, u])` | `np.stack([t, u])`, or `transforms.numpy.array([t, u])` |
| `np.asarray(t)` | `t`, or `transforms.numpy.asarray(t)` |
| `np.sum([t, u])` | `np.sum(np.stack([t, u]))` |
| `np.full(shape, t)` | `np.broadcast_to(t, shape)`, or `transforms.numpy.full(shape, t)` |
| `np.full_like(x, t)` | `np.broadcast_to(t, x.shape)` |
| `np.arange(t)` | `t * np.arange(n)`, or `transforms.numpy.arange(t)` |
| `np.r_[t, u]`, `np.c_[t, u]` | `np.concatenate`, `np.stack([t, u], axis=-1)` |
| `np.vectorize(f)(t)` | `vmap(f)(t)`, or `transforms.numpy.vectorize(f)(t)` |
| `np.fromiter(values)` | `np.stack(list(values))` |
| `np.float64(t)` | `t.astype(np.float64)` |
| `np.lib.stride_tricks.as_strided(t)` | `np.lib.stride_tricks.sliding_window_view(t, window)` |
| `x[t]`, `np.take(x, t)` with a plain `x` | `transforms.at(x)[t].get()` |
| `x[index] = t`, `x.fill(t)` | `x = transforms.at(x)[index].set(t)`, `np.broadcast_to(t, x.shape)` |
| `scipy.special.logsumexp(t)` and others | the same in `transforms.scipy.special` |
| `scipy.linalg.solve_triangular(t)` and others | the same in `transforms.scipy.linalg` |
"""


NEW = {"polynomial.polynomial.polyvalnd"}
"""Functions that not every NumPy has for which Python has wheels: the page is the same for all versions."""

Outcome = Callable[[str, str, Call], str]
"""Says what a column of the table has for the function of a name, of which there is a call."""


def page(outcome: Outcome | None = None) -> str:
    """Return the text of the page; what it says of a function comes from ``outcome``, or is found out."""
    ask = outcome or find_out
    surface = overridable()
    rows = [line for name in sorted(surface) for line in _row(name, surface[name], ask)]
    queries = ", ".join(f"`{name}`" for name in sorted(QUERIES) if name in surface)
    return "\n".join(
        [
            INTRODUCTION,
            f"| function | is a | {' | '.join(COLUMNS)} |",
            "|---|---|" + "---|" * len(COLUMNS),
            *rows,
            "",
            "These answer questions about a traced array, or make a plain one, and are never traced:",
            queries + ".",
            "",
            "## Refused",
            "",
            "| function | because | instead |",
            "|---|---|---|",
            *_refused(surface),
            "",
            *_table("SciPy", SCIPY, ask),
            *_table("The engine's own", ENGINE, ask),
            FORMS,
        ]
    )


def _table(title: str, calls: dict[str, Call], ask: Outcome) -> Iterator[str]:
    yield from (f"## {title}", "", f"| function | {' | '.join(COLUMNS)} |", "|---|" + "---|" * len(COLUMNS))
    for name in sorted(calls):
        yield f"| `{name}` | {' | '.join(ask(name, column, calls[name]) for column in COLUMNS)} |"
    yield ""


def _row(name: str, function: Any, ask: Outcome) -> Iterator[str]:
    if is_refused(function) or name in QUERIES:
        return
    kind = "primitive" if is_primitive(name, function) else "composition"
    known = {"jvp": "constant", "vjp": "constant"} if name in CONSTANT else {}
    call = (DIFFERENTIABLE | CONSTANT | WITHOUT_RULE)[name]
    outcomes = [known.get(column) or ask(name, column, call) for column in COLUMNS]
    yield f"| `{name}` | {kind} | {' | '.join(outcomes)} |"


def find_out(name: str, column: str, call: Call) -> str:
    """Return what is true of a function, by trying."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of casts; and of batches that run as a loop
            return COLUMNS[column](call)
    except ConcreteValueError:
        return "values"
    except (NoRuleError, RefusedError):
        return "no"


def _floating(call: Call) -> Call:
    return lambda x: [leaf for leaf in tree.leaves(call(x)) if leaf.dtype.kind in "fc"]


def _pushes(call: Call) -> str:
    jvp(_floating(call), (MATRIX,), (np.ones_like(MATRIX),))
    return "yes"


def _pulls(call: Call) -> str:
    out, pullback = vjp(_floating(call), MATRIX)
    pullback(out)
    return "yes"


def _batches(call: Call) -> str:
    examples = np.stack([MATRIX, MATRIX * 1.01])
    got = vmap(lambda x: tree.leaves(call(x)))(examples)
    expected = [np.stack(leaves) for leaves in zip(*(tree.leaves(call(x)) for x in examples), strict=True)]
    return _equal(got, expected)


def _compiles(call: Call, backend: str) -> str:
    return _equal(jit(lambda x: tree.leaves(call(x)), backend=backend)(MATRIX), tree.leaves(call(MATRIX)))


def _equal(got: Any, expected: Any) -> str:
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_allclose(np.asarray(x), y, rtol=1e-9, atol=1e-12)
    return "yes"


COLUMNS: dict[str, Callable[[Call], str]] = {
    "jvp": _pushes,
    "vjp": _pulls,
    "vmap": _batches,
    "numpy": functools.partial(_compiles, backend="numpy"),
    "xla": functools.partial(_compiles, backend="xla"),
    "llvm": functools.partial(_compiles, backend="llvm"),
}
"""What is found out of a function, by the table's columns."""

# To compile every function for these takes minutes.
SLOW = ("xla", "llvm")


def written() -> dict[tuple[str, str], str]:
    """Return what the page says, by function and column."""
    said = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) > len(COLUMNS):
            for column, cell in zip(COLUMNS, cells[-len(COLUMNS) :], strict=True):
                said[cells[0].strip("`"), column] = cell
    return said


def _refused(surface: dict[str, Any]) -> Iterator[str]:
    """Yield a row for each reason, with all functions that are refused for it."""
    groups: dict[Any, list[str]] = {}
    for name in sorted(surface.keys() - NEW):
        if is_refused(surface[name]):
            groups.setdefault(handling(surface[name]), []).append(f"`{name}`")
    for refusal, names in groups.items():
        yield f"| {', '.join(names)} | {refusal.reason} | {refusal.substitute.removeprefix('write ')} |"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")
