import functools

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.laws import normal
from transforms import tree, vjp

KEY = random.key(0)
FEATURES = 3
# name: (a batch of sequences, the window)
CASES = {
    "sequences": (normal(2, 3, 6, 2), (3,)),
    "images": (normal(2, 3, 5, 4, 2), (3, 2)),
    "volumes": (normal(1, 2, 3, 4, 3, 2), (2, 3, 1)),
}
IMAGES = CASES["images"][0]


def flax_params(params):
    """Flax has its gates in the order i, g, f, o, and adds 1 to the third itself."""

    def reorder(kernel):
        write, keep, new, read = jnp.split(kernel, 4, axis=-1)
        return jnp.concatenate([write, new, keep, read], axis=-1)

    bias = reorder(params["bias"] - jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), FEATURES))
    hidden = {"kernel": reorder(params["recurrent_kernel"]), "bias": jnp.zeros_like(bias)}
    return {"ih": {"kernel": reorder(params["input_kernel"]), "bias": bias}, "hh": hidden}


def by_flax(params, x, window):
    cell = flax.linen.ConvLSTMCell(FEATURES, window)
    start = jnp.zeros((x.shape[0], *x.shape[2:-1], FEATURES))
    return unrolled(lambda carry, x: cell.apply({"params": flax_params(params)}, carry, x), start, x)


def by_formula(params, x, **options):
    """With JAX's convolutions, for what Flax lacks: strides of the inputs alone."""

    def convolve(x, kernel, strides=(1, 1), padding="SAME"):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=numbers)

    def step(carry, x):
        memory, hidden = carry
        joined = convolve(x, params["input_kernel"], **options) + params["bias"]
        i, f, g, o = jnp.split(joined + convolve(hidden, params["recurrent_kernel"]), 4, axis=-1)
        memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
        hidden = jax.nn.sigmoid(o) * jnp.tanh(memory)
        return (memory, hidden), hidden

    start = jnp.zeros_like(convolve(x[:, 0], params["input_kernel"], **options)[..., :FEATURES])
    return unrolled(step, start, x)


def unrolled(step, start, x):
    carry, outs = (start, start), []
    for place in range(x.shape[1]):
        carry, y = step(carry, x[:, place])
        outs.append(y)
    return jnp.stack(outs, axis=1)


def assert_equals(cell, x, theirs):
    params = cell.init(KEY, x[:, 0])
    y, pullback = vjp(lambda params, x: nn.recurrent(cell)(params, x), params, x)
    got = y, *pullback(np.sin(y))

    @jax.jit
    def by_jax(params, x):
        y, pullback = jax.vjp(theirs, params, x)
        return y, *pullback(jnp.sin(y))

    for mine, other in zip(tree.leaves(got), tree.leaves(by_jax(params, x)), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_equals_flax(name):
    x, window = CASES[name]
    cell = nn.conv_lstm_cell(FEATURES, window, bias_init=random.normal)
    assert_equals(cell, x, functools.partial(by_flax, window=window))


@pytest.mark.parametrize(
    "options",
    [{"strides": (2, 1)}, {"strides": (2, 2), "padding": "VALID"}, {"padding": ((0, 1), (2, 0))}],
    ids=str,
)
def test_options_equal_jax(options):
    cell = nn.conv_lstm_cell(FEATURES, (3, 2), bias_init=random.normal, **options)
    assert_equals(cell, IMAGES, functools.partial(by_formula, **options))


def test_masked_places_are_as_if_absent():
    x = IMAGES
    mask = np.arange(3) < np.array([[3], [1]])
    cell = nn.conv_lstm_cell(FEATURES, (3, 2))
    params = cell.init(KEY, x[:, 0])
    last = nn.recurrent_last(cell)(params, (x, mask))
    for example, length in enumerate((3, 1)):
        alone = nn.recurrent_last(cell)(params, x[example : example + 1, :length])
        np.testing.assert_allclose(last[example], alone[0], rtol=1e-5, atol=1e-6)


def test_can_be_stacked_and_run_from_both_ends():
    x = IMAGES
    cell = nn.stacked_cells(nn.conv_lstm_cell(2, (3, 3), strides=2), nn.conv_lstm_cell(4, (1, 1)))
    params = cell.init(KEY, x[:, 0])
    assert nn.recurrent(cell)(params, x).shape == (2, 3, 3, 2, 4)
    layer = nn.bidirectional(nn.conv_lstm_cell(2, (3, 3)), nn.conv_lstm_cell(1, (3, 3)))
    params, _ = layer.init(KEY, x)
    assert layer(params, x).shape == (2, 3, 5, 4, 3)


def test_misuse():
    with pytest.raises(TypeError, match="conv_lstm_cell: window must be a tuple of positive integers, got 3"):
        nn.conv_lstm_cell(3, 3)
    text = (
        r"conv_lstm_cell: the input of a step must have 2 spatial axes, as many as the window \(3, 3\), "
        r"between the batch and the channels, got shape \(2, 6, 2\)"
    )
    with pytest.raises(ValueError, match=text):
        nn.recurrent(nn.conv_lstm_cell(3, (3, 3))).init(KEY, CASES["sequences"][0])
