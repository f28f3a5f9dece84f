"""The optimizers beyond SGD, RMSProp and Adam make the same 20 steps as those of optax."""

import jax
import numpy as np
import optax
import pytest

from funcdl import optim, random
from tests.funcdl.optim.comparison import (
    STEPS,
    assert_steps_equal_optax,
    assert_trees_close,
    complex_tree,
    random_tree,
)
from transforms import eval_shape, jit, tree

MASK = {"encoder": True, "decoder": (False, {"scale": True}), "gain": False}
KEY = np.array([0, 7], np.uint32)


def matrices_only(params):
    return tree.map(lambda leaf: np.ndim(leaf) > 1, params)


def not_scalars(params):
    return tree.map(lambda leaf: np.ndim(leaf) > 0, params)


def double_tree(rng):
    return tree.map(np.float64, random_tree(rng))


def their_masked(inner, mask):
    return optax.masked(inner, mask)


def compiled(optimizer):
    """An optimizer of optax whose loops would be traced again at each step."""
    return optax.GradientTransformation(optimizer.init, jax.jit(optimizer.update))


CASES = {
    "adagrad": (optim.adagrad(0.3), optax.adagrad(0.3)),
    "adagrad, from zero": (
        optim.adagrad(0.3, initial_accumulator_value=0.0, eps=1e-3),
        optax.adagrad(0.3, initial_accumulator_value=0.0, eps=1e-3),
    ),
    "adadelta": (optim.adadelta(), optax.adadelta(1.0)),
    "adadelta, everything": (
        optim.adadelta(0.5, rho=0.7, eps=1e-3, weight_decay=0.1, mask=MASK),
        optax.adadelta(0.5, rho=0.7, eps=1e-3, weight_decay=0.1, weight_decay_mask=MASK),
    ),
    "adamax": (optim.adamax(0.1), optax.adamax(0.1)),
    "adamax, everything": (
        optim.adamax(0.1, b1=0.7, b2=0.9, eps=1e-2),
        optax.adamax(0.1, b1=0.7, b2=0.9, eps=1e-2),
    ),
    "adamaxw": (optim.adamaxw(0.1, weight_decay=0.2), optax.adamaxw(0.1, weight_decay=0.2)),
    "nadam": (optim.nadam(0.1, b1=0.8), optax.nadam(0.1, b1=0.8)),
    "nadamw": (
        optim.nadamw(0.1, weight_decay=0.2, mask=MASK),
        optax.nadamw(0.1, weight_decay=0.2, mask=MASK),
    ),
    "amsgrad": (optim.amsgrad(0.1), optax.amsgrad(0.1)),
    "amsgrad, everything": (
        optim.amsgrad(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3),
        optax.amsgrad(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3),
    ),
    "radam": (optim.radam(0.1), optax.radam(0.1)),
    "radam, everything": (
        optim.radam(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, threshold=6.0),
        optax.radam(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, threshold=6.0),
    ),
    "adabelief": (optim.adabelief(0.1), optax.adabelief(0.1)),
    "adabelief, everything": (
        optim.adabelief(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, nesterov=True),
        optax.adabelief(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, nesterov=True),
    ),
    "yogi": (optim.yogi(0.1), optax.yogi(0.1)),
    "yogi, everything": (
        optim.yogi(0.1, b1=0.7, b2=0.9, eps=1e-2),
        optax.yogi(0.1, b1=0.7, b2=0.9, eps=1e-2),
    ),
    "adafactor": (optim.adafactor(0.1), optax.adafactor(0.1)),
    "adafactor, factored": (
        optim.adafactor(0.1, min_dim_size_to_factor=2),
        optax.adafactor(0.1, min_dim_size_to_factor=2),
    ),
    "adafactor, everything": (
        optim.adafactor(
            min_dim_size_to_factor=2,
            decay_rate=0.6,
            multiply_by_parameter_scale=False,
            clipping_threshold=0.5,
            weight_decay=0.01,
            mask=MASK,
            eps=1e-6,
        ),
        optax.adafactor(
            min_dim_size_to_factor=2,
            decay_rate=0.6,
            multiply_by_parameter_scale=False,
            clipping_threshold=0.5,
            weight_decay_rate=0.01,
            weight_decay_mask=MASK,
            eps=1e-6,
        ),
    ),
    "lamb": (optim.lamb(0.1), optax.lamb(0.1)),
    "lamb, everything": (
        optim.lamb(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, weight_decay=0.1, mask=MASK),
        optax.lamb(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, weight_decay=0.1, mask=MASK),
    ),
    "lars": (optim.lars(0.5), optax.lars(0.5)),
    "lars, everything": (
        optim.lars(
            0.5,
            weight_decay=0.1,
            mask=MASK,
            trust_coefficient=0.1,
            eps=1e-2,
            trust_ratio_mask=matrices_only,
            momentum=0.5,
            nesterov=True,
        ),
        optax.lars(
            0.5,
            weight_decay=0.1,
            weight_decay_mask=MASK,
            trust_coefficient=0.1,
            eps=1e-2,
            trust_ratio_mask=matrices_only,
            momentum=0.5,
            nesterov=True,
        ),
    ),
    "lion": (optim.lion(0.1), optax.lion(0.1)),
    "lion, everything": (
        optim.lion(0.1, b1=0.7, b2=0.8, weight_decay=0.1, mask=MASK),
        optax.lion(0.1, b1=0.7, b2=0.8, weight_decay=0.1, mask=MASK),
    ),
    "sign_sgd": (optim.sign_sgd(0.1), optax.sign_sgd(0.1)),
    "novograd": (optim.novograd(0.1), optax.novograd(0.1)),
    "novograd, everything": (
        optim.novograd(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, weight_decay=0.1),
        optax.novograd(0.1, b1=0.7, b2=0.9, eps=1e-3, eps_root=1e-3, weight_decay=0.1),
    ),
    "sm3": (
        optim.masked(optim.sm3(0.1, momentum=0.8), not_scalars),
        their_masked(optax.sm3(0.1, momentum=0.8), not_scalars),
    ),
    "ema": (optim.ema(0.8), optax.ema(0.8)),
    "ema, biased": (optim.ema(0.8, debias=False), optax.ema(0.8, debias=False)),
    "clip_by_block_rms": (optim.clip_by_block_rms(0.5), optax.clip_by_block_rms(0.5)),
    "masked": (
        optim.masked(optim.adam(0.1), MASK),
        their_masked(optax.adam(0.1), MASK),
    ),
    "partition": (
        optim.partition({"encoder/**": optim.adam(0.1), "**/scale": optim.lion(0.1), "**": optim.sgd(0.2)}),
        optax.partition(
            {"a": optax.adam(0.1), "l": optax.lion(0.1), "s": optax.sgd(0.2)},
            {"encoder": "a", "decoder": ("s", {"scale": "l"}), "gain": "s"},
        ),
    ),
    "freeze": (
        optim.freeze(optim.adam(0.1), "decoder/**", "gain"),
        optax.partition(
            {"t": optax.adam(0.1), "f": optax.set_to_zero()},
            {"encoder": "t", "decoder": "f", "gain": "f"},
        ),
    ),
}

