"""Optimizers are differentiated, batched and staged like any other function."""

import jax
import numpy as np
import optax
import pytest

from funcdl import optim
from transforms import eval_shape, grad, tree, vmap

PARAMS = {"w": np.array([1.0, -2.0, 0.5]), "b": np.array(0.3)}

# Of the learning rate and one more hyperparameter.
OPTIMIZERS = {
    "sgd": (lambda rate, x: optim.sgd(rate, momentum=x), lambda rate, x: optax.sgd(rate, momentum=x)),
    "rmsprop": (
        lambda rate, x: optim.rmsprop(rate, decay=x, eps=1e-3, centered=True),
        lambda rate, x: optax.rmsprop(rate, decay=x, eps=1e-3, centered=True),
    ),
    "adam": (lambda rate, x: optim.adam(rate, b1=x), lambda rate, x: optax.adam(rate, b1=x)),
    "adamw": (
        lambda rate, x: optim.adamw(rate, weight_decay=x),
        lambda rate, x: optax.adamw(rate, weight_decay=x),
    ),
    "clipped": (
        lambda rate, x: optim.chain(optim.clip_by_global_norm(x), optim.sgd(rate)),
        lambda rate, x: optax.chain(optax.clip_by_global_norm(x), optax.sgd(rate)),
    ),
}


def loss_after_training(make, apply_updates, rate, x, params):
    """The loss after three steps on ``sum(p**4)``, whose gradient is stated by hand."""
    optimizer = make(rate, x)
    state = optimizer.init(params)
    for _ in range(3):
        grads = {name: 4.0 * value**3 for name, value in params.items()}
        updates, state = optimizer.update(grads, state, params)
        params = apply_updates(params, updates)
    return (params["w"] ** 4).sum() + params["b"] ** 4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_with_respect_to_hyperparameters_and_initial_parameters(name):
    ours, theirs = OPTIMIZERS[name]
    got = grad(loss_after_training, argnums=(2, 3, 4))(ours, optim.apply_updates, 0.02, 0.4, PARAMS)
    with jax.enable_x64(True):
        expected = jax.grad(
            lambda rate, x, params: loss_after_training(theirs, optax.apply_updates, rate, x, params),
            (0, 1, 2),
        )(0.02, 0.4, PARAMS)
    for leaf, other in zip(tree.leaves(got), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_ensemble_over_hyperparameters_is_a_loop(name):
    make, _ = OPTIMIZERS[name]
    rates, others = np.array([0.01, 0.02]), np.array([0.3, 0.6])

    def train(rate, x):
        return loss_after_training(make, optim.apply_updates, rate, x, PARAMS)

    expected = [train(rate, x) for rate, x in zip(rates, others, strict=True)]
    np.testing.assert_allclose(vmap(train)(rates, others), expected, rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_traced_hyperparameters_do_not_promote(name):
    make, _ = OPTIMIZERS[name]
    params = tree.map(np.float32, PARAMS)

    def step(rate, x):  # both float64
        optimizer = make(rate, x)
        return optimizer.update(params, optimizer.init(params), params)

    updates, state = eval_shape(step, np.float64(0.1), np.float64(0.4))
    types = {leaf.dtype for leaf in tree.leaves((updates, state))}
    assert types <= {np.dtype(np.float32), np.dtype(np.int32)}


@pytest.mark.parametrize(
    "schedule",
    [
        optim.schedules.warmup_cosine_decay(0.0, 0.1, 3, 9),
        optim.schedules.exponential_decay(0.1, 3, 0.5, staircase=True, end_value=0.01),
        optim.schedules.piecewise_constant(0.1, {2: 0.5, 4: 0.1}),
        optim.schedules.polynomial(0.1, 0.0, 2.0, 8),
    ],
)
def test_schedules_take_a_traced_count(schedule):
    counts = np.arange(10, dtype=np.int32)
    np.testing.assert_allclose(vmap(schedule)(counts), [schedule(count) for count in counts], rtol=1e-12)

    optimizer = optim.adam(schedule)
    params = {"w": np.ones(3, np.float32)}
    state = optimizer.init(params)
    updates, new_state = eval_shape(optimizer.update, params, state, params)
    assert updates["w"].dtype == np.float32
    assert [leaf.dtype for leaf in tree.leaves(new_state)] == [leaf.dtype for leaf in tree.leaves(state)]
