"""`while_loop`: the laws, with loops in Python for the oracle, because JAX has no reverse mode here.

Where steps of a known number do the same, JAX's scan is the oracle.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, Control, check, parametrize, same
from transforms import (
    checkpoint,
    cond,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    jit,
    jvp,
    linearize,
    scan,
    stage,
    vjp,
    vmap,
    while_loop,
)
from transforms.control.history import History, boxed, history_of
from transforms.errors import TreeMismatchError
from transforms.graph.check import check_graph

X = np.array([0.3, -0.2, 0.5])
W = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [0.7, 0.2, 0.3]])


def grow(x, bound=4.0):
    """A number of steps that depends on the values."""
    return while_loop(lambda v: np.sum(v * v) < bound, lambda v: v * 1.5 + 0.1, x)


def grow_in_python(x, bound=4.0):
    while np.sum(x * x) < bound:
        x = x * 1.5 + 0.1
    return x


def captured(w, x):
    """The step captures the weights, and the condition a bound."""

    def step(state):
        n, v = state
        return n + 1, np.tanh(w @ v) + 0.5 * x

    return while_loop(lambda state: (state[0] < 5) & (np.sum(state[1]) < 10 + x[0]), step, (0, x))[1]


def captured_in_python(w, x):
    v = x
    for _ in range(5):
        v = np.tanh(w @ v) + 0.5 * x
    return v


LOOPS = [(grow, grow_in_python, (X,)), (captured, captured_in_python, (W, X))]


@pytest.mark.parametrize(("loop", "in_python", "args"), LOOPS, ids=["grow", "captured"])
def test_equals_the_loop_in_python(loop, in_python, args):
    rng = np.random.default_rng(0)
    tangents = tuple(rng.standard_normal(x.shape) for x in args)
    seed = rng.standard_normal(X.shape)

    def pull(f):
        return lambda *xs: vjp(f, *xs)[1](seed)

    def push(f):
        return lambda *xs: jvp(f, xs, tangents)

    def twice(f):
        return lambda *xs: jvp(pull(f), xs, tangents)[1]

    def reverse_twice(f):
        return lambda *xs: vjp(pull(f), *xs)[1](tangents)

    for run in (loop, jit(loop)):
        same(run(*args), in_python(*args))
        same(pull(run)(*args), pull(in_python)(*args))
        same(push(run)(*args), push(in_python)(*args))
    same(jit(pull(loop))(*args), pull(in_python)(*args))
    same(jit(push(loop))(*args), push(in_python)(*args))
    same(twice(loop)(*args), twice(in_python)(*args))
    same(reverse_twice(loop)(*args), reverse_twice(in_python)(*args))


@pytest.mark.parametrize(("loop", "in_python", "args"), LOOPS, ids=["grow", "captured"])
def test_batches_take_different_numbers_of_steps(loop, in_python, args):
    examples = [(*args[:-1], args[-1] * scale) for scale in (0.1, 3.0, 1.0)]
    batch = np.stack([example[-1] for example in examples])
    axes = (*(None for _ in args[:-1]), 0)

    def gradient(f):
        return grad(lambda *xs: np.sum(np.sin(f(*xs))), tuple(range(len(args))))

    values = [in_python(*example) for example in examples]
    gradients = [gradient(in_python)(*example) for example in examples]
    for run in (vmap(loop, axes), jit(vmap(loop, axes)), vmap(jit(loop), axes)):
        same(run(*args[:-1], batch), np.stack(values))
    of_batch = grad(lambda xs: np.sum(np.sin(vmap(loop, axes)(*args[:-1], xs))))
    same(of_batch(batch), np.stack([g[-1] for g in gradients]))
    for run in (vmap(gradient(loop), axes), jit(vmap(gradient(loop), axes))):
        same(run(*args[:-1], batch), tuple(np.stack(column) for column in zip(*gradients, strict=True)))


def test_no_steps():
    assert while_loop(lambda x: x < 0, lambda x: x * 2, 3.0) == 3.0
    assert grad(lambda x: while_loop(lambda v: v < 0, lambda v: v * 2, x))(3.0) == 1.0
    big = np.ones((40, 40))
    np.testing.assert_array_equal(
        jit(grad(lambda x: np.sum(while_loop(lambda v: v[0, 0] < 0, lambda v: v * 2, x * x))))(big), 2 * big
    )


def test_many_cotangents_of_one_loop():
    """A Jacobian's rows share what the loop has recorded."""
    expected = jacrev(grow_in_python)(X)
    np.testing.assert_allclose(jacrev(grow)(X), expected)
    np.testing.assert_allclose(jit(jacrev(grow))(X), expected)
    np.testing.assert_allclose(jacfwd(grow)(X), expected)
    batch = np.stack([X, 3 * X])
    np.testing.assert_allclose(vmap(jacrev(grow))(batch), [jacrev(grow_in_python)(x) for x in batch])


