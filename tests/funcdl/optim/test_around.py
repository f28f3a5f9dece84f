"""What stands around optimizers: masks, groups, accumulation, hyperparameters in the state, constraints."""

import jax
import numpy as np
import optax
import pytest

from funcdl import optim
from tests.funcdl.optim.comparison import STEPS, assert_steps_equal_optax, assert_trees_close
from transforms import jit, tree

KEY = np.array([0, 7], np.uint32)
PARAMS = {"encoder": [{"kernel": np.ones(1), "bias": np.ones(1)}], "head": np.ones(1)}


def matrices(rng):
    return {"w": rng.normal(size=(3, 4)).astype(np.float32), "b": rng.normal(size=4).astype(np.float32)}


def double_matrices(rng):
    return tree.map(np.float64, matrices(rng))


class EveryFew:
    """optax's MultiSteps with the two functions that the comparison calls."""

    def __init__(self, inner, every):
        steps = optax.MultiSteps(inner, every)
        self.init, self.update = steps.init, steps.update


CASES = {
    "accumulate": (optim.accumulate(optim.adam(0.1), 3), EveryFew(optax.adam(0.1), 3)),
    "adaptive_clip": (optim.adaptive_clip(0.1), optax.adaptive_grad_clip(0.1)),
    "inject_hyperparameters": (
        optim.inject_hyperparameters(
            optim.adam, {"learning_rate": optim.schedules.cosine_decay(0.1, 10), "b1": 0.7}
        ),
        optax.inject_hyperparams(optax.adam)(optax.cosine_decay_schedule(0.1, 10), b1=0.7),
    ),
    "apply_if_finite": (
        optim.apply_if_finite(optim.adam(0.1), 2),
        optax.apply_if_finite(optax.adam(0.1), 2),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_equals_optax(case):
    make_tree = double_matrices if case == "inject_hyperparameters" else matrices
    assert_steps_equal_optax(*CASES[case], make_tree=make_tree)


def test_centralize_equals_optax_on_transposed_gradients():
    grads = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected, _ = optax.centralize().update(grads.transpose(2, 0, 1), ())
    got, _ = optim.centralize().update(grads, ())
    np.testing.assert_allclose(got, np.transpose(expected, (1, 2, 0)), rtol=1e-5, atol=1e-6)


def test_apply_if_finite_equals_optax_on_bad_gradients():
    ours, theirs = CASES["apply_if_finite"]
    rng = np.random.default_rng(0)
    params = matrices(rng)
    state, their_state = ours.init(params), theirs.init(params)
    for step in range(STEPS):
        grads = matrices(rng)
        if step in (3, 4, 9, 12, 13, 14):
            grads["w"][0, 1] = np.nan
        if step == 14:
            grads["b"][:] = np.inf
        with np.errstate(invalid="ignore"):  # of the third bad gradient on end, which passes
            updates, state = ours.update(grads, state, params)
        their_updates, their_state = theirs.update(grads, their_state, params)
        assert int(state.consecutive) == int(their_state.notfinite_count)
        assert int(state.total) == int(their_state.total_notfinite)
        for leaf, other in zip(tree.leaves(updates), tree.leaves(their_updates), strict=True):
            np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("noise", [0.0, 0.7])
def test_private_aggregate_equals_optax(noise):
    rng = np.random.default_rng(0)
    params = matrices(rng)
    ours = optim.private_aggregate(2.0, noise, KEY)
    theirs = optax.contrib.differentially_private_aggregate(2.0, noise, jax.random.wrap_key_data(KEY))
    state, their_state = ours.init(params), theirs.init(params)
    for _ in range(3):
        grads = tree.map(lambda *rows: np.stack(rows), *(matrices(rng) for _ in range(5)))
        updates, state = ours.update(grads, state, params)
        expected, their_state = theirs.update(grads, their_state, params)
        for leaf, other in zip(tree.leaves(updates), tree.leaves(expected), strict=True):
            assert leaf.dtype == np.float32
            np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)


def test_per_example_clip_equals_optax():
    rng = np.random.default_rng(0)
    grads = tree.map(lambda *rows: np.stack(rows), *(matrices(rng) for _ in range(5)))
    leaves = tree.leaves(grads)
    summed, _ = optax.per_example_global_norm_clip(leaves, 2.0)
    got = tree.leaves(optim.per_example_clip(grads, 2.0))
    for leaf, other in zip(got, summed, strict=True):
        np.testing.assert_allclose(leaf, other, rtol=1e-5, atol=1e-6)


def test_per_example_gradients_without_examples_are_refused():
    with pytest.raises(ValueError, match=r"per_example_clip: the gradients must share the length of .*"):
        optim.per_example_clip({"w": np.ones((2, 3)), "b": np.ones(3)}, 1.0)


@pytest.mark.parametrize("cooldown", [0, 2])
def test_reduce_on_plateau_equals_optax(cooldown):
    ours = optim.reduce_on_plateau(factor=0.5, patience=2, tolerance=0.1, cooldown=cooldown, min_scale=0.1)
    theirs = optax.contrib.reduce_on_plateau(0.5, 2, 0.1, cooldown=cooldown, min_scale=0.1)
    grads = {"w": np.ones(2, np.float32)}
    state, their_state = ours.init(grads), theirs.init(grads)
    for value in [5, 4, 3.9, 3.8, 3.7, 3, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2]:
        state = optim.observe_value(state, value)
        updates, state = ours.update(grads, state)
        their_updates, their_state = theirs.update(grads, their_state, value=value)
        assert updates["w"].dtype == np.float32
        np.testing.assert_allclose(updates["w"], their_updates["w"], rtol=1e-6)


def test_hyperparameters_are_read_and_changed():
    optimizer = optim.chain(
        optim.clip(1.0),
        optim.inject_hyperparameters(optim.sgd, {"learning_rate": optim.schedules.linear(1.0, 0.0, 4)}),
        optim.inject_hyperparameters(optim.scale, {"factor": 2.0}),
    )
    grads = np.ones(2, np.float32)
    step = jit(optimizer.update, backend="numpy")
    state = optimizer.init(grads)
    seen = []
    for _ in range(3):
        updates, state = step(grads, state)
        seen.append(float(updates[0]))
        assert updates.dtype == np.float32
    assert seen == [-2.0, -1.5, -1.0]
    assert float(state[1].hyperparameters["learning_rate"]) == 0.5
    changed = state[2]._replace(hyperparameters={"factor": np.float64(10.0)})
    updates, _ = step(grads, (*state[:2], changed))
    assert updates[0] == -2.5


def test_unknown_hyperparameters_are_refused():
    optimizer = optim.inject_hyperparameters(optim.sgd, {"learning_rat": 1.0})
    with pytest.raises(TypeError, match="learning_rat"):
        optimizer.init(np.ones(1))
    good = optim.inject_hyperparameters(optim.sgd, {"learning_rate": 1.0})
    state = good.init(np.ones(1))._replace(hyperparameters={"rate": np.float64(1)})
    with pytest.raises(ValueError, match="hyperparameters must have the entries learning_rate, got rate"):
        good.update(np.ones(1), state)


def test_average_of_parameters():
    rng = np.random.default_rng(0)
    optimizer = optim.chain(optim.sgd(0.1), optim.average_params(0.7))
    params = {"w": rng.normal(size=3)}
    state = optimizer.init(params)
    theirs = optax.ema(0.7)
    with jax.enable_x64(True):
        their_state = theirs.init(params)
        for _ in range(STEPS):
            updates, state = optimizer.update({"w": rng.normal(size=3)}, state, params)
            params = optim.apply_updates(params, updates)
            expected, their_state = theirs.update(params, their_state)
            assert_trees_close(optim.find_state(state, optim.AverageParamsState).average, expected)


@pytest.mark.parametrize(
    ("pattern", "chosen"),
    [
        ("**", ["encoder/0/bias", "encoder/0/kernel", "head"]),
        ("encoder/**", ["encoder/0/bias", "encoder/0/kernel"]),
        ("**/kernel", ["encoder/0/kernel"]),
        ("*/0/b*", ["encoder/0/bias"]),
        ("head", ["head"]),
        ("**/head", ["head"]),
    ],
)
def test_path_patterns(pattern, chosen):
    flags = optim.path_mask(pattern)(PARAMS)
    assert [path for path, flag in zip(tree.paths(PARAMS), tree.leaves(flags), strict=True) if flag] == chosen


def test_patterns_that_do_not_fit():
    with pytest.raises(ValueError, match=r"path_mask: the pattern 'decoder/\*\*' must match a parameter"):
        optim.path_mask("decoder/**")(PARAMS)
    optimizer = optim.partition({"encoder/**": optim.sgd(0.1)})
    text = r"partition.init: every path must match one of the patterns 'encoder/\*\*', got 'head'; let '\*\*'"
    with pytest.raises(ValueError, match=text):
        optimizer.init(PARAMS)
    labelled = optim.partition({"a": optim.sgd(0.1)}, {"encoder": "a", "head": "b"})
    with pytest.raises(ValueError, match="the label of 'head' must be one of 'a', got 'b'"):
        labelled.init(PARAMS)


def test_frozen_parameters_have_no_state():
    optimizer = optim.freeze(optim.adam(0.1), "encoder/**")
    state = optimizer.init(PARAMS)
    assert len(tree.leaves(optim.find_state(state, optim.ScaleByAdamState).mean)) == 1
    updates, _ = optimizer.update(PARAMS, state, PARAMS)
    np.testing.assert_array_equal(updates["encoder"][0]["kernel"], 0.0)
    assert updates["head"] < 0


def test_states_are_found_by_type():
    state = optim.chain(optim.adam(0.1), optim.adam(0.2)).init(PARAMS)
    text = "the state must hold one ScaleByAdamState, got 2 at '0/0', '1/0'"
    with pytest.raises(ValueError, match=text):
        optim.find_state(state, optim.ScaleByAdamState)
    with pytest.raises(ValueError, match="the state must hold one EmaState, got none"):
        optim.find_state(state, optim.EmaState)


def test_projections_equal_optax():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    cases = {
        "non-negative": (optim.project_non_negative(x), optax.projections.projection_non_negative(x)),
        "max norm": (
            optim.project_max_norm(x, 0.5, axis=None),
            optax.projections.projection_l2_ball(x, 0.5),
        ),
        "unit norm": (
            optim.project_unit_norm(x, axis=None),
            optax.projections.projection_l2_sphere(x),
        ),
        "simplex": (
            optim.project_simplex(x),
            np.stack([optax.projections.projection_simplex(row) for row in x]),
        ),
        "simplex, another axis": (
            optim.project_simplex(x, axis=0),
            np.stack([optax.projections.projection_simplex(row) for row in x.T], axis=1),
        ),
    }
    for name, (got, expected) in cases.items():
        assert got.dtype == np.float32, name
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6, err_msg=name)


