"""The NumPy backend: its source, its memory, and what it returns."""

from __future__ import annotations

import subprocess
import sys
import weakref

import numpy as np
import pytest

from transforms import (
    ArrayType,
    at,
    checkpoint,
    cond,
    fori_loop,
    grad,
    jit,
    scan,
    stage,
    switch,
    tree,
    while_loop,
)
from transforms.backends import compile_graph
from transforms.backends.numpy.module import letters
from transforms.backends.numpy.pool import Pool, own
from transforms.control.callbacks import effect_callback, pure_callback
from transforms.graph.stage import evaluate

X = np.linspace(-1.0, 1.0, 144).reshape(12, 12)
SMALL = np.linspace(0.5, 1.5, 3)
WEIGHTS = np.linspace(0.0, 1.0, 144).reshape(12, 12)


def source_of(f, *args):
    return jit(f, backend="numpy").lower(*args).source()


def body_of(f, *args):
    """The lines of a program between its first and its last."""
    text = source_of(f, *args)
    return [line.strip() for line in text[text.index("def program") :].splitlines()[1:-1]]


# --- what is written


def test_elementwise_work_goes_into_one_buffer():
    assert body_of(lambda x: np.sum(np.sin(x) * 2.0 + x), X) == [
        "b = np.sin(a, out=buffer1)",
        "c = np.multiply(b, number1, out=b)",
        "d = np.add(c, a, out=c)",
        "e = np.add.reduce(d, (0, 1))",
    ]


def test_small_arrays_are_new():
    assert body_of(lambda x: -(x * 2.0) / x, SMALL) == [
        "b = a * number1",
        "c = np.negative(b, out=b)",
        "d = np.divide(c, a, out=c)",
    ]


def test_a_result_comes_from_a_pool():
    assert body_of(lambda x: x * 2.0, X) == ["b = np.multiply(a, number1, out=pool1())"]


def test_transposes_are_views_that_matmul_takes():
    assert body_of(lambda x, w: np.sum(x.T @ w, 0), X, X) == [
        "c = a.T",
        "d = np.dot(c, b, out=buffer1)",
        "e = np.add.reduce(d, 0)",
    ]


def test_a_stack_times_a_matrix_is_one_product():
    text = source_of(lambda x, w: x @ w, np.ones((5, 4, 3)), np.ones((3, 2)))
    assert "a.reshape((20, 3))" in text


def test_buffers_are_shared_by_arrays_of_one_size():
    text = source_of(lambda x: np.sum(np.sin(np.sin(x).reshape(6, 24).T @ np.ones((6, 12)))), X)
    assert text.count("np.empty(") <= 2


def test_large_arrays_are_dropped_after_the_last_reading():
    large = np.ones((200, 200))
    lines = body_of(lambda x: np.sum(np.where(x > 0, x, 0.0) * 2.0) + np.sum(np.where(x > 1, x, 0.0)), large)
    assert sum(line.startswith("del ") for line in lines) == 2


def test_updates_are_in_place_where_nothing_else_reads_the_base():
    lines = body_of(lambda x: at(x * 2.0)[0].set(1.0), X)
    assert lines[-1] == "c[0] = 1.0" or lines[-1] == "c[0] = constant1"
    assert "copy" not in "".join(lines)


def test_names_of_python_are_no_names():
    names = [name for name, _ in zip(letters(), range(20000), strict=False)]
    assert len(set(names)) == 20000
    assert not {"as", "if", "np", "in", "is", "or", "i", "int"} & {*names}
    compile("\n".join(f"{name} = 0" for name in names), "names", "exec")