def test_gradients_of_nested_batches():
    xs = np.linspace(0.2, 1.4, 12).reshape(2, 2, 3)
    gradient = grad(lambda x, b: np.sum(grow(x, b)))
    got = vmap(vmap(gradient, (0, None)), (0, 0))(xs, np.array([4.0, 9.0]))
    of_one = grad(lambda x, b: np.sum(grow_in_python(x, b)))
    expected = [[of_one(x, b) for x in row] for row, b in zip(xs, (4.0, 9.0), strict=True)]
    np.testing.assert_allclose(got, expected)


def test_condition_that_is_the_same_for_all_examples():
    """A counter that no example changes: the loop keeps one condition, and one counter."""

    def f(x):
        return while_loop(lambda state: state[0] < 3, lambda state: (state[0] + 1, state[1] * x), (0, x))

    count, power = vmap(f, out_axes=(None, 0))(X)
    assert count == 3
    np.testing.assert_allclose(power, X**4)
    text = repr(stage(vmap(f))(X))
    assert "where" not in text


def test_nested_loops():
    def nested(x):
        def step(state):
            n, v = state
            return n + 1, while_loop(lambda w: np.sum(w * w) < 1.0 + n, lambda w: w * 1.3 + 0.05 * x, v * 0.5)

        return while_loop(lambda state: state[0] < 3, step, (0, x))[1]

    def in_python(x):
        v = x
        for n in range(3):
            v = v * 0.5
            while np.sum(v * v) < 1.0 + n:
                v = v * 1.3 + 0.05 * x
        return v

    def gradient(f):
        return grad(lambda x: np.sum(np.sin(f(x))))

    same(nested(X), in_python(X))
    for run in (gradient(nested), jit(gradient(nested)), gradient(jit(nested))):
        same(run(X), gradient(in_python)(X))
    batch = np.stack([X, 2 * X])
    same(vmap(gradient(nested))(batch), np.stack([gradient(in_python)(x) for x in batch]))


def test_inside_of_a_scan():
    xs = np.array([0.5, 1.5, 1.0])

    def f(x):
        return scan(lambda h, s: (grow(h * s * 0.5) * 0.4, h), x, xs)

    def in_python(x):
        hs = []
        for s in xs:
            hs.append(x)
            x = grow_in_python(x * s * 0.5) * 0.4
        return x, np.stack(hs)

    def gradient(f):
        return grad(lambda x: np.sum(np.sin(f(x)[0])))

    same(f(X), in_python(X))
    same(jvp(f, (X,), (X,)), jvp(in_python, (X,), (X,)))
    for run in (gradient(f), jit(gradient(f)), gradient(jit(f))):
        same(run(X), gradient(in_python)(X))
    batch = np.stack([X, 2 * X])
    expected = np.stack([gradient(in_python)(x) for x in batch])
    same(vmap(gradient(f))(batch), expected)
    same(jit(vmap(gradient(f)))(batch), expected)


def test_inside_of_a_branch_and_of_a_checkpoint():
    def chosen(x):
        return cond(x[0] > 0, grow, lambda x: x, x)

    expected = grad(lambda x: np.sum(grow_in_python(x)))(X)
    for f in (chosen, checkpoint(grow), jit(grow)):
        gradient = grad(lambda x: np.sum(f(x)))  # noqa: B023
        same(gradient(X), expected)
        same(jit(gradient)(X), expected)
    np.testing.assert_array_equal(jit(grad(lambda x: np.sum(chosen(x))))(-X), [1, 1, 1])
    batch = np.stack([X, -X])
    same(vmap(grad(lambda x: np.sum(chosen(x))))(batch), np.stack([expected, np.ones(3)]))