# Differences of parameters, and polynomials of matrices, for which float32 leaves more than a millionth.
DOUBLE_CASES = {
    "scale_by_lbfgs": (
        optim.chain(optim.scale_by_lbfgs(), optim.scale(-0.01)),
        compiled(optax.chain(optax.scale_by_lbfgs(), optax.scale(-0.01))),
    ),
    "scale_by_lbfgs, everything": (
        optim.chain(optim.scale_by_lbfgs(3, scale_start=False), optim.scale(-0.01)),
        compiled(optax.chain(optax.scale_by_lbfgs(3, scale_init_precond=False), optax.scale(-0.01))),
    ),
    "muon": (optim.muon(0.1), optax.contrib.muon(0.1)),
    "muon, everything": (
        optim.muon(
            0.1,
            beta=0.8,
            nesterov=False,
            iterations=3,
            eps=1e-4,
            weight_decay=0.1,
        ),
        optax.contrib.muon(0.1, beta=0.8, nesterov=False, ns_steps=3, eps=1e-4, weight_decay=0.1),
    ),
    "schedule_free_sgd": (
        optim.schedule_free_sgd(0.3, b1=0.8),
        optax.contrib.schedule_free_sgd(0.3, b1=0.8),
    ),
    "schedule_free_adamw": (
        optim.schedule_free_adamw(0.1, b2=0.9, weight_decay=0.1, weight_power=1.0),
        optax.contrib.schedule_free_adamw(0.1, b2=0.9, weight_decay=0.1, weight_lr_power=1.0),
    ),
    "sam": (
        optim.sam(optim.adam(0.1), rho=0.2),
        optax.contrib.sam(optax.adam(0.1), optax.chain(optax.contrib.normalize(), optax.sgd(0.2))),
    ),
    "sam, everything": (
        optim.sam(optim.sgd(0.1), adversary=optim.adam(0.05), sync_period=3, reset_state=False),
        optax.contrib.sam(optax.sgd(0.1), optax.adam(0.05), sync_period=3, reset_state=False),
    ),
}

