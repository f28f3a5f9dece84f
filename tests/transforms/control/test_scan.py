"""`scan`: the laws, and what a step may look like."""

from __future__ import annotations

import numpy as np
import pytest

from tests.transforms.control.laws import Case, check, parametrize
from transforms import grad, jit, scan, stage, vjp, vmap
from transforms.errors import TreeMismatchError

X = np.linspace(-0.7, 0.9, 3)
W = np.array([[0.5, -0.3, 0.2], [0.1, 0.4, -0.6], [0.7, 0.2, 0.3]])
XS = np.linspace(-1.0, 1.0, 12).reshape(4, 3)


def recurrence(xp, control, w, h, xs):
    """A network with one recurrent layer; the weights are captured."""

    def step(h, x):
        h = xp.tanh(w @ h + x)
        return h, xp.sum(h * h)

    return control.scan(step, h, xs)


def tree_carry(xp, control, h, xs):
    def step(carry, x):
        total, (count, state) = carry["total"], carry["pair"]
        state = xp.sin(state * x[0]) + x[1]
        return {"total": total + xp.sum(state), "pair": (count + 1, state)}, {"state": state, "none": None}

    carry, ys = control.scan(step, {"total": h[0], "pair": (0, h)}, (xs, xs * 2.0))
    return carry["total"], carry["pair"][1], ys


def reverse(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, reverse=True)


def unrolled(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, unroll=3)


def unrolled_reverse(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h) * x, h * x), h, xs, unroll=3, reverse=True)


def without_entries(xp, control, h):
    return control.scan(lambda h, _: (xp.sin(h) + 0.1, None), h, None, length=3)[0]


def outputs_only(xp, control, xs):
    return control.scan(lambda carry, x: (carry, xp.sin(x) * x), (), xs)[1]


def carry_that_does_not_depend(xp, control, h, xs):
    """The counter has no derivative, and the first state is dropped."""

    def step(carry, x):
        n, _ = carry
        return (n + 1, xp.exp(x * n)), xp.cos(x) * n

    return control.scan(step, (0, h), xs)[1]


def nested(xp, control, w, h, xs):
    def step(h, x):
        inner = control.scan(lambda total, row: (total + xp.sin(row @ h), total * x), x, w)
        return xp.tanh(inner[0] + xp.sum(inner[1], 0)), inner[0]

    return control.scan(step, h, xs)


def with_cond(xp, control, h, xs):
    def step(h, x):
        h = control.cond(xp.sum(x) > 0, lambda h: xp.sin(h) * x, lambda h: h * h + x, h)
        return h, xp.sum(h)

    return control.scan(step, h, xs)


def with_checkpoint(xp, control, w, h, xs):
    step = control.checkpoint(lambda h, x: (xp.tanh(w @ h + x), xp.sum(xp.sin(h))))
    return control.scan(step, h, xs)


def with_custom_vjp(xp, control, h, xs):
    @control.custom_vjp
    def cube(x):
        return x * x * x

    cube.defvjp(lambda x: (cube(x), x), lambda x, d: (3 * d * x * x,))
    return control.scan(lambda h, x: (xp.sin(cube(h) + x), h), h, xs)


def with_cube(xp, control, h, xs):
    return control.scan(lambda h, x: (xp.sin(h**3 + x), h), h, xs)


def captured_by_batch(xp, control, h, xs):
    """What is captured by the step comes from another scan's step."""
    return control.scan(lambda total, x: (total + control.map(lambda row: row * x, xs) @ h, x), xs[:, 0], xs)[0]


CASES = [
    Case("recurrence", recurrence, (W, X, XS)),
    Case("tree_carry", tree_carry, (X, XS)),
    Case("reverse", reverse, (X, XS)),
    Case("unrolled", unrolled, (X, XS)),
    Case("unrolled_reverse", unrolled_reverse, (X, XS)),
    Case("without_entries", without_entries, (X,)),
    Case("outputs_only", outputs_only, (XS,)),
    Case("carry_that_does_not_depend", carry_that_does_not_depend, (X, XS)),
    Case("nested", nested, (W, X, XS)),
    Case("with_cond", with_cond, (X, XS)),
    Case("with_checkpoint", with_checkpoint, (W, X, XS)),
    Case("with_custom_vjp", with_custom_vjp, (X, XS), like=with_cube),
    Case("captured_by_batch", captured_by_batch, (X, XS)),
    Case("one_step", reverse, (X, XS[:1])),
    Case("no_steps", recurrence, (W, X, XS[:0])),
]


@parametrize(CASES)
def test_laws(case):
    check(case)