def test_what_recorded_values_are_is_not_overwritten():
    """The compiled program reuses its buffers between recording and replaying."""

    def f(x):
        start = np.sin(x) * 2.0
        out = while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * s[1]), (0, start))[1]
        return np.sum(out * np.cos(x) + np.exp(x) * np.tanh(x))

    def in_python(x):
        v = np.sin(x) * 2.0
        for _ in range(3):
            v = v * v
        return np.sum(v * np.cos(x) + np.exp(x) * np.tanh(x))

    big = np.linspace(0.1, 0.9, 2500).reshape(50, 50)
    np.testing.assert_allclose(jit(grad(f))(big), grad(in_python)(big), rtol=1e-10)


def test_python_numbers_and_types():
    x = np.float32(1.5)
    out = while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))
    assert (out[0].dtype, out[1].dtype) == (np.int64, np.float32)


# --- derivatives of every order


def bent(xp, x):
    return 0.3 * x * x + 1.4 * x + 0.1


def grow_bent(xp, control, x):
    return control.while_loop(lambda v: xp.sum(v * v) < 9.0, lambda v: bent(xp, v), x)


def grow_bent_in_steps(xp, control, x):
    def step(v, _):
        return xp.where(xp.sum(v * v) < 9.0, bent(xp, v), v), None

    return control.scan(step, x, xp.arange(8))[0]


def weighted(xp, control, w, x):
    def step(state):
        return state[0] + 1, xp.tanh(w @ state[1]) + 0.5 * x

    return control.while_loop(lambda state: state[0] < 4, step, (0, x))[1]


def weighted_in_steps(xp, control, w, x):
    return control.scan(lambda v, _: (xp.tanh(w @ v) + 0.5 * x, None), x, xp.arange(4))[0]


def doubly_nested(xp, control, x):
    def step(state):
        inner = control.while_loop(
            lambda s: s[0] < 2 + state[0] % 2, lambda s: (s[0] + 1, xp.sin(s[1] * x)), (0, state[1])
        )
        return state[0] + 1, inner[1] + x

    return control.while_loop(lambda state: state[0] < 3, step, (0, x))[1]


def doubly_nested_in_steps(xp, control, x):
    v = x
    for n in range(3):
        for _ in range(2 + n % 2):
            v = xp.sin(v * x)
        v = v + x
    return v


SECOND = [
    Case("grow", grow_bent, (X,), grow_bent_in_steps),
    Case("weighted", weighted, (W, X), weighted_in_steps),
    Case("nested", doubly_nested, (X,), doubly_nested_in_steps),
]


@parametrize(SECOND)
def test_laws_to_second_order(case):
    check(case)


def scalar(x):
    return np.sum(np.sin(grow_bent(np, Control, x)))


def grow_bent_in_python(x):
    while np.sum(x * x) < 9.0:
        x = bent(np, x)
    return x


def scalar_in_python(x):
    return np.sum(np.sin(grow_bent_in_python(x)))


HESSIANS = {
    "jit of hessian": jit(hessian(scalar)),
    "jit of reverse over reverse": jit(jacrev(jacrev(scalar))),
    "reverse of jit of reverse": jacrev(jit(jacrev(scalar))),
    "reverse of jit of reverse of jit": jacrev(jit(grad(jit(scalar)))),
    "reverse of reverse of jit": jacrev(grad(jit(scalar))),
    "jit of reverse over forward": jit(jacrev(jacfwd(scalar))),
    "jit of forward over forward": jit(jacfwd(jacfwd(scalar))),
    "rows of hvp": jit(vmap(lambda v, x: hvp(scalar, (x,), (v,)), (0, None))),
}