def test_constraints_hold_after_every_step():
    rng = np.random.default_rng(0)
    mask = {"w": True, "b": False}
    optimizer = optim.chain(optim.adam(0.3), optim.constrain(optim.project_unit_norm, mask=mask))
    params = matrices(rng)
    state = optimizer.init(params)
    for _ in range(3):
        updates, state = optimizer.update(matrices(rng), state, params)
        params = optim.apply_updates(params, updates)
        np.testing.assert_allclose(np.linalg.norm(params["w"], axis=0), 1.0, rtol=1e-5)
    assert np.linalg.norm(params["b"]) != pytest.approx(1.0)


def test_more_schedules_equal_optax():
    schedules, counts = optim.schedules, np.arange(75)
    restarts = optax.sgdr_schedule(
        [
            {"init_value": v, "peak_value": v, "decay_steps": n, "warmup_steps": 0, "end_value": 0.1}
            for v, n in [(1.0, 10), (0.5, 20), (0.25, 40), (0.125, 80)]
        ]
    )
    cases = {
        "restarts": (
            schedules.cosine_restarts(1.0, 10, period_factor=2, peak_factor=0.5, end_value=0.1),
            restarts,
        ),
        "equal periods": (
            schedules.cosine_restarts(0.4, 25),
            lambda count: optax.cosine_decay_schedule(0.4, 25)(count % 25),
        ),
        "one cycle": (schedules.one_cycle(0.3, 50, rise=0.4), optax.cosine_onecycle_schedule(50, 0.3, 0.4)),
        "inverse time": (
            schedules.inverse_time_decay(0.3, 7, 0.5, staircase=True),
            lambda count: 0.3 / (1 + 0.5 * (count // 7)),
        ),
    }
    with jax.enable_x64(True):
        for name, (ours, theirs) in cases.items():
            got = [float(ours(count)) for count in counts]
            expected = [float(theirs(count)) for count in counts]
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9, err_msg=name)
            np.testing.assert_allclose(ours(counts), got, rtol=1e-9, err_msg=name)
