"""Results in the memory of donated arguments are what NumPy computes, and nothing else is written over."""

import threading

import numpy as np
import pytest

from transforms import at, cond, fori_loop, grad, jit, scan, tree, value_and_grad, vjp, vmap, while_loop
from transforms.backends.llvm import instance
from transforms.backends.llvm.objects import UNUSUAL

F32 = np.float32


def normal(*shape, seed=0, dtype=F32):
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def copied(x):
    return tree.map(lambda leaf: leaf.copy() if isinstance(leaf, np.ndarray) else leaf, x)


def same(result, expected, tolerance=1e-5):
    for x, y in zip(tree.leaves(result), tree.leaves(expected), strict=True):
        assert np.shape(x) == np.shape(y)
        assert np.allclose(x, y, tolerance, tolerance), np.max(np.abs(x - y))


def donating(f, donated=0):
    return jit(f, backend="llvm", donate_argnums=donated)


# --- training


def loss(params, x, y):
    hidden = np.tanh(x @ params["w1"] + params["b1"])
    return np.mean((hidden @ params["w2"] - y) ** 2)


def gradients(params, x, y):
    """The derivatives of `loss`, by hand."""
    hidden = np.tanh(x @ params["w1"] + params["b1"])
    error = hidden @ params["w2"] - y
    of_result = 2 * error / error.size
    of_sum = (of_result @ params["w2"].T) * (1 - hidden**2)
    grads = {"w1": x.T @ of_sum, "b1": of_sum.sum(0), "w2": hidden.T @ of_result}
    return np.mean(error**2), grads


def sgd(params, velocity, grads):
    velocity = tree.map(lambda v, g: F32(0.9) * v + g, velocity, grads)
    return tree.map(lambda p, v: p - F32(0.05) * v, params, velocity), velocity


def adam(params, state, grads):
    count = state["count"] + 1
    m = tree.map(lambda m, g: F32(0.9) * m + F32(0.1) * g, state["m"], grads)
    v = tree.map(lambda v, g: F32(0.999) * v + F32(0.001) * g * g, state["v"], grads)
    scale = (1 - F32(0.9) ** count, 1 - F32(0.999) ** count)
    params = tree.map(
        lambda p, m, v: (p - F32(0.01) * (m / scale[0]) / (np.sqrt(v / scale[1]) + F32(1e-8))).astype(F32),
        params,
        m,
        v,
    )
    return params, {"m": m, "v": v, "count": count}


def problem(width=48):
    params = {"w1": normal(12, width), "b1": normal(width), "w2": normal(width, 5)}
    return params, normal(96, 12, seed=1), normal(96, 5, seed=2)