@pytest.mark.parametrize("name", HESSIANS)
def test_hessians(name):
    args = (np.eye(3), X) if name == "rows of hvp" else (X,)
    expected = hessian(scalar_in_python)(X)
    np.testing.assert_allclose(HESSIANS[name](*args), expected, rtol=1e-9)
    step = 1e-5
    gradient = grad(scalar_in_python)
    by_differences = [(gradient(X + step * e) - gradient(X - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(expected, by_differences, rtol=1e-6)


def test_third_derivatives_and_transposes_under_jit():
    third = jacrev(jacrev(jacrev(scalar_in_python)))(X)
    np.testing.assert_allclose(jit(jacrev(jacrev(jacrev(scalar))))(X), third, rtol=1e-9)
    np.testing.assert_allclose(jit(jacfwd(jacrev(jacrev(scalar))))(X), third, rtol=1e-9)

    def transposed(x):
        return vjp(linearize(grad(scalar), x)[1], np.zeros(3))[1](X)[0]

    np.testing.assert_allclose(jit(transposed)(X), hessian(scalar_in_python)(X) @ X, rtol=1e-9)


def test_two_pullbacks_of_one_loop_are_differentiated():
    """What the loop has recorded has two readers then, and so two cotangents."""

    def twice(f):
        def product(x):
            out, pull = vjp(f, x)
            return np.sum(pull(out)[0] * pull(np.cos(x))[0])

        return grad(product)

    def loop(x):
        return grow_bent(np, Control, x)

    expected = twice(grow_bent_in_python)(X)
    for run in (twice(loop), jit(twice(loop)), twice(jit(loop))):
        np.testing.assert_allclose(run(X), expected, rtol=1e-9)
    for run in (vmap(twice(loop)), jit(vmap(twice(loop)))):
        np.testing.assert_allclose(run(X[None]), expected[None], rtol=1e-9)


@pytest.mark.parametrize("second", [hessian, lambda f: jacrev(jacrev(f))], ids=["forward", "reverse"])
def test_hessians_in_batches_scans_branches_and_checkpoints(second):
    batch = np.stack([X, 3 * X, -X])
    expected = np.stack([hessian(scalar_in_python)(x) for x in batch])
    np.testing.assert_allclose(vmap(second(scalar))(batch), expected, rtol=1e-9)
    np.testing.assert_allclose(jit(vmap(second(scalar)))(batch), expected, rtol=1e-9)
    nested = jit(vmap(vmap(second(scalar))))(np.stack([batch, batch[::-1]]))
    np.testing.assert_allclose(nested, np.stack([expected, expected[::-1]]), rtol=1e-9)

    def scanned(x):
        return np.sum(scan(lambda c, t: (np.tanh(grow(c * t)), None), x, np.array([0.5, 1.5]))[0])

    def scanned_in_python(x):
        for t in (0.5, 1.5):
            x = np.tanh(grow_in_python(x * t))
        return np.sum(x)

    np.testing.assert_allclose(jit(second(scanned))(X), hessian(scanned_in_python)(X), rtol=1e-8)

    def chosen(x):
        return cond(x[0] > 0, checkpoint(scalar), lambda x: np.sum(x**3), x)

    np.testing.assert_allclose(jit(second(chosen))(X), expected[0], rtol=1e-9)
    rows = jit(vmap(second(chosen)))(np.stack([X, -X]))
    np.testing.assert_allclose(rows, [expected[0], np.diag(-6 * X)], rtol=1e-9)


def test_programs_of_second_derivatives_are_well_formed():
    graph = stage(jacrev(jacrev(scalar)))(X)
    check_graph(graph)
    assert "= record " in repr(graph)
    assert "= replay " in repr(graph)


def test_histories_add_up_and_zero_is_one_too():
    ones, zero = History([np.ones(2), np.ones(2)]), np.zeros((), object)
    for total in (ones + ones, boxed(ones) + boxed(ones), boxed(ones) + ones, ones + boxed(ones)):
        np.testing.assert_array_equal(history_of(total).entries, np.full((2, 2), 2.0))
    for total in (ones + 0, 0 + ones, boxed(ones) + zero, zero + boxed(ones)):
        np.testing.assert_array_equal(history_of(total).entries, np.ones((2, 2)))
    assert history_of(zero + zero) is None
    assert repr(ones) == "History(2 steps)"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: while_loop(lambda x: x, lambda x: x, 1.0),
            TypeError,
            r"while_loop: cond_fun must return a boolean of shape \(\), got float64\[\]",
        ),
        (lambda: while_loop(lambda x: x > 0, lambda x: x, X), TypeError, r"got bool\[3\]"),
        (
            lambda: while_loop(lambda x: x[0] > 0, lambda x: x[:1], X),
            TypeError,
            r"while_loop: the carry must keep its type float64\[3\], got float64\[1\]",
        ),
        (lambda: while_loop(lambda x: x[0] > 0, lambda x: (x, x), X), TreeMismatchError, "while_loop"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
