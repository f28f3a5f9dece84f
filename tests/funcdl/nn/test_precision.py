"""Policies: dtypes in and out, values and gradients as JAX's, and training in few bits."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from funcdl import data, datasets, losses, metrics, nn, optim, random, training
from transforms import eval_shape, grad, jit, tree, vmap

HALVES = ["bfloat16", "float16"]
BACKENDS = ["numpy", "xla"]


def half(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def mlp():
    return nn.serial(nn.dense(5), nn.tanh, nn.dense(3))


def rows(n=4):
    return np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)


@pytest.mark.parametrize("name", HALVES)
def test_dtypes_of_parameters_state_and_output(name):
    x = rows()
    model = nn.with_policy(nn.serial(nn.dense(5), nn.batch_norm(), nn.dense(3)), nn.Policy(params=name))
    params, state = model.init(random.key(0), x)
    assert {leaf.dtype for leaf in tree.leaves(params)} == {half(name)}
    assert {leaf.dtype for leaf in tree.leaves(state)} == {np.dtype(np.float32)}
    y, new_state = model.apply(params, state, x, training=True)
    assert y.dtype == np.float32
    assert {leaf.dtype for leaf in tree.leaves(new_state)} == {np.dtype(np.float32)}
    types = eval_shape(lambda params: model.apply(params, state, x)[0], params)
    assert (types.shape, types.dtype) == (y.shape, y.dtype)


def test_parameters_are_the_rounded_ones_of_the_model():
    x = rows()
    params, _ = mlp().init(random.key(0), x)
    short, _ = nn.with_policy(mlp(), nn.Policy(params="bfloat16")).init(random.key(0), x)
    for leaf, other in zip(tree.leaves(short), tree.leaves(params), strict=True):
        np.testing.assert_array_equal(leaf, np.asarray(jnp.asarray(other).astype(jnp.bfloat16)))


def test_compute_and_output_dtypes():
    x = rows()
    seen = []
    look = nn.lambda_(lambda x: seen.append(x.dtype) or x)
    policy = nn.Policy(params="float32", compute="float16", output="float64")
    model = nn.with_policy(nn.serial(nn.dense(5), look), policy)
    params, state = model.init(random.key(0), x)
    seen.clear()
    assert model.apply(params, state, x)[0].dtype == np.float64
    assert seen == [np.float16]


def test_integers_pass():
    model = nn.with_policy(nn.embedding(7, 3), nn.Policy(params="float16"))
    tokens = np.array([[1, 2]])
    params, state = model.init(random.key(0), tokens)
    assert params["embedding"].dtype == np.float16
    assert model.apply(params, state, tokens)[0].dtype == np.float32


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize("name", HALVES)
def test_values_and_gradients_equal_those_of_jax(name, backend):
    x = rows()
    model = nn.with_policy(mlp(), nn.Policy(params=name))
    params, state = model.init(random.key(0), x)

    def objective(params):
        return np.mean(model.apply(params, state, x)[0] ** 2)

    def jax_objective(params):
        first, _, second = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), params)
        y = jnp.tanh(x @ first["kernel"] + first["bias"]) @ second["kernel"] + second["bias"]
        return jnp.mean(y**2)

    f, gradient = objective, grad(objective)
    if backend is not None:
        f, gradient = jit(f, backend=backend), jit(gradient, backend=backend)
    expected, expected_grads = jax.value_and_grad(jax_objective)(jax.tree.map(jnp.asarray, params))
    np.testing.assert_allclose(f(params), expected, rtol=1e-5)
    # Both are rounded to the dtype of the parameters at the end: one unit in the last place.
    unit = 2.0**-7 if name == "bfloat16" else 2.0**-10
    for leaf, other in zip(tree.leaves(gradient(params)), jax.tree.leaves(expected_grads), strict=True):
        assert leaf.dtype == half(name)
        np.testing.assert_allclose(
            np.asarray(leaf).astype(np.float32), np.asarray(other).astype(np.float32), rtol=unit, atol=1e-6
        )


@pytest.mark.parametrize("backend", [None, *BACKENDS])
@pytest.mark.parametrize("name", HALVES)
def test_an_ensemble_by_vmap(name, backend):
    x = rows()
    model = nn.with_policy(mlp(), nn.Policy(params=name))
    members = [model.init(key, x)[0] for key in random.split(random.key(0), 3)]
    stacked = tree.map(lambda *leaves: np.stack(leaves), *members)
    f = vmap(lambda params: model.apply(params, ((), (), ()), x)[0])
    together = f(stacked) if backend is None else jit(f, backend=backend)(stacked)
    for member, y in zip(members, np.asarray(together), strict=True):
        np.testing.assert_allclose(y, model.apply(member, ((), (), ()), x)[0], rtol=1e-5, atol=1e-6)


def trained(model, optimizer, examples, *, epochs, batch_size, backend="numpy"):
    state = training.init(model, optimizer, random.key(1), examples[0])
    step = training.train_step(
        model, losses.softmax_cross_entropy, optimizer, metrics={"accuracy": metrics.accuracy}
    )
    batches = data.batches(examples, batch_size, key=random.key(2), drop_last=True)
    return training.fit(jit(step, backend=backend), state, batches, epochs=epochs, progress=False)


def accuracy_of(model, state, examples):
    measured = {"accuracy": metrics.accuracy}
    return training.evaluate(model, state.params, state.state, [examples], measured)["accuracy"]


def spiral():
    return datasets.spiral(random.key(0))


def shapes(n=60):
    """Pictures with a horizontal or a vertical line: a problem for a small convolutional network."""
    generator = np.random.default_rng(0)
    x = generator.normal(scale=0.2, size=(n, 6, 6, 1)).astype(np.float32)
    y, place = generator.integers(0, 2, n), generator.integers(0, 6, n)
    for picture, label, at in zip(x, y, place, strict=True):
        picture[at if label else slice(None), slice(None) if label else at] += 1
    return x, y


def convnet():
    return nn.serial(nn.conv(6, (3, 3)), nn.relu, nn.global_max_pool, nn.dense(2))


@pytest.mark.parametrize("name", HALVES)
def test_a_spiral_is_learned_in_few_bits(name):
    model = nn.with_policy(nn.serial(nn.dense(50), nn.relu, nn.dense(3)), nn.Policy(params=name))
    state, _ = trained(model, optim.master_params(optim.adam(0.02)), spiral(), epochs=30, batch_size=60)
    assert {leaf.dtype for leaf in tree.leaves(state.params)} == {half(name)}
    assert accuracy_of(model, state, spiral()) > 0.95


@pytest.mark.parametrize("name", HALVES)
def test_a_convnet_is_trained_in_few_bits(name):
    model = nn.with_policy(convnet(), nn.Policy(params=name))
    state, _ = trained(model, optim.master_params(optim.adam(0.03)), shapes(), epochs=30, batch_size=20)
    assert accuracy_of(model, state, shapes()) > 0.95


@pytest.mark.parametrize("problem", ["spiral", "convnet"])
@pytest.mark.parametrize("compute", HALVES)
def test_training_in_half_precision_with_a_scaled_loss(problem, compute):
    policy = nn.Policy(params="float32", compute=compute, output="float32")
    network = nn.serial(nn.dense(50), nn.relu, nn.dense(3)) if problem == "spiral" else convnet()
    examples = spiral() if problem == "spiral" else shapes()
    model = nn.with_policy(network, policy)
    optimizer = optim.dynamic_loss_scale(optim.adam(0.02), growth_interval=20)
    # A scale that is too large overflows, is noticed and lowered.
    with np.errstate(over="ignore", invalid="ignore"):
        state, history = trained(model, optimizer, examples, epochs=30, batch_size=20)
    assert accuracy_of(model, state, examples) > 0.95
    assert state.opt_state.scale > 2.0**15
    # What is reported is the loss, not the scaled one.
    assert history["loss"][0] < 2.0


def test_a_policy_refuses_integers_and_complex_numbers():
    text = r"nn\.with_policy: the policy's compute must be a real floating dtype, got {}"
    for dtype in ("int32", "complex64"):
        with pytest.raises(TypeError, match=text.format(dtype)):
            nn.with_policy(mlp(), nn.Policy(compute=dtype))