OPTIMIZERS = {
    "sgd": (sgd, lambda zeros: zeros),
    "adam": (adam, lambda zeros: {"m": zeros, "v": copied(zeros), "count": np.zeros((), F32)}),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("width", [48, 512])  # in one unit, and in several that threads share
def test_steps_of_training(name, width):
    update, start = OPTIMIZERS[name]
    params, x, y = problem(width)
    state = start(tree.map(np.zeros_like, params))

    @jit(backend="llvm", donate_argnums=(0, 1))
    def step(params, state, x, y):
        value, grads = value_and_grad(loss)(params, x, y)
        return *update(params, state, grads), value

    expected = copied((params, state))
    given = tree.leaves((params, state))
    for _ in range(5):
        value, grads = gradients(expected[0], x, y)
        expected = update(*expected, grads)
        params, state, found = step(params, state, x, y)
        same((params, state, found), (*expected, value), 2e-4)
    arrays = [leaf for leaf in tree.leaves((params, state)) if leaf.ndim]
    assert {*map(id, arrays)} == {id(leaf) for leaf in given if leaf.ndim}
    assert not any(leaf.flags.writeable for leaf in arrays)


def test_a_loop_over_steps():
    params, x, y = problem()
    batches = x.reshape(6, 16, 12), y.reshape(6, 16, 5)

    def epoch(carry, batches):
        def step(carry, batch):
            value, grads = value_and_grad(loss)(carry[0], *batch)
            return sgd(*carry, grads), value

        return scan(step, carry, batches)

    for length in (6, 5, 1):
        some = tree.map(lambda leaf, length=length: leaf[:length], batches)
        carry = copied((params, tree.map(np.zeros_like, params)))
        expected, values = copied(carry), []
        for xs, ys in zip(*some, strict=True):
            value, grads = gradients(expected[0], xs, ys)
            values.append(value)
            expected = sgd(*expected, grads)
        given = tree.leaves(carry)
        result = donating(epoch)(carry, some)
        same(result, (expected, np.array(values, F32)), 1e-4)
        assert {*map(id, tree.leaves(result[0]))} == {*map(id, given)}


# --- which results may lie where

X, Y, Z = (normal(40, 40, seed=seed) for seed in range(3))


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


CASES = {
    "the result of each element": lambda x, y, z: (x + 1, y * z, np.tanh(z)),
    "exchanged": lambda x, y, z: (y, x, z),
    "in a circle": lambda x, y, z: (y, z, x),
    "computed and exchanged": lambda x, y, z: (y + 1, x * 2, z),
    "unchanged": lambda x, y, z: (x, x + y),
    "unchanged and twice": lambda x, y, z: (x, x, x + 1),
    "one result twice": lambda x, y, z: (x + y, x + y),
    "a result and its view": lambda x, y, z: (x + y, (x + y).T, (x + y).reshape(-1)),
    "views of arguments": lambda x, y, z: (x.T, y[::-1], z.reshape(80, 20)),
    "transposed read": lambda x, y, z: (x.T + 1, y + y.T),
    "reversed read": lambda x, y, z: (x[::-1] + x, y[:, ::-1] * 2),
    "moved by one": lambda x, y, z: (x + np.roll(x, 1, 0), y - np.roll(y, 1, 1)),
    "broadcast row": lambda x, y, z: (x + x[0], y * y[:, :1], z + z[3, 3]),
    "products": lambda x, y, z: (x @ y, y @ z, z @ x),
    "a product with itself": lambda x, y, z: (x @ x, y @ y.T),
    "read after": lambda x, y, z: (x + 1, x @ y, np.sum(x), np.sum(y, axis=0)),
    "rows": lambda x, y, z: (softmax(x), softmax(x) @ y, x - np.mean(x, axis=0)),
    "gathered": lambda x, y, z: (x[np.array([3, 1, 2] * 13 + [0])] + x, y[:, np.arange(40)[::-1]] * 2),
    "scattered": lambda x, y, z: (at(x)[np.array([1, 5])].add(y[:2]), at(y)[2:5].set(z[:3]), z + 1),
    "joined": lambda x, y, z: (np.concatenate([x[:20], y[20:]]), np.concatenate([y[:1], x[1:]])),
    "chained": lambda x, y, z: (x + y, (x + y) @ z, np.exp(((x + y) @ z) / 50) + x),
    "from NumPy": lambda x, y, z: (np.sort(x, axis=0), np.sort(x) + y, x * 2, np.linalg.qr(z)[1]),
    "NumPy reads a result": lambda x, y, z: (x + 1, np.sort(x + 1), y + np.sort(z)),
    "constants": lambda x, y, z: (X + x, np.ones((40, 40), F32), x @ Y),
    "sums": lambda x, y, z: (np.cumsum(x, axis=0), x / np.sum(x**2), np.max(y)),
    "a loop": lambda x, y, z: fori_loop(0, 5, lambda i, c: (c[1], c[0] + c[1] * F32(0.1), c[2]), (x, y, z)),
    "a loop that reads its start": lambda x, y, z: scan(lambda c, _: (c * F32(0.5) + x, c), x, None, 3),
    "a loop that exchanges": lambda x, y, z: scan(lambda c, _: ((c[1], c[0]), c[0][0]), (x, y), None, 3),
    "a loop from one array twice": lambda x, y, z: scan(lambda c, r: ((c[1] + r, c[0]), r), (x, x), z),
    "an odd loop from one array twice": lambda x, y, z: scan(
        lambda c, r: ((c[0] + r, c[1][::-1]), r), (x, x), z[:39]
    ),
    "a loop after a loop": lambda x, y, z: repeated(repeated(x, y), z),
    "a loop from a loop's result": lambda x, y, z: in_a_row(x, y, z),
    "a loop and what reads its result": lambda x, y, z: (repeated(x, y), repeated(x, y) @ z, y + z),
    "a loop with a condition": lambda x, y, z: while_loop(lambda c: np.sum(c[0]) < 5e4, grow, (x, y)),
    "a loop that never runs": lambda x, y, z: while_loop(lambda c: np.sum(c[0]) > 5e9, grow, (x, y)),
    "a branch": lambda x, y, z: cond(np.sum(x) > 0, lambda a, b: (a + b, b), lambda a, b: (b, a), x, y),
}


def grow(carry):
    x, y = carry
    return np.abs(x) * 2 + 1, y + x


def repeated(x, y):
    return fori_loop(0, 3, lambda _, c: c * F32(0.5) + y, x)


def in_a_row(x, y, z):
    first = repeated(x, y)
    return first, repeated(first, z), repeated(z, y)


@pytest.mark.parametrize("donated", [(0,), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_what_numpy_computes(name, donated):
    f = CASES[name]
    expected = f(*copied((X, Y, Z)))
    args = copied((X, Y, Z))
    compiled = donating(f, donated)
    same(compiled(*args), expected, 1e-3)
    kept = [i for i in range(3) if i not in donated]
    same([args[i] for i in kept], [(X, Y, Z)[i] for i in kept], 0)
    same(compiled(*copied((X, Y, Z))), expected, 1e-3)


def test_large_arrays_in_units():
    def f(x, y, z):
        scores = softmax(x @ y)
        return scores + x, np.tanh(y) - z, z * 2 + scores, np.sum(x, axis=0)

    args = tuple(normal(512, 512, seed=seed) for seed in range(3))
    expected = f(*copied(args))
    compiled = donating(f, (0, 1, 2))
    given = copied(args)
    results = compiled(*given)
    same(results, expected, 1e-3)
    assert sum(x is y for x in results for y in given) >= 2


OPERATIONS = (
    lambda x, y: x + y,
    lambda x, y: np.maximum(x, y) - F32(0.5) * x,
    lambda x, y: x @ y / F32(64),
    lambda x, y: x.T - y,
    lambda x, y: x[::-1] + y[:, ::-1],
    lambda x, y: softmax(x) * y,
    lambda x, y: x - np.mean(y, axis=0),
    lambda x, y: np.tanh(x) + np.sum(y, axis=1, keepdims=True) / F32(64),
    lambda x, y: np.concatenate([x[: len(x) // 2], y[len(x) // 2 :]]),
)


@pytest.mark.parametrize("seed", range(24))
def test_programs_at_random(seed):
    rng = np.random.default_rng(seed)
    plan = [(rng.integers(len(OPERATIONS)), *rng.integers(0, 4 + k, 2)) for k in range(rng.integers(3, 9))]
    chosen = rng.integers(0, 4 + len(plan), 5)
    donated = tuple(int(i) for i in np.flatnonzero(rng.random(4) < 0.7))

    def f(*values):
        values = list(values)
        for operation, i, j in plan:
            values.append(OPERATIONS[operation](values[i], values[j]))
        return [values[i] for i in chosen]

    args = [normal(64, 64, seed=i) for i in range(4)]
    compiled = donating(f, donated)
    for _ in range(2):
        given = copied(args)
        same(compiled(*given), f(*copied(args)), 1e-3)
        same(
            [given[i] for i in range(4) if i not in donated],
            [args[i] for i in range(4) if i not in donated],
            0,
        )


# --- what callers hand over

STEP = donating(lambda x, y: (x + y, np.sum(y)))


def expected_step(x, y):
    return x + y, np.sum(y)


def test_the_result_is_the_donated_array():
    x, y = X.copy(), Y.copy()
    result, _ = STEP(x, y)
    assert result is x
    assert not x.flags.writeable
    again, _ = STEP(result, y)
    assert again is x
    same(again, X + Y + Y)
    same(y, Y, 0)


def test_one_array_given_twice():
    both = donating(lambda x, y: (x + 1, y * 2), (0, 1))
    x = X.copy()
    same(both(x, x), (X + 1, X * 2))
    x = X.copy()
    same(STEP(x, x), expected_step(X, X))


def test_a_view_beside_its_array():
    f = donating(lambda x, y: (x + 1, y * 2))
    for part in (slice(0, 20), slice(10, 30), slice(20, 40), slice(39, 19, -1)):
        x = X.copy()
        results = f(x, x[part])
        same(results, (X + 1, X[part] * 2))
        if part.step is None:  # otherwise the view has been copied
            assert results[0] is not x
        same(x, X if part.step is None else X + 1)
    x = X.copy()
    assert f(x, X[:20])[0] is x
    array = normal(80, 40)
    same(STEP(array[:40], array[40:]), expected_step(normal(80, 40)[:40], normal(80, 40)[40:]))
    same(array, normal(80, 40), 0)


def test_memory_of_others_is_not_written_over():
    text = X.tobytes()
    x = np.frombuffer(text, F32).reshape(40, 40)
    large = np.stack([X, Y])
    shared = bytearray(text)
    for given in (x, large[0], np.frombuffer(shared, F32).reshape(40, 40), X.T.copy().T, X.copy()[:, ::-1]):
        kept = given.copy()
        same(STEP(given, Y), expected_step(kept, Y))
        same(given, kept, 0)
    same(large, np.stack([X, Y]), 0)
    assert bytes(shared) == text


def test_a_mapped_file_is_not_written_over(tmp_path):
    np.save(tmp_path / "x.npy", X)
    for mode in ("r", "r+", "c"):
        given = np.load(tmp_path / "x.npy", mmap_mode=mode)
        same(STEP(given, Y), expected_step(X, Y))
        same(given, X, 0)
        del given
    same(np.load(tmp_path / "x.npy"), X, 0)


def test_what_is_no_array():
    class Held:
        def __init__(self, array):
            self.array = array
            self.shape, self.dtype = array.shape, array.dtype

        def __array__(self, dtype=None, copy=None):
            return self.array

    held = Held(X.copy())
    for _ in range(2):
        same(STEP(held, Y), expected_step(X, Y))
        same(held.array, X, 0)


def test_other_dtypes_and_numbers():
    same(STEP(X.astype(np.float64), Y), expected_step(X.astype(np.float64), Y))
    same(STEP(X.astype(np.int32), 2.5), expected_step(X.astype(np.int32), 2.5))
    swapped = X.astype(">f4")
    same(STEP(swapped, Y), expected_step(X, Y))
    assert STEP(2.0, Y)[0].dtype == F32
    same(STEP(F32(2), F32(3)), (5, 3))
    same(STEP(np.full((), 2.0), np.full((), 3.0)), (5, 3))
    same(STEP(X + 1j, Y), (X + 1j + Y, np.sum(Y)))
    same(STEP(np.zeros((0, 3)), np.zeros((0, 3))), (np.zeros((0, 3)), 0))
    truth = donating(lambda x: ~x)(np.array([True, False]))
    assert truth.tolist() == [False, True]


def test_a_number_beside_a_donated_array():
    x = X.copy()
    times = donating(lambda x, n: x * n)
    assert times(times(x, 3), 2) is x
    same(x, X * 6)


def test_where_the_layout_of_objects_is_not_known(monkeypatch):
    monkeypatch.setattr(instance, "prepare_function", lambda: lambda inputs, control: UNUSUAL)
    f = donating(lambda x, y: (x + y, y * 2), (0, 1))
    first = f(X.copy(), Y.copy())
    same(first, (X + Y, Y * 2))
    same(f(*first), (X + 3 * Y, Y * 4))
    x = X.copy()
    same(f(x, x), (X * 2, X * 2))
    assert not any(result.flags.writeable for result in first)


def test_a_constant_of_the_program_is_not_written_over():
    x = X.copy()
    away = donating(lambda y: y - x)
    same(away(Y.copy()), Y - X)
    same(away(x), np.zeros_like(X))
    same(away(Y.copy()), Y - X)


def test_what_is_kept_stays():
    f = donating(lambda x, y: (x + y, y * x))
    x, y = X.copy(), Y.copy()
    kept, expected = [], []
    now = X, Y
    for _ in range(12):
        x, product = f(x, y)
        now = now[0] + Y, Y * now[0]
        kept.append(product)
        expected.append(now[1])
    same(x, now[0])
    same(kept, expected)


def test_a_dropped_result_is_not_given_twice():
    first = jit(lambda x: x + 1, backend="llvm")
    second = donating(lambda x: x * 2)
    kept = second(first(X))
    others = [first(Y) for _ in range(10)]
    same(kept, (X + 1) * 2)
    same(others, [Y + 1] * 10)


def test_threads():
    wrong = []

    def work(seed):
        x, y = normal(40, 40, seed=seed), normal(40, 40, seed=seed + 1)
        expected = x.copy()
        for _ in range(200):
            x, _ = STEP(x, y)
            expected = expected + y
        if not np.allclose(x, expected, 1e-3, 1e-3):
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_only_the_donated_argument():
    @jit(backend="llvm", static_argnums=1, donate_argnums=-1)
    def f(a, n, b, *, c):
        return tree.map(lambda p, q: p * n + q + c, a, b)

    a, b = {"x": X.copy(), "y": Y.copy()}, {"x": Z.copy(), "y": Y.copy()}
    c = X.copy()
    for n in (3, 2):
        expected = tree.map(lambda p, q, n=n: p * n + q + c, a, b)
        result = f(a, n, b, c=c)
        same(result, expected)
        assert result["x"] is b["x"]
        assert result["y"] is b["y"]
    same((a, c), ({"x": X, "y": Y}, X), 0)


def test_methods():
    class Scale:
        @jit(backend="llvm", donate_argnums=1)
        def apply(self, x):
            return x * 3

    x = X.copy()
    assert Scale().apply(x) is x
    same(x, X * 3)


# --- other transforms


def test_parts_of_other_programs_write_over_nothing():
    x, y = X.copy(), Y.copy()
    inner = donating(lambda x, y: x * y + 1, (0, 1))
    f = lambda x, y: np.sum(inner(x, y) + x)  # noqa: E731
    same(grad(f, (0, 1))(x, y), (Y + 1, X))
    same(jit(f, backend="llvm")(x, y), np.sum(X * Y + 1 + X), 1e-3)
    same(vmap(inner)(x, y), X * Y + 1)
    out, pullback = vjp(inner, x, y)
    same(out, X * Y + 1)
    same(pullback(np.ones_like(X)), (Y, X))
    jit(lambda z: z + inner(x, y), backend="llvm")(Z)
    same((x, y), (X, Y), 0)


def test_reading_a_program_changes_nothing():
    x, y = X.copy(), Y.copy()
    assert "return b0" in STEP.lower(x, y).source()
    assert "add" in STEP.profile(x, y, calls=2)
    same((x, y), (X, Y), 0)


def test_the_numpy_backend_keeps_arguments():
    x, y = X.copy(), Y.copy()
    same(jit(expected_step, backend="numpy", donate_argnums=0)(x, y), expected_step(X, Y))
    same((x, y), (X, Y), 0)


def test_a_bad_index_is_still_an_error():
    f = donating(lambda x, i: (x[i] + x, i))
    with pytest.raises(IndexError, match="an index must be from -40 to 39, got 40"):
        f(X.copy(), np.full(40, 40))
    same(f(X.copy(), np.arange(40)), (X + X, np.arange(40)))
