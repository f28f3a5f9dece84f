"""Programs give the same on any number of threads, whoever else runs, and after a fork."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from llvmlite import binding
from llvmlite.binding import ffi

from transforms import fori_loop, get_threads, grad, jit, reduce_window, scan, set_threads, stage
from transforms.backends.llvm import translation, unlocked
from transforms.backends.llvm.processor import initialize
from transforms.backends.llvm.schedule import make_schedule
from transforms.backends.llvm.steps import Band, reads, writes
from transforms.graph.passes import optimize

RNG = np.random.default_rng(0)
F32 = np.float32


def real(*shape):
    return RNG.standard_normal(shape).astype(F32)


@pytest.fixture
def threads():
    before = get_threads()
    yield
    set_threads(before)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def pool(x):
    return reduce_window(x, "max", (1, 3, 3, 1), strides=(1, 2, 2, 1), padding="SAME")


CASES = {
    "rows, then a sum over them": (
        lambda x, w: (np.tanh(x @ w), np.sum(np.tanh(x @ w), axis=0)),
        real(45, 33, 64),
        real(64, 31),
    ),
    "a chain of rows": (lambda x, w: softmax(np.exp(-np.abs(x)) @ w) * 2, real(777, 64), real(64, 65)),
    "gradients": (
        grad(lambda w, x: np.mean(np.log(softmax(np.tanh(x @ w) @ w.T) + 1))),
        real(64, 96),
        real(315, 64),
    ),
    "a prime number of rows": (lambda x: np.sum(np.sin(x) * x, axis=0), real(101, 997)),
    "running along the first axis": (lambda x: np.cumsum(np.cos(x), axis=0), real(49, 1001)),
    "running along the last axis": (lambda x: np.cumsum(x, axis=1) * 2, real(105, 501)),
    "a running result of one row": (lambda x: np.cumsum(np.sin(x)), real(60000)),
    "a running result beside as many units": (
        lambda x, y: (np.cumsum(x), np.sin(y[:, 0]), np.sum(y, axis=1)),
        real(20001),
        real(20000, 5),
    ),
    "overlapping windows of examples": (grad(lambda x: np.sum(pool(x) ** 2)), real(9, 33, 31, 8)),
    "overlapping windows of one example": (grad(lambda x: np.sum(pool(x) ** 2)), real(1, 65, 63, 16)),
    "sums and extremes": (lambda x: (np.sum(x, 1), np.max(x, 1), np.min(x, 0)), real(96, 2047)),
    "places of extremes": (lambda x: np.argmax(x * x, axis=1), real(99, 501)),
    "a scan": (
        lambda h, x: scan(lambda h, x: (np.tanh(h + x), np.sum(h, axis=0)), h, x),
        real(105, 300),
        real(4, 105, 300),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_threads_do_not_change_results(threads, name):
    f, *args = CASES[name]
    expected = f(*args)
    expected = expected if isinstance(expected, tuple) else (expected,)
    alone = None
    for count in (1, 2, 3):
        set_threads(count)
        compiled = jit(f, backend="llvm")
        for _ in range(5):
            got = compiled(*args)
            got = got if isinstance(got, tuple) else (got,)
            alone = alone or [np.array(x) for x in got]
            for ours, first, eager in zip(got, alone, expected, strict=True):
                np.testing.assert_array_equal(ours, first)
                scale = np.max(np.abs(eager))
                np.testing.assert_allclose(ours, eager, rtol=0, atol=2e-5 * scale)


def bands(name):
    f, *args = CASES[name]
    steps = make_schedule(optimize(stage(f)(*args))).steps
    return [step for step in steps if isinstance(step, Band) and step.units > 1]


def test_these_programs_are_split():
    assert any(band.local for band in bands("a chain of rows"))
    assert any(band.units % 2 for band in bands("gradients"))
    assert any(band.parallel for band in bands("overlapping windows of examples"))


@pytest.mark.parametrize(
    "name",
    [
        "a running result of one row",
        "a running result beside as many units",
        "overlapping windows of one example",
    ],
)
def test_units_do_not_go_on_from_each_other(name):
    for band in bands(name):
        for step in band.steps:
            assert set(reads(step)).isdisjoint(writes(step))


def test_numbers_of_threads(threads):
    set_threads(3)
    assert get_threads() == 3
    with pytest.raises(ValueError, match="set_threads: count must be 1 or more, got 0"):
        set_threads(0)


@pytest.mark.parametrize("call", ["set_threads(2)", "get_threads()"])
def test_without_llvmlite_there_is_an_error_that_says_so(call):
    code = f"import sys; sys.modules['llvmlite'] = None; import transforms; transforms.{call}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: jit: backend 'llvm' must have llvmlite, got none that can be imported" in done.stderr


_FORK = """
import os
import numpy as np
from transforms import get_threads, jit, set_threads
set_threads(2)
f = jit(lambda x, w: np.sum(np.tanh(x @ w), axis=0), backend="llvm")
x, w = np.ones((600, 64), np.float32), np.full((64, 96), 0.01, np.float32)
expected = np.array(f(x, w))
child = os.fork()
if child:
    _, status = os.waitpid(child, 0)
    assert np.array_equal(f(x, w), expected) and get_threads() == 2
    raise SystemExit(os.waitstatus_to_exitcode(status))