PROGRAMS = {
    "scan": (lambda x: scan(lambda c, row: (np.tanh(c + row), c * 2.0), x[0], x), (X,)),
    "scan backwards": (lambda x: scan(lambda c, row: (c + row, None), 0.0, x[0], reverse=True), (X,)),
    "gradient of scan": (
        grad(lambda w: np.sum(scan(lambda c, row: (np.tanh(w @ c + row), np.sum(c)), w[0], X)[1])),
        (WEIGHTS,),
    ),
    "cond": (lambda x: cond(np.sum(x) > 0, np.sin, lambda y: y, x), (X,)),
    "switch": (lambda i, x: switch(i, [np.sin, np.cos, np.exp], x), (np.array(2), X)),
    "gradient of cond": (
        grad(lambda x: np.sum(cond(x[0, 0] > 0, np.sin, lambda y: y * y, x))),
        (X,),
    ),
    "while": (lambda x: while_loop(lambda c: np.sum(c) < 100.0, lambda c: c * 2.0, x + 2.0), (X,)),
    "gradient of while": (
        grad(lambda x: np.sum(while_loop(lambda c: np.sum(c) < 100.0, lambda c: c * c + x, x + 2.0))),
        (X,),
    ),
    "fori_loop": (lambda x: fori_loop(0, 3, lambda i, c: c * (i + 1), x), (X,)),
    "checkpoint": (grad(lambda x: np.sum(checkpoint(lambda y: np.sin(np.sin(y)))(x))), (X,)),
    "nested": (
        lambda x: scan(lambda c, row: (cond(row[0] > 0, lambda: c * 2.0, lambda: c), row), x[0], x),
        (X,),
    ),
    "linear algebra": (lambda x: np.linalg.solve(x @ x.T + np.eye(12), x), (X,)),
    "indices": (lambda x, i: at(x[i] * 2.0)[::2, None, 1].add(x[i, i][0]), (X, np.array([0, -1, 3]))),
    "constants": (lambda x: x * X + np.array([np.inf, np.nan, -0.0] * 4), (X,)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_source_gives_the_same_results(name):
    f, args = PROGRAMS[name]
    leaves = tree.leaves(args)
    expected = tree.leaves(f(*args))
    program = jit(f, backend="numpy")
    for outs in (tree.leaves(program(*args)), tree.leaves(program(*args))):
        for out, want in zip(outs, expected, strict=True):
            np.testing.assert_allclose(out, want, rtol=1e-12)
    text = program.lower(*args).source()
    assert "no text" not in text
    namespace = {}
    exec(text, namespace)
    for out, want in zip(namespace["program"](*leaves), expected, strict=True):
        np.testing.assert_allclose(out, want, rtol=1e-12)


def test_source_runs_on_its_own(tmp_path):
    lines, results = [], []
    for index, (f, args) in enumerate(PROGRAMS.values()):
        path = tmp_path / f"program{index}.py"
        path.write_text(source_of(f, *args))
        np.savez(tmp_path / f"args{index}.npz", *tree.leaves(args))
        results.append(tree.leaves(f(*args)))
        lines.append(
            f"import program{index} as p; args = np.load('args{index}.npz'); "
            f"np.savez('out{index}.npz', *p.program(*(args[k] for k in args.files)))"
        )
    code = "import numpy as np\n" + "\n".join(lines)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=environment)
    for index, expected in enumerate(results):
        outs = np.load(tmp_path / f"out{index}.npz")
        for key, want in zip(outs.files, expected, strict=True):
            np.testing.assert_allclose(outs[key], want, rtol=1e-12)


def test_what_has_no_text_is_named():
    text = source_of(lambda x: pure_callback(lambda y: y * 2.0, ArrayType((3,), "float64"), x), SMALL)
    assert "object1 has no text" in text


def test_a_long_program_is_quick_to_write():
    def chain(x):
        for _ in range(10000):
            x = np.sin(x) * 1.0001
        return x

    program = jit(chain)
    np.testing.assert_allclose(program(SMALL), chain(SMALL))
    assert program.lower(SMALL).source().count("\n") > 20000


# --- results


def test_results_share_no_memory_with_arguments():
    constant = np.ones(12)

    def f(x):
        carried, _ = scan(lambda c, _: (c, None), x, length=2)
        looped = while_loop(lambda c: np.sum(c) < -1e9, lambda c: c * 2.0, x)
        chosen = cond(x[0, 0] < 0, lambda: x, lambda: x + 1)
        return x, x.T, x[0], carried, looped, chosen, constant, np.broadcast_to(x[0], (50, 12)), x.real

    x = X.copy()
    outs = jit(f, backend="numpy")(x)
    copies = [np.array(out) for out in outs]
    x[...] = 7.0
    constant[...] = 7.0
    for out, copy in zip(outs, copies, strict=True):
        np.testing.assert_array_equal(out, copy)
        assert not out.flags.writeable


def test_arrays_that_are_closed_over_are_constants_of_the_program():
    scale = np.ones((12, 12))
    f = jit(lambda x: x * scale * np.arange(12.0), backend="numpy")
    f(X)
    scale[...] = 5.0
    np.testing.assert_array_equal(f(X), X * np.arange(12.0))


def test_one_result_twice_and_a_view_of_a_result():
    out, same, view, row = jit(lambda x: (lambda y: (y, y, y.T, y[0]))(x * 2.0), backend="numpy")(X)
    for value, want in ((out, 2 * X), (same, 2 * X), (view, 2 * X.T), (row, 2 * X[0])):
        np.testing.assert_array_equal(value, want)
        assert not value.flags.writeable


def test_numbers_in_numbers_out():
    out = jit(lambda x, n, flag: (x * n, n, n + 1, 2.0, flag), backend="numpy")(np.float32(2.0), 3.0, True)
    assert [x.dtype for x in out] == [np.float32, np.float64, np.float64, np.float64, np.bool]
    assert [float(x) for x in out] == [6.0, 3.0, 4.0, 2.0, 1.0]


def test_checkpointed_numbers_promote_weakly():
    f = checkpoint(lambda x, scale: x * scale * (scale + 1))
    assert f(SMALL.astype(np.float32), 2.0).dtype == np.float32
    assert jit(f, backend="numpy")(SMALL.astype(np.float32), 2.0).dtype == np.float32


@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0)])
def test_arrays_without_elements_or_axes(shape):
    def f(x):
        product = x @ x.T if x.ndim else x
        return np.sin(x) * 2.0, np.sum(x), x.T, x[None], np.concatenate([x[None], x[None]]), product

    x = np.ones(shape)
    outs = jit(f, backend="numpy")(x)
    for out, want in zip(outs, f(x), strict=True):
        np.testing.assert_array_equal(out, want)
        assert (out.shape, out.dtype) == (np.shape(want), want.dtype)


