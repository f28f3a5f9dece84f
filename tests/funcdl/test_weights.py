"""Weights from and to other libraries: the same outputs as theirs.

Keras is not installed where the tests run; its layouts are tested by the formulas of its documentation.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from funcdl import nn, random, weights
from funcdl.weights import Place
from funcdl.weights.tables import FLAX, KERAS, TORCH
from tests.funcdl.functional.oracles import NO_TORCH
from transforms import tree

KEY = random.key(0)
rng = np.random.default_rng(0)


def array(*shape):
    return rng.normal(size=shape).astype(np.float32)


def spatial(x):
    """Channels last, as ours."""
    return np.moveaxis(x, 1, -1)


def filled(values):
    """The same tree with random numbers; variances are positive."""
    return tree.map_with_path(
        lambda path, leaf: np.abs(array(*leaf.shape)) + 0.5 if "var" in path else array(*leaf.shape), values
    )


# -------------------------------------------------------------------------------------------------
# PyTorch: the kind, our layer, the module, the input in its layout, and the way of its output to ours


def torch_cases(torch):
    return {
        "dense": (nn.dense(3), torch.nn.Linear(4, 3), array(5, 4), None),
        "conv": (
            nn.conv(6, (3, 2), padding="VALID"),
            torch.nn.Conv2d(4, 6, (3, 2)),
            array(2, 4, 7, 6),
            spatial,
        ),
        "embedding": (nn.embedding(7, 3), torch.nn.Embedding(7, 3), rng.integers(0, 7, (2, 5)), None),
        "layer_norm": (nn.layer_norm(), torch.nn.LayerNorm(6), array(4, 6), None),
        "group_norm": (nn.group_norm(2), torch.nn.GroupNorm(2, 6), array(2, 6, 5), spatial),
        "instance_norm": (
            nn.instance_norm(),
            torch.nn.InstanceNorm1d(6, affine=True),
            array(2, 6, 5),
            spatial,
        ),
        "rms_norm": (nn.rms_norm(epsilon=1e-6), torch.nn.RMSNorm(6, eps=1e-6), array(4, 6), None),
        "batch_norm": (nn.batch_norm(), torch.nn.BatchNorm2d(4).eval(), array(2, 4, 3, 3), spatial),
        "lstm": (nn.recurrent(nn.lstm_cell(3)), torch.nn.LSTM(4, 3, batch_first=True), array(2, 5, 4), None),
        "gru": (nn.recurrent(nn.gru_cell(3)), torch.nn.GRU(4, 3, batch_first=True), array(2, 5, 4), None),
        "attention": (
            nn.self_attention(2),
            torch.nn.MultiheadAttention(6, 2, batch_first=True),
            array(2, 5, 6),
            None,
        ),
    }


def module_output(torch, module, x):
    x = torch.tensor(x)
    y = module(x, x, x) if isinstance(module, torch.nn.MultiheadAttention) else module(x)
    return (y[0] if isinstance(y, tuple) else y).detach().numpy()


KINDS_OF_TORCH = sorted(kind for kind in TORCH if not kind.endswith("_state"))


@pytest.mark.parametrize("kind", KINDS_OF_TORCH)
def test_weights_of_torch_give_its_outputs(kind):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    layer, module, x, ours = torch_cases(torch)[kind]
    turn = ours or (lambda x: x)
    values = filled({name: value.numpy() for name, value in module.state_dict().items()})
    module.load_state_dict({name: torch.tensor(value) for name, value in values.items()})
    params, state = layer.init(KEY, turn(x))
    place = {"": Place(kind, "")}
    params = weights.from_torch(params, module.state_dict(), place)
    if kind == "batch_norm":
        state = weights.from_torch(state, module.state_dict(), {"": Place("batch_norm_state", "")})
    expected = turn(module_output(torch, module, x))
    np.testing.assert_allclose(layer.apply(params, state, turn(x))[0], expected, rtol=1e-4, atol=1e-5)
    assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype(np.float32)}


@pytest.mark.parametrize("kind", KINDS_OF_TORCH)
def test_torch_computes_the_same_with_our_weights(kind):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    layer, module, x, ours = torch_cases(torch)[kind]
    turn = ours or (lambda x: x)
    params, state = layer.init(KEY, turn(x))
    params, state = filled(params), filled(state)
    written = weights.to_torch(params, {"": Place(kind, "")})
    if kind == "batch_norm":
        written |= weights.to_torch(state, {"": Place("batch_norm_state", "")})
        written["num_batches_tracked"] = np.array(0)
    module.load_state_dict({name: torch.tensor(value) for name, value in written.items()})
    expected = turn(module_output(torch, module, x))
    np.testing.assert_allclose(layer.apply(params, state, turn(x))[0], expected, rtol=1e-4, atol=1e-5)
    back = weights.from_torch(params, written, {"": Place(kind, "")})
    for leaf, other in zip(tree.leaves(back), tree.leaves(params), strict=True):
        np.testing.assert_array_equal(leaf, other)


def test_a_model_of_several_layers():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    module = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3, bias=False))
    model = nn.serial(nn.dense(5), nn.relu, nn.dense(3, use_bias=False))
    x = array(2, 4)
    params, state = model.init(KEY, x)
    layers = {"0": Place("dense", "0"), "2": Place("dense", "2")}
    params = weights.from_torch(params, module.state_dict(), layers)
    np.testing.assert_allclose(
        model.apply(params, state, x)[0], module(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-6
    )
    assert weights.to_torch(params, layers).keys() == module.state_dict().keys()


# -------------------------------------------------------------------------------------------------
# Flax


def flax_cases(linen):
    return {
        "dense": (nn.dense(3), linen.Dense(3), array(5, 4)),
        "conv": (nn.conv(6, (3, 2)), linen.Conv(6, (3, 2)), array(2, 7, 6, 4)),
        "embedding": (nn.embedding(7, 3), linen.Embed(7, 3), rng.integers(0, 7, (2, 5))),
        "layer_norm": (nn.layer_norm(epsilon=1e-6), linen.LayerNorm(), array(4, 6)),
        "group_norm": (nn.group_norm(2, epsilon=1e-6), linen.GroupNorm(2), array(2, 5, 6)),
        "instance_norm": (nn.instance_norm(epsilon=1e-6), linen.InstanceNorm(), array(2, 5, 6)),
        "rms_norm": (nn.rms_norm(epsilon=1e-6), linen.RMSNorm(), array(4, 6)),
        "batch_norm": (nn.batch_norm(), linen.BatchNorm(use_running_average=True), array(2, 3, 3, 4)),
        "lstm": (nn.recurrent(nn.lstm_cell(3)), linen.RNN(linen.OptimizedLSTMCell(3)), array(2, 5, 4)),
        "gru": (nn.recurrent(nn.gru_cell(3)), linen.RNN(linen.GRUCell(3)), array(2, 5, 4)),
        "attention": (nn.self_attention(2), linen.MultiHeadDotProductAttention(2), array(2, 5, 6)),
    }


KINDS_OF_FLAX = sorted(kind for kind in FLAX if not kind.endswith("_state"))
INSIDE = {"lstm": "cell", "gru": "cell"}


@pytest.mark.parametrize("kind", KINDS_OF_FLAX)
def test_weights_of_flax_give_its_outputs_and_come_back(kind):
    linen = pytest.importorskip("flax.linen", reason="Flax is the oracle for its own layouts")
    layer, module, x = flax_cases(linen)[kind]
    variables = jax.tree.map(np.asarray, module.init(jax.random.key(0), jnp.asarray(x)))
    variables = {name: filled(values) for name, values in variables.items()}
    expected = module.apply(variables, jnp.asarray(x))
    params, state = layer.init(KEY, x)
    place = {"": Place(kind, INSIDE.get(kind, ""), heads=2)}
    params = weights.from_flax(params, variables["params"], place)
    if kind == "batch_norm":
        places = {"": Place("batch_norm_state", "")}
        state = weights.from_flax(state, variables["batch_stats"], places)
        assert_same_tree(weights.to_flax(state, places), variables["batch_stats"])
    np.testing.assert_allclose(layer.apply(params, state, x)[0], expected, rtol=1e-4, atol=1e-5)
    assert_same_tree(weights.to_flax(params, place), variables["params"])


def assert_same_tree(got, expected):
    assert tree.structure(got) == tree.structure(expected)
    for leaf, other in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(leaf, other)


def test_nested_names_of_flax():
    arrays = {"encoder": {"Dense_0": {"kernel": np.ones((2, 3)), "bias": np.zeros(3)}}}
    params, _ = nn.serial(nn.relu, nn.dense(3)).init(KEY, array(1, 2))
    layers = {"1": Place("dense", "encoder/Dense_0")}
    got = weights.from_flax(params, arrays, layers)
    np.testing.assert_array_equal(got[1]["kernel"], 1)
    assert_same_tree(weights.to_flax(got, layers), arrays)


# -------------------------------------------------------------------------------------------------
# Keras, by the formulas of its documentation


def keras_lstm(x, kernel, recurrent_kernel, bias):
    """Its step: z = x @ kernel + h @ recurrent_kernel + bias; i, f, c, o are quarters of z."""
    units = recurrent_kernel.shape[0]
    hidden = memory = np.zeros((x.shape[0], units))
    outputs = []
    for t in range(x.shape[1]):
        z = x[:, t] @ kernel + hidden @ recurrent_kernel + bias
        i, f, c, o = (z[:, k * units : (k + 1) * units] for k in range(4))
        memory = scipy.special.expit(f) * memory + scipy.special.expit(i) * np.tanh(c)
        hidden = scipy.special.expit(o) * np.tanh(memory)
        outputs.append(hidden)
    return np.stack(outputs, axis=1)


def keras_attention(x, arrays):
    """Its three einsums, "bte,ehd->bthd", the softmax over keys, and "bthd,hde->bte"."""

    def maps(part):
        return np.einsum("bte,ehd->bthd", x, arrays[f"{part}/kernel"]) + arrays[f"{part}/bias"]

    query, key, value = maps("query"), maps("key"), maps("value")
    scores = np.einsum("bqhd,bkhd->bhqk", query, key) / np.sqrt(query.shape[-1])
    mixed = np.einsum("bhqk,bkhd->bqhd", scipy.special.softmax(scores, axis=-1), value)
    return (
        np.einsum("bqhd,hde->bqe", mixed, arrays["attention_output/kernel"])
        + (arrays["attention_output/bias"])
    )


def keras_conv(x, arrays):
    """A window of (2, 2), "valid": y[b, i, j] = sum over the window of x[b, i + p, j + q] @ kernel[p, q]."""
    kernel, height, width = arrays["kernel"], x.shape[1] - 1, x.shape[2] - 1
    parts = [x[:, p : p + height, q : q + width] @ kernel[p, q] for p in range(2) for q in range(2)]
    return sum(parts) + arrays["bias"]


def normalized(x, axis):
    return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-5)


def grouped(x):
    parts = normalized(x.reshape(2, 5, 2, 3), (1, 3))
    return parts.reshape(x.shape)


def keras_cases():
    """Our layer, the shapes of Keras' variables, an input, and what Keras computes."""
    pair = {"gamma": (6,), "beta": (6,)}
    heads = {f"{part}/kernel": (6, 2, 3) for part in ("query", "key", "value")}
    heads |= {f"{part}/bias": (2, 3) for part in ("query", "key", "value")}
    heads |= {"attention_output/kernel": (2, 3, 6), "attention_output/bias": (6,)}
    averages = {"moving_mean": (6,), "moving_variance": (6,)}
    return {
        "dense": (
            nn.dense(3),
            {"kernel": (4, 3), "bias": (3,)},
            array(5, 4),
            lambda x, a: x @ a["kernel"] + a["bias"],
        ),
        "conv": (
            nn.conv(3, (2, 2), padding="VALID"),
            {"kernel": (2, 2, 4, 3), "bias": (3,)},
            array(2, 5, 4, 4),
            keras_conv,
        ),
        "embedding": (
            nn.embedding(7, 3),
            {"embeddings": (7, 3)},
            rng.integers(0, 7, (2, 5)),
            lambda x, a: a["embeddings"][x],
        ),
        "layer_norm": (
            nn.layer_norm(),
            pair,
            array(4, 6),
            lambda x, a: normalized(x, -1) * a["gamma"] + a["beta"],
        ),
        "group_norm": (
            nn.group_norm(2),
            pair,
            array(2, 5, 6),
            lambda x, a: grouped(x) * a["gamma"] + a["beta"],
        ),
        "rms_norm": (
            nn.rms_norm(epsilon=1e-6),
            {"scale": (6,)},
            array(4, 6),
            lambda x, a: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * a["scale"],
        ),
        "batch_norm": (
            nn.batch_norm(),
            {**pair, **averages},
            array(4, 6),
            lambda x, a: (
                (x - a["moving_mean"]) / np.sqrt(a["moving_variance"] + 1e-5) * a["gamma"] + a["beta"]
            ),
        ),
        "lstm": (
            nn.recurrent(nn.lstm_cell(3)),
            {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)},
            array(2, 5, 4),
            lambda x, a: keras_lstm(x, **a),
        ),
        "attention": (nn.self_attention(2), heads, array(2, 5, 6), keras_attention),
    }