code = 1
try:
    assert get_threads() == 1
    assert np.array_equal(f(x, w), expected)
    set_threads(2)
    assert get_threads() == 2
    assert all(np.array_equal(f(x, w), expected) for _ in range(50))
    code = 7
finally:
    os._exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_process_has_one_thread_until_it_asks_for_more():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORK],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 7, done.stderr


def run_together(*functions):
    """Run functions in threads; return what they return."""
    results = [None] * len(functions)

    def work(place):
        results[place] = functions[place]()

    workers = [threading.Thread(target=work, args=(place,)) for place in range(len(functions))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


def test_two_programs_at_once(threads):
    set_threads(2)
    first = jit(lambda x, w: np.sum(np.tanh(x @ w), axis=0), backend="llvm")
    second = jit(lambda x: softmax(x * 2), backend="llvm")
    x, w = real(500, 64), real(64, 96)
    expected = np.array(first(x, w)), np.array(second(x))
    got = run_together(
        lambda: [np.array_equal(first(x, w), expected[0]) for _ in range(100)],
        lambda: [np.array_equal(second(x), expected[1]) for _ in range(100)],
    )
    assert got == [[True] * 100] * 2


def test_other_threads_of_python_run_during_a_call():
    program = jit(lambda x: fori_loop(0, 20000, lambda _, x: np.tanh(x @ x), x), backend="llvm")
    x = real(32, 32)
    program(x)
    stop, count = threading.Event(), [0]

    def counts():
        while not stop.is_set():
            count[0] += 1

    def calls():
        before = count[0]
        program(x)
        after = count[0]
        stop.set()
        return after - before

    _, advanced = run_together(counts, calls)
    assert advanced > 1000


def test_a_bad_index_fails_its_own_call_alone():
    def f(x, indices):
        return scan(lambda total, i: (total + x[i], total), F32(0), indices)

    program, other = (jit(f, backend="llvm") for _ in range(2))
    x, good = np.arange(5, dtype=F32), np.array([0, 4, -5, 2])
    bad = np.array([0, 7, 1, 2])
    expected = float(np.sum(x[good]))

    def fails(f):
        with pytest.raises(IndexError, match="from -5 to 4, got 7, which is out of bounds for an axis of 5"):
            f(x, bad)
        return True

    for _ in range(3):
        assert fails(program)
        assert other(x, good)[0] == expected
        assert program(x, good)[0] == expected
    got = run_together(
        lambda: all(fails(program) for _ in range(200)),
        lambda: all(program(x, good)[0] == expected for _ in range(200)),
        lambda: all(fails(other) for _ in range(200)),
    )
    assert got == [True] * 3


_SQUARE = """define double @f{number}(double %x) {{
  %y = fmul double %x, %x
  ret double %y
}}"""


def test_modules_are_optimized_while_another_thread_holds_the_lock_of_llvmlite():
    initialize()
    machine, context = translation._target_machine(), binding.create_context()
    module = binding.parse_assembly(_SQUARE.format(number=0), context)
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options())
    passes = builder.getModulePassManager()
    thread = threading.Thread(target=unlocked.run_passes, args=(passes, module, builder), daemon=True)
    with ffi.lib._lock:
        thread.start()
        thread.join(30)
        assert not thread.is_alive()


def test_modules_that_are_compiled_at_once_are_as_they_are_alone(monkeypatch):
    monkeypatch.setenv("FUNCDL_CACHE", "0")
    monkeypatch.setattr(translation, "available_threads", lambda: 4)
    texts = [_SQUARE.format(number=number) for number in range(24)]
    assert translation.translated(texts) == [translation._compile(text) for text in texts]