# A complex parameter's sign, maximum or order is not defined; the others must follow optax.
COMPLEX = ["adagrad", "adamax", "amsgrad", "radam", "adabelief", "yogi", "lamb", "lars", "novograd"]


@pytest.mark.parametrize("case", CASES)
def test_real_parameters(case):
    assert_steps_equal_optax(*CASES[case])


@pytest.mark.parametrize("case", DOUBLE_CASES)
def test_double_precision(case):
    assert_steps_equal_optax(*DOUBLE_CASES[case], make_tree=double_tree)


@pytest.mark.parametrize("case", COMPLEX)
def test_complex_parameters(case):
    assert_steps_equal_optax(*CASES[case], make_tree=complex_tree)


@pytest.mark.parametrize("reset_state", [False, True])
def test_lookahead(reset_state):
    ours = optim.lookahead(optim.adam(0.1), sync_period=3, slow_step_size=0.4, reset_state=reset_state)
    theirs = optax.lookahead(optax.adam(0.1), 3, 0.4, reset_state=reset_state)
    rng = np.random.default_rng(0)
    params = random_tree(rng)
    with jax.enable_x64(True):
        both = optax.LookaheadParams.init_synced(tree.map(jax.numpy.asarray, params))
        state, their_state = ours.init(params), theirs.init(both)
        for _ in range(STEPS):
            grads = random_tree(rng)
            updates, state = ours.update(grads, state, params)
            params = optim.apply_updates(params, updates)
            their_updates, their_state = theirs.update(grads, their_state, both)
            both = optax.apply_updates(both, their_updates)
            assert_trees_close(params, both.fast)
            assert_trees_close(state.slow, both.slow)


def test_noisy_sgd_draws_what_optax_draws():
    def make_tree(rng):
        return {"b": rng.normal(size=3).astype(np.float32), "w": rng.normal(size=(2, 3)).astype(np.float32)}

    ours = optim.noisy_sgd(0.1, KEY, eta=0.3, gamma=0.4)
    assert_steps_equal_optax(ours, optax.noisy_sgd(0.1, 0.3, 0.4, jax.random.wrap_key_data(KEY)), make_tree)


def test_schedule_free_parameters_to_evaluate():
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=3)}
    ours = optim.schedule_free_sgd(optim.schedules.warmup(0.0, 0.3, 5), b1=0.7)
    theirs = optax.contrib.schedule_free_sgd(0.3, warmup_steps=5, b1=0.7)
    with jax.enable_x64(True):
        their_params = tree.map(jax.numpy.asarray, params)
        state, their_state = ours.init(params), theirs.init(their_params)
        for _ in range(STEPS):
            grads = {"w": rng.normal(size=3)}
            updates, state = ours.update(grads, state, params)
            params = optim.apply_updates(params, updates)
            their_updates, their_state = theirs.update(grads, their_state, their_params)
            their_params = optax.apply_updates(their_params, their_updates)
        got = optim.schedule_free_eval_params(state, params, b1=0.7)
        assert_trees_close(got, optax.contrib.schedule_free_eval_params(their_state, their_params))


