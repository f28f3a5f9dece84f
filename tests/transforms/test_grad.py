"""`grad` and `value_and_grad`: arguments, aux, complex numbers, nesting, and what they refuse."""

from __future__ import annotations

import math
import threading

import jax
import numpy as np
import pytest

from transforms import grad, jvp, stop_gradient, value_and_grad, vjp
from transforms.errors import LeakedTracerError, ShapeError, TreeMismatchError


def test_gradient_is_a_tree_like_the_argument():
    params = {"w": np.arange(3.0), "rest": [np.array(2.0), (None,)]}
    value, gradient = value_and_grad(lambda p: np.sum(np.sin(p["w"])) * p["rest"][0])(params)
    assert value == pytest.approx(2 * np.sum(np.sin(np.arange(3.0))))
    np.testing.assert_allclose(gradient["w"], 2 * np.cos(np.arange(3.0)))
    assert gradient["rest"][0] == pytest.approx(np.sum(np.sin(np.arange(3.0))))
    assert gradient["rest"][1] == (None,)


def test_argnums_and_keyword_arguments():
    def f(x, y, *, scale=1.0):
        return scale * x * y**2

    assert grad(f, 1)(2.0, 3.0, scale=10.0) == 120.0
    assert grad(f, (1, 0))(2.0, 3.0) == (12.0, 9.0)
    assert grad(f, -1)(2.0, 3.0) == 12.0
    with pytest.raises(ValueError, match="argnums must name one of the 2 positional arguments, got 2"):
        grad(f, 2)(2.0, 3.0)


def test_aux_is_passed_on_without_a_derivative():
    gradient, aux = grad(lambda x: (x * x, {"twice": 2 * x, "text": "kept"}), has_aux=True)(3.0)
    assert gradient == 6.0
    assert aux == {"twice": 6.0, "text": "kept"}
    assert isinstance(aux["twice"], np.generic)


def test_integer_leaves_are_refused_by_path_or_give_none():
    params = {"w": np.ones(2), "n": {"count": np.array(3)}}

    def f(p):
        return np.sum(p["w"]) * p["n"]["count"]

    with pytest.raises(TypeError, match=r"argument 0 at 'n/count' must be real or complex .* got int64"):
        grad(f)(params)
    gradient = grad(f, allow_int=True)(params)
    assert gradient["n"]["count"] is None
    np.testing.assert_array_equal(gradient["w"], [3, 3])


def test_complex_gradients_follow_jax():
    z = np.array([1.0 + 2.0j, -0.5 + 0.3j])

    def f(xp):
        return lambda z: xp.sum(xp.real(z * z) * xp.imag(z))

    with jax.enable_x64(True):
        expected = jax.grad(f(jax.numpy))(z)
    np.testing.assert_allclose(grad(f(np))(z), expected)
    assert grad(np.sin, holomorphic=True)(1.0 + 1.0j) == pytest.approx(np.cos(1.0 + 1.0j))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: grad(lambda x: x)(np.ones(3)), r"the output must be a scalar, got shape \(3,\); reduce it"),
        (lambda: grad(np.sum)(np.arange(3)), "argument 0 must be real or complex floating point, got int64"),
        (
            lambda: grad(lambda x: None)(1.0),
            "grad: .* return an array, got None; add a return statement",
        ),
        (lambda: grad(lambda x: "text")(1.0), "must be an array, got str"),
        (lambda: grad(lambda x: {"a": x})(1.0), "the output must be one array, got dict"),
        (lambda: grad(lambda z: z)(1.0 + 1.0j), "must be real floating point, got complex128"),
        (lambda: grad(np.sin, holomorphic=True)(1.0), "must be complex, got float64"),
        (lambda: grad(lambda x: float(x))(1.0), r"float\(t\): the argument must be a plain number"),
        (lambda: grad(lambda x: int(x))(1.0), r"int\(t\): the argument must be a plain number"),
        (lambda: grad(lambda x: x.item())(1.0), r"t.item\(\): the argument must be a plain number"),
        (lambda: grad(lambda x: math.sin(x))(1.0), r"np.sin\(t\), not math.sin\(t\)"),
        (
            lambda: grad(lambda x: 2 * x, has_aux=True)(1.0),
            r"must return \(out, aux\) .* got an array",
        ),
        (lambda: grad(lambda x: (x, x, x), has_aux=True)(1.0), r"grad: the function .* got a tuple of 3"),
        (lambda: grad(3.0), "grad: f must be a function, got a float; pass the function itself"),
        (lambda: grad(lambda x: x.sort())(np.ones(3)), r"must not be changed in place.*np.sort\(t\)"),
    ],
)
def test_misuse_is_refused(call, text):
    with pytest.raises(TypeError, match=text):
        call()


def test_writing_in_place_is_refused():
    def into_tracer(x):
        x[0] = 1.0
        return np.sum(x)

    def into_buffer(x):
        buffer = np.zeros(3)
        buffer[0] = x[0]
        return np.sum(buffer)

    def added_to_buffer(x):
        buffer = np.zeros(3)
        buffer += x
        return np.sum(buffer)

    with pytest.raises(TypeError, match=r"transforms.at\(t\)\[index\].set\(value\)"):
        grad(into_tracer)(np.ones(3))
    # NumPy wraps the error in one of its own, because a tracer can be indexed.
    with pytest.raises(ValueError, match="setting an array element") as caught:
        grad(into_buffer)(np.ones(3))
    assert "would drop its derivative" in str(caught.value.__cause__)
    with pytest.raises(TypeError, match=r"write x = x \+ t"):
        grad(added_to_buffer)(np.ones(3))