@pytest.mark.parametrize("kind", sorted(kind for kind in KERAS if not kind.endswith("_state")))
def test_weights_of_keras_give_its_outputs_and_come_back(kind):
    layer, shapes, x, formula = keras_cases()[kind]
    values = filled({name: np.zeros(shape) for name, shape in shapes.items()})
    arrays = {f"model/layer/{name}": value for name, value in values.items()}
    params, state = layer.init(KEY, x)
    place = {"": Place(kind, "model/layer", heads=2)}
    params = weights.from_keras(params, arrays, place)
    written = weights.to_keras(params, place)
    if kind == "batch_norm":
        places = {"": Place("batch_norm_state", "model/layer")}
        state = weights.from_keras(state, arrays, places)
        written |= weights.to_keras(state, places)
    np.testing.assert_allclose(layer.apply(params, state, x)[0], formula(x, values), rtol=1e-4, atol=1e-5)
    assert_same_tree(written, arrays)


# -------------------------------------------------------------------------------------------------
# What does not fit


@pytest.mark.parametrize(
    ("arrays", "layers", "text"),
    [
        ({}, {"0": Place("linear", "fc")}, r"the kind must be one of dense, conv, .*, got 'linear'"),
        ({}, {"7": Place("dense", "fc")}, r"a path must lead to a layer with parameters, got '7'"),
        (
            {"fc.weight": np.ones((3, 2))},
            {"0": Place("dense", "fc")},
            r"the arrays must have 'fc.bias', got fc.weight",
        ),
        (
            {"fc.weight": np.ones((2, 3)), "fc.bias": np.ones(3)},
            {"0": Place("dense", "fc")},
            r"'0/kernel' must have shape \(2, 3\), got \(3, 2\) from 'fc.weight'",
        ),
        (
            {"fc.weight": np.ones((4, 3)), "fc.bias": np.ones(4)},
            {"1": Place("dense", "fc")},
            r"the parameters must have '1/bias', got 0/bias, 0/kernel, 1/kernel",
        ),
    ],
)
def test_what_does_not_fit_is_named(arrays, layers, text):
    params, _ = nn.serial(nn.dense(3), nn.dense(4, use_bias=False)).init(KEY, array(1, 2))
    with pytest.raises(ValueError, match=r"^weights\.from_torch: " + text):
        weights.from_torch(params, arrays, layers)
