"""What every layer owes, whatever it computes."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from funcdl import nn, random
from transforms import eval_shape, grad, jit, tree, type_of, vmap

KEY = random.key(7)


class Case(NamedTuple):
    """A layer, an example batch, and what is particular to the layer.

    Attributes:
        layer: the layer.
        x: a batch, or a tree of batches.
        wrong: an input of which the layer must say that it does not fit, or None.
        by_example: whether the output for a batch is that of its examples.
    """

    layer: nn.Layer
    x: Any
    wrong: Any = None
    by_example: bool = True


def normal(*shape, seed=0):
    return np.asarray(random.normal(random.key(seed), shape))


def assert_close(got, expected, tolerance=2e-5):
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), got, expected)


def check(case):
    layer, x = case.layer, case.x
    params, state = layer.init(KEY, x)
    types = tree.map(type_of, x)
    assert tree.map(type_of, layer.init(KEY, types)) == tree.map(type_of, (params, state))
    assert layer.has_state == (state != ())
    y, _ = check_without_a_key(layer, params, state, x)
    check_training(layer, params, state, x)
    for leaf in tree.leaves((params, state, y)):
        assert np.asarray(leaf).dtype != np.float64
    if case.by_example:
        check_examples(layer, params, state, x, y)
    check_ensemble(layer, x)
    check_gradients(layer, params, state, x)
    if case.wrong is not None:
        model, states = nn.serial(layer), (state,) if layer.has_state else ()
        with pytest.raises((ValueError, TypeError), match=rf"^serial/0 \({layer.name}\)"):
            model.apply((params,), states, case.wrong)


def check_without_a_key(layer, params, state, x):
    def run(params, state, x):
        return layer.apply(params, state, x)

    out = run(params, state, x)
    assert tree.map(type_of, out) == eval_shape(run, params, state, x)
    tree.map(np.testing.assert_array_equal, out, run(params, state, x))
    assert_close(jit(run)(params, state, x), out)
    return out


def check_training(layer, params, state, x):
    def run(params, state, x, key):
        return layer.apply(params, state, x, key=key, training=True)

    out = run(params, state, x, KEY)
    assert tree.map(type_of, out) == eval_shape(run, params, state, x, KEY)
    assert tree.map(type_of, out[1]) == tree.map(type_of, state)
    tree.map(np.testing.assert_array_equal, out, run(params, state, x, KEY))
    assert_close(jit(run)(params, state, x, KEY), out)


def check_examples(layer, params, state, x, y):
    for index in range(2):
        one = tree.map(lambda leaf, i=index: leaf[i : i + 1], x)
        alone, _ = layer.apply(params, state, one)
        assert_close(alone, tree.map(lambda leaf, i=index: leaf[i : i + 1], y))


def check_ensemble(layer, x):
    keys = random.split(KEY, 2)
    params, states = vmap(lambda key: layer.init(key, x))(keys)
    outs = vmap(lambda params, state: layer.apply(params, state, x)[0], axis_size=2)(params, states)
    for index in range(2):
        member = tree.map(lambda leaf, i=index: leaf[i], (params, states))
        assert_close(layer.init(keys[index], x), member)
        assert_close(layer.apply(*member, x)[0], tree.map(lambda leaf, i=index: leaf[i], outs))


def check_gradients(layer, params, state, x):
    leaves, structure = tree.flatten(x)
    floating = [leaf for leaf in leaves if leaf.dtype.kind == "f"]

    def objective(params, floating):
        rest = iter(floating)
        given = structure.unflatten([next(rest) if leaf.dtype.kind == "f" else leaf for leaf in leaves])
        y, _ = layer.apply(params, state, given, key=KEY, training=True)
        return sum(np.sum(np.sin(leaf)) for leaf in tree.leaves(y) if leaf.dtype.kind == "f")

    eager = grad(objective, argnums=(0, 1))(params, floating)
    assert tree.map(type_of, eager) == tree.map(type_of, (params, floating))
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(eager))
    assert_close(jit(grad(objective, argnums=(0, 1)))(params, floating), eager, 1e-4)
