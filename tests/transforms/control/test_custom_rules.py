"""`custom_vjp` and `custom_jvp`: the laws, rules that differ from the true ones, arguments, errors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize
from transforms import custom_jvp, custom_vjp, grad, jacfwd, jit, jvp, vmap
from transforms.errors import NoRuleError, TreeMismatchError

X = np.linspace(-0.7, 0.9, 3)
Y = np.array([0.3, 0.5, -0.2])


def product_by_jvp(xp, control, x, y):
    @control.custom_jvp
    def product(x, y):
        return x * xp.sin(y)

    @product.defjvp
    def _(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        return product(x, y), dx * xp.sin(y) + x * xp.cos(y) * dy

    return product(x, y) * product(y, x)


def softplus_by_jvps(xp, control, x, y):
    @control.custom_jvp
    def softplus(x, y):
        return xp.logaddexp(x, 0.0) + 2 * y

    softplus.defjvps(lambda t, out, x, y: t / (1 + xp.exp(-x)), lambda t, out, x, y: 2 * t)
    return softplus(x, y) ** 2


def trees_by_vjp(xp, control, x, y):
    @control.custom_vjp
    def f(pair, scale):
        return {"product": pair["a"] * pair["b"] * scale, "sum": xp.sum(pair["a"])}

    def forward(pair, scale):
        return f(pair, scale), (pair, scale)

    def backward(residuals, cotangent):
        pair, scale = residuals
        d = cotangent["product"]
        shares = {"a": d * pair["b"] * scale + cotangent["sum"], "b": d * pair["a"] * scale}
        return shares, xp.sum(d * pair["a"] * pair["b"])

    f.defvjp(forward, backward)
    return f({"a": x, "b": xp.sin(y)}, y[0])


def trees(xp, control, x, y):
    return {"product": x * xp.sin(y) * y[0], "sum": xp.sum(x)}


def nested(xp, control, x, y):
    """A rule that uses a function with a rule, inside of a branch inside of a loop."""

    @control.custom_jvp
    def sine(x):
        return xp.sin(x)

    sine.defjvps(lambda t, out, x: t * cosine(x))

    @control.custom_jvp
    def cosine(x):
        return xp.cos(x)

    cosine.defjvps(lambda t, out, x: -t * sine(x))

    def step(carry, y):
        return control.cond(y > 0, lambda c: sine(c) * y, lambda c: cosine(c) + y, carry), None

    return control.scan(step, x, y)[0]


CASES = [
    Case("product_by_jvp", product_by_jvp, (X, Y)),
    Case("softplus_by_jvps", softplus_by_jvps, (X, Y)),
    Case("trees_by_vjp", trees_by_vjp, (X, Y), like=trees),
    Case("nested", nested, (X, Y)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


@custom_vjp
def doubled_gradient(x):
    return x * x


doubled_gradient.defvjp(lambda x: (doubled_gradient(x), x), lambda x, d: (4 * x * d,))


@custom_jvp
def tripled_tangent(x):
    return x * x


tripled_tangent.defjvps(lambda t, out, x: 6 * x * t)


def test_the_rule_is_what_counts():
    for f, factor in ((doubled_gradient, 4), (tripled_tangent, 6)):
        for run in (f, jit(f), vmap(f), jit(vmap(jit(f)))):
            np.testing.assert_allclose(grad(lambda x: np.sum(run(x)))(X), factor * X)  # noqa: B023
            np.testing.assert_allclose(jit(grad(lambda x: np.sum(run(x))))(X), factor * X)  # noqa: B023
            np.testing.assert_allclose(jvp(run, (X,), (np.ones(3),))[1], factor * X)
        np.testing.assert_allclose(vmap(grad(f))(X), factor * X)
        np.testing.assert_allclose(grad(grad(f))(2.0), factor)
        np.testing.assert_allclose(jacfwd(jit(grad(f)))(2.0), factor)


def test_arguments_without_derivative():
    with_numbers = custom_vjp(lambda f, x, n: f(x) * n, nondiff_argnums=(0, 2))
    with_numbers.defvjp(lambda f, x, n: (f(x) * n, x), lambda f, n, x, d: (7.0 * n * d,))
    np.testing.assert_array_equal(grad(lambda x: np.sum(with_numbers(np.sin, x, 2)))(X), [14, 14, 14])
    np.testing.assert_array_equal(vmap(grad(lambda x: with_numbers(np.sin, x, 2)))(X), [14, 14, 14])

    pushed = custom_jvp(lambda n, x: x**n, nondiff_argnums=0)
    pushed.defjvp(lambda n, primals, tangents: (primals[0] ** n, n * tangents[0]))
    np.testing.assert_array_equal(jvp(lambda x: pushed(3, x), (X,), (X,))[1], 3 * X)


def test_integer_arguments_and_no_cotangent():
    @custom_vjp
    def take(x, i, unused):
        return x[i]

    take.defvjp(lambda x, i, u: (x[i], (x, i)), lambda saved, d: (np.full(3, d), None, None))
    np.testing.assert_array_equal(grad(take)(X, 1, {"a": X}), [1, 1, 1])
    np.testing.assert_array_equal(grad(take, 2)(X, 1, {"a": X})["a"], [0, 0, 0])


def test_arguments_by_name_and_defaults():
    @custom_vjp
    def scaled(x, scale=2.0):
        return x * scale

    scaled.defvjp(lambda x, s: (x * s, (x, s)), lambda saved, d: (d * saved[1], d * saved[0]))
    assert grad(lambda x: scaled(x))(3.0) == 2.0
    assert grad(lambda x: scaled(x, scale=5.0))(3.0) == 5.0
    assert grad(lambda s: scaled(3.0, scale=s))(5.0) == 3.0


def test_dtypes_of_cotangents_are_the_arguments():
    @custom_vjp
    def f(x):
        return x * 2

    f.defvjp(lambda x: (f(x), None), lambda _, d: (np.full(3, 0.5),))
    assert grad(lambda x: np.sum(f(x)))(X.astype(np.float32)).dtype == np.float32


def test_numbers_as_residuals_and_cotangents():
    @custom_vjp
    def f(x):
        return x * 2.0

    f.defvjp(lambda x: (f(x), (3.0, None)), lambda saved, d: (saved[0],))
    assert grad(f)(1.0) == 3.0


def test_name_and_docstring_are_the_functions():
    @custom_jvp
    def documented(x):
        """Say something."""
        return x

    assert (documented.__name__, documented.__doc__) == ("documented", "Say something.")


def broken(backward):
    f = custom_vjp(lambda x, y: x * y)
    f.defvjp(lambda x, y: (x * y, None), backward)
    return lambda: grad(lambda x, y: np.sum(f(x, y)))(X, Y)


def broken_push(rule):
    f = custom_jvp(lambda x: x * x)
    f.defjvp(rule)
    return lambda: jvp(f, (X,), (X,))


def closing_over_a_traced_value():
    def f(w):
        g = custom_vjp(lambda x: x * w)
        g.defvjp(lambda x: (x * w, None), lambda _, d: (d,))
        return g(2.0 * w)

    return jit(f)(3.0)


def with_numbers_and_jvps():
    custom_jvp(lambda n, x: x, nondiff_argnums=0).defjvps(lambda t, out, x: t)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: custom_vjp(np.sin)(X), NoRuleError, "sin: its rules must be set before it is called"),
        (lambda: custom_jvp(lambda x: x)(X), NoRuleError, "use defjvp"),
        (broken(lambda _, d: d), TypeError, "bwd: it must return a tuple of cotangents, got ndarray"),
        (
            broken(lambda _, d: (d,)),
            TypeError,
            "bwd: it must return a cotangent for each of 2 arguments, got 1",
        ),
        (
            broken(lambda _, d: (d, d[:2])),
            ValueError,
            r"the cotangent at '1' must have its argument's shape \(3,\), got \(2,\)",
        ),
        (
            broken_push(lambda p, t: (p[0], t[0][0])),
            ValueError,
            r"must have the output's shape \(3,\), got \(\)",
        ),
        (broken_push(lambda p, t: (p[0], (t[0],))), TreeMismatchError, "jvp"),
        (
            closing_over_a_traced_value,
            NoRuleError,
            "must not close over traced values, got 1; pass them as arg",
        ),
        (with_numbers_and_jvps, TypeError, "defjvps must be used without nondiff_argnums"),
    ],
)
def test_misuse_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
