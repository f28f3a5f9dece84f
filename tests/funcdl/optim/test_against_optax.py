"""Every optimizer with every option of it makes the same 20 steps as optax."""

import numpy as np
import optax
import pytest

from funcdl import optim
from tests.funcdl.optim.comparison import assert_steps_equal_optax, complex_tree
from transforms import tree


def matrices_only(params):
    return tree.map(lambda leaf: np.ndim(leaf) > 1, params)


MASK = {"encoder": True, "decoder": (False, {"scale": True}), "gain": False}

CASES = {
    "sgd": (optim.sgd(0.3), optax.sgd(0.3)),
    "sgd, momentum": (optim.sgd(0.3, momentum=0.9), optax.sgd(0.3, momentum=0.9)),
    "sgd, nesterov": (
        optim.sgd(0.3, momentum=0.9, nesterov=True),
        optax.sgd(0.3, momentum=0.9, nesterov=True),
    ),
    "sgd, schedule": (
        optim.sgd(optim.schedules.cosine_decay(0.3, 15), momentum=0.5),
        optax.sgd(optax.cosine_decay_schedule(0.3, 15), momentum=0.5),
    ),
    "rmsprop": (optim.rmsprop(0.1), optax.rmsprop(0.1)),
    "rmsprop, decay, eps, initial scale": (
        optim.rmsprop(0.1, decay=0.6, eps=1e-3, initial_scale=0.5),
        optax.rmsprop(0.1, decay=0.6, eps=1e-3, initial_scale=0.5),
    ),
    "rmsprop, eps outside": (
        optim.rmsprop(0.1, eps=1e-2, eps_in_sqrt=False),
        optax.rmsprop(0.1, eps=1e-2, eps_in_sqrt=False),
    ),
    "rmsprop, momentum": (optim.rmsprop(0.1, momentum=0.9), optax.rmsprop(0.1, momentum=0.9)),
    "rmsprop, nesterov": (
        optim.rmsprop(0.1, momentum=0.9, nesterov=True),
        optax.rmsprop(0.1, momentum=0.9, nesterov=True),
    ),
    "rmsprop, bias correction": (
        optim.rmsprop(0.1, bias_correction=True),
        optax.rmsprop(0.1, bias_correction=True),
    ),
    "rmsprop, centered": (optim.rmsprop(0.1, centered=True), optax.rmsprop(0.1, centered=True)),
    "rmsprop, centered, everything": (
        optim.rmsprop(
            0.1,
            decay=0.8,
            eps=1e-3,
            initial_scale=0.1,
            eps_in_sqrt=False,
            centered=True,
            momentum=0.5,
            bias_correction=True,
        ),
        optax.rmsprop(
            0.1,
            decay=0.8,
            eps=1e-3,
            initial_scale=0.1,
            eps_in_sqrt=False,
            centered=True,
            momentum=0.5,
            bias_correction=True,
        ),
    ),
    "rmsprop, schedule": (
        optim.rmsprop(optim.schedules.exponential_decay(0.1, 5, 0.5)),
        optax.rmsprop(optax.exponential_decay(0.1, 5, 0.5)),
    ),
    "adam": (optim.adam(0.1), optax.adam(0.1)),
    "adam, decays, eps": (
        optim.adam(0.1, b1=0.7, b2=0.95, eps=1e-3),
        optax.adam(0.1, b1=0.7, b2=0.95, eps=1e-3),
    ),
    "adam, no decays": (optim.adam(0.1, b1=0.0, b2=0.0), optax.adam(0.1, b1=0.0, b2=0.0)),
    "adam, eps_root": (optim.adam(0.1, eps_root=1e-2), optax.adam(0.1, eps_root=1e-2)),
    "adam, nesterov": (optim.adam(0.1, nesterov=True), optax.adam(0.1, nesterov=True)),
    "adam, schedule": (
        optim.adam(optim.schedules.warmup_cosine_decay(0.0, 0.1, 5, 15)),
        optax.adam(optax.warmup_cosine_decay_schedule(0.0, 0.1, 5, 15)),
    ),
    "adamw": (optim.adamw(0.1), optax.adamw(0.1)),
    "adamw, everything": (
        optim.adamw(0.1, b1=0.8, b2=0.9, eps=1e-4, eps_root=1e-4, weight_decay=0.2, mask=MASK, nesterov=True),
        optax.adamw(0.1, b1=0.8, b2=0.9, eps=1e-4, eps_root=1e-4, weight_decay=0.2, mask=MASK, nesterov=True),
    ),
    "adamw, mask made from the parameters": (
        optim.adamw(0.1, weight_decay=0.2, mask=matrices_only),
        optax.adamw(0.1, weight_decay=0.2, mask=matrices_only),
    ),
    "L2 decay": (
        optim.chain(optim.add_decayed_weights(0.3), optim.sgd(0.1, momentum=0.9)),
        optax.chain(optax.add_decayed_weights(0.3), optax.sgd(0.1, momentum=0.9)),
    ),
    "scale": (optim.scale(-0.3), optax.scale(-0.3)),
    "scale_by_schedule": (
        optim.scale_by_schedule(lambda count: 1.0 / (count + 1.0)),
        optax.scale_by_schedule(lambda count: 1.0 / (count + 1.0)),
    ),
    "clip": (optim.clip(0.5), optax.clip(0.5)),
    "clip_by_global_norm, active": (optim.clip_by_global_norm(0.5), optax.clip_by_global_norm(0.5)),
    "clip_by_global_norm, inactive": (optim.clip_by_global_norm(1e3), optax.clip_by_global_norm(1e3)),
    "chain of all kinds": (
        optim.chain(
            optim.clip_by_global_norm(1.0),
            optim.scale_by_adam(),
            optim.trace(0.5),
            optim.add_decayed_weights(0.1),
            optim.scale_by_learning_rate(0.1),
        ),
        optax.chain(
            optax.clip_by_global_norm(1.0),
            optax.scale_by_adam(),
            optax.trace(0.5),
            optax.add_decayed_weights(0.1),
            optax.scale_by_learning_rate(0.1),
        ),
    ),
    "empty chain": (optim.chain(), optax.identity()),
}

COMPLEX_CASES = {
    "sgd": (optim.sgd(0.3, momentum=0.9), optax.sgd(0.3, momentum=0.9)),
    "rmsprop": (optim.rmsprop(0.1), optax.rmsprop(0.1)),
    "rmsprop, centered": (optim.rmsprop(0.1, centered=True), optax.rmsprop(0.1, centered=True)),
    "adam": (optim.adam(0.1), optax.adam(0.1)),
    "clip_by_global_norm": (optim.clip_by_global_norm(0.5), optax.clip_by_global_norm(0.5)),
}


@pytest.mark.parametrize("case", CASES)
def test_real_parameters(case):
    assert_steps_equal_optax(*CASES[case])


@pytest.mark.parametrize("case", COMPLEX_CASES)
def test_complex_parameters(case):
    assert_steps_equal_optax(*COMPLEX_CASES[case], make_tree=complex_tree)