def test_integers_wrap_around_without_a_warning():
    f = jit(lambda x: x * x + x, backend="numpy")
    for x in (np.array(2**31 + 1, np.uint32), np.full(3, 2**31 + 1, np.uint32)):
        np.testing.assert_array_equal(f(x), evaluate(stage(lambda x: x * x + x)(x), x)[0])
    np.testing.assert_array_equal(jit(lambda x: x < 300)(np.array([1, 200], np.uint8)), [True, True])


def test_effects_run_each_time_and_in_order():
    seen = []

    def f(x):
        effect_callback(lambda y: seen.append(float(y)), (x,), {})
        effect_callback(lambda y: seen.append(float(y)), (x + 1,), {})
        return x * 2.0

    program = jit(f, backend="numpy")
    program(1.0), program(5.0)
    assert seen == [1.0, 2.0, 5.0, 6.0]


@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: x[i],
        lambda x, i: x[i, i],
        lambda x, i: x[:, i],
        lambda x, i: at(x)[i].set(1.0),
        lambda x, i: at(x)[i].add(1.0),
        lambda x, i: scan(lambda c, j: (c + x[j], None), x[0], i)[0],
    ],
)
def test_an_index_out_of_range_is_an_error(f):
    program = jit(f, backend="numpy")
    before = np.array(program(X, np.array([0, -12])))
    for index in (12, -13):
        with pytest.raises(IndexError, match="out of bounds"):
            program(X, np.array([0, index]))
    np.testing.assert_array_equal(program(X, np.array([0, -12])), before)


# --- pools


def test_a_pool_gives_an_array_again_that_nobody_holds():
    pool = Pool((3,), np.float32)
    first = pool()
    second = pool()
    assert first is not second
    address = id(first)
    del first
    assert id(pool()) == address
    view = pool()[1:]
    assert not np.shares_memory(view, pool())


def test_a_pool_keeps_few_arrays():
    pool = Pool((3,), np.float32)
    held = [pool() for _ in range(50)]
    assert len({id(x) for x in held}) == 50
    references = [weakref.ref(x) for x in held]
    del held
    assert sum(reference() is not None for reference in references) == len(pool.arrays) <= 8


def test_own_copies_what_is_shared():
    x = np.arange(3.0)
    assert own(x[:2], x).base is None
    assert own(x, x) is not x
    new = x * 2
    assert own(new, x) is new
    first, second = own((new, x[1:]), x)
    assert first is new
    assert not np.shares_memory(second, x)


def test_a_program_that_runs_in_itself_has_buffers_for_each_run():
    def call_again(x):
        return programs[0](x)[0] if x[0, 0] > 0 else x

    def f(x):
        kept = np.sin(x)
        return np.cos(kept + pure_callback(call_again, ArrayType((12, 12), "float64"), x - 1.0))

    programs = [compile_graph(stage(f)(X), "numpy")]

    def expected(x):
        return np.cos(np.sin(x) + (expected(x - 1.0) if x[0, 0] > 1 else x - 1.0))

    x = X + 3.5
    np.testing.assert_allclose(programs[0](x)[0], expected(x))