def test_adding_in_place_to_the_tracer_makes_a_new_one():
    def f(x):
        y = x
        y += 1.0
        return np.sum(x * y)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 2.0])), [3.0, 5.0])


def test_shapes_that_do_not_fit_are_named_with_the_operation():
    with pytest.raises(ShapeError, match=r"add: .* got \(3,\) and \(4,\)"):
        grad(lambda x: np.sum(x + np.ones(4)))(np.ones(3))
    with pytest.raises(ShapeError, match=r"matmul: .* got \(2, 3\) and \(2, 3\)"):
        grad(lambda x: np.sum(x @ x))(np.ones((2, 3)))


def test_nesting_has_no_perturbation_confusion():
    # d/dx (x * d/dy (x + y)) = 1, not 2
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert jvp(lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1], (1.0,), (1.0,))[1] == 1.0
    assert grad(lambda x: x * jvp(lambda y: x * y, (2.0,), (1.0,))[1])(3.0) == 6.0
    assert jvp(lambda x: x * grad(lambda y: x * y)(2.0), (3.0,), (1.0,))[1] == 6.0


def test_derivatives_of_any_order():
    f = np.sin
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7), np.cos(0.7)):
        f = grad(f)
        assert f(0.7) == pytest.approx(expected)


def test_pullback_closes_over_outer_tracers():
    def f(x):
        _, pullback = vjp(lambda y: x * y * y, 3.0)
        return pullback(x)[0]  # x * 2 * 3 * x

    assert f(2.0) == 24.0
    assert grad(f)(2.0) == 24.0


def test_python_control_flow_sees_concrete_values():
    def f(x):
        while x < 100:
            x = x * x if x > 3 else x + 1
        return x

    assert grad(f)(2.0) == pytest.approx(4 * 4.0**3)  # ((2 + 1) + 1) ** 4


def test_leaked_tracer_is_named():
    kept = []

    def f(x):
        kept.append(x)
        return np.sum(x)

    grad(f)(np.ones(3))
    for use in (lambda t: t + 1.0, lambda t: 1.0 - t, lambda t: -t, np.sin, lambda t: np.add(1.0, t), np.sum):
        with pytest.raises(LeakedTracerError, match="leaked out of it"):
            use(kept[0])
    with pytest.raises(LeakedTracerError, match="leaked out of it"):
        grad(lambda y: np.sum(y * kept[0]))(np.ones(3))


def test_an_exception_leaves_the_engine_clean():
    def broken(x):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        grad(lambda x: grad(broken)(x) * x)(1.0)
    assert grad(np.sin)(0.0) == 1.0


def test_threads_do_not_see_each_other():
    results = [None] * 8

    def work(index):
        f = lambda x: np.sum(np.sin(x) ** index)  # noqa: E731
        for _ in range(50):
            results[index] = grad(f)(np.array([0.3, 0.4]))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    x = np.array([0.3, 0.4])
    for index, result in enumerate(results):
        np.testing.assert_allclose(result, index * np.sin(x) ** max(index - 1, 0) * np.cos(x))


def test_long_chain_neither_recurses_nor_slows_down():
    def chain(x):
        for _ in range(5000):
            x = x * 1.0001
        return x

    assert grad(chain)(1.0) == pytest.approx(1.0001**5000)


def test_stop_gradient_cuts():
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert grad(lambda x: stop_gradient({"a": x})["a"] * 1.0)(3.0) == 0.0


def test_pullback_wants_a_cotangent_like_the_output():
    _, pullback = vjp(lambda x: {"a": x, "b": 2 * x}, np.ones(2))
    with pytest.raises(TreeMismatchError, match="'b' must be present"):
        pullback({"a": np.ones(2)})
    with pytest.raises(ValueError, match=r"the cotangent must have the output's shape \(2,\), got \(3,\)"):
        pullback({"a": np.ones(3), "b": np.ones(2)})
    np.testing.assert_array_equal(pullback({"a": None, "b": np.ones(2)})[0], [2, 2])


def test_pullback_can_be_called_again():
    _, pullback = vjp(lambda x, y: x * y, 3.0, 4.0)
    assert pullback(1.0) == (4.0, 3.0)
    assert pullback(2.0) == (8.0, 6.0)


def test_argument_without_influence_has_zero_gradient():
    x_gradient, y_gradient = grad(lambda x, y: x * 2, (0, 1))(1.0, np.ones((2, 3), np.float32))
    assert x_gradient == 2.0
    assert y_gradient.dtype == np.float32
    np.testing.assert_array_equal(y_gradient, np.zeros((2, 3)))


def test_mixed_precision_gives_each_argument_its_own_dtype():
    x, y = np.ones(3, np.float32), np.ones(3)
    gradients = grad(lambda x, y: np.sum(x * y), (0, 1))(x, y)
    assert [g.dtype for g in gradients] == [np.float32, np.float64]