@pytest.mark.parametrize("case", [*CASES, *DOUBLE_CASES, "rprop"])
def test_types_stay_and_jit_changes_nothing(case):
    optimizer = optim.rprop(0.1) if case == "rprop" else (CASES | DOUBLE_CASES)[case][0]
    rng = np.random.default_rng(0)
    params = {
        "encoder": rng.normal(size=(3, 4)).astype(np.float32),
        "decoder": (rng.normal(size=4).astype(np.float32), {"scale": np.ones(2, np.float32)}),
        "gain": rng.normal(size=3).astype(np.float32),
    }
    grads = tree.map(lambda param: np.cos(param), params)
    state = optimizer.init(params)
    updates, new_state = eval_shape(optimizer.update, grads, state, params)
    assert {leaf.dtype for leaf in tree.leaves(updates)} == {np.dtype(np.float32)}
    assert [leaf.dtype for leaf in tree.leaves(new_state)] == [leaf.dtype for leaf in tree.leaves(state)]
    step = jit(optimizer.update, backend="numpy")
    compiled = eager = (grads, state)
    for _ in range(3):
        compiled = step(grads, compiled[1], params)
        eager = optimizer.update(grads, eager[1], params)
        for one, other in zip(tree.leaves(compiled), tree.leaves(eager), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optim.rprop(0.1, eta_plus=1.0), "rprop: eta_plus must be greater than 1, got 1.0"),
        (lambda: optim.rprop(0.1, eta_minus=1.0), "rprop: eta_minus must be in [0, 1), got 1.0"),
        (lambda: optim.schedule_free_sgd(b1=1.5), "schedule_free_sgd: b1 must be in (0, 1], got 1.5"),
        (
            lambda: optim.lookahead(optim.sgd(0.1), sync_period=0),
            "lookahead: sync_period must be at least 1, got 0",
        ),
        (lambda: optim.adamax(0.1, b2=1.0), "adamax: b2 must be in [0, 1), got 1.0"),
        (
            lambda: optim.scale_by_muon().init({"b": np.zeros(3)}),
            "scale_by_muon: 'b' must be a matrix, got shape (3,); muon gives the others to adamw",
        ),
        (
            lambda: optim.lamb(0.1).update(np.zeros(2), optim.lamb(0.1).init(np.zeros(2))),
            "lamb.update: params must be given for weight decay, got None; call update(grads, state, params)",
        ),
    ],
)
def test_misuse(make, text):
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4)])
def test_orthogonalize_brings_singular_values_near_one(shape):
    x = np.random.default_rng(0).normal(size=shape)
    values = np.linalg.svd(optim.orthogonalize(x))[1]
    assert np.all((values > 0.6) & (values < 1.3))
    left, _, right = np.linalg.svd(x, full_matrices=False)
    assert np.linalg.norm(optim.orthogonalize(x) - left @ right) < 0.8


def test_rprop_equals_torch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle for Rprop")
    rng = np.random.default_rng(0)
    params = rng.normal(size=6)
    weight = torch.nn.Parameter(torch.tensor(params))
    options = {"eta_minus": 0.4, "eta_plus": 1.3, "min_step_size": 0.02, "max_step_size": 0.5}
    ours = optim.rprop(0.1, **options)
    theirs = torch.optim.Rprop([weight], lr=0.1, etas=(0.4, 1.3), step_sizes=(0.02, 0.5))
    state = ours.init(params)
    for _ in range(STEPS):
        grads = rng.normal(size=6)
        updates, state = ours.update(grads, state, params)
        params = optim.apply_updates(params, updates)
        weight.grad = torch.tensor(grads)
        theirs.step()
        np.testing.assert_allclose(params, weight.detach().numpy(), rtol=1e-12)


def test_sharpness_aware_descent_uses_the_gradient_uphill():
    params = np.array([3.0, 4.0])
    curvature = np.array([1.0, 10.0])
    optimizer = optim.sam(optim.sgd(0.1), rho=0.5)
    state = optimizer.init(params)
    point = params
    for _ in range(2):
        updates, state = optimizer.update(curvature * point, state, point)
        point = optim.apply_updates(point, updates)
    grads = curvature * params
    uphill = params + 0.5 * grads / np.linalg.norm(grads)
    np.testing.assert_allclose(point, params - 0.1 * curvature * uphill, rtol=1e-12)


def test_traced_keys():
    def first(key):
        optimizer = optim.add_noise(0.1, 0.5, key)
        return optimizer.update(np.zeros(2, np.float32), optimizer.init(np.zeros(2)))[0]

    np.testing.assert_allclose(jit(first, backend="numpy")(KEY), first(KEY), rtol=1e-6)
    assert not np.array_equal(first(KEY), first(random.key(1)))
