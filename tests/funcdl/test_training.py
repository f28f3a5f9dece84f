"""Training: the loop over any step, the step of the usual case, and what a trained model is asked."""

import io
import math
import re
import signal
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from funcdl import data, losses, metrics, nn, optim, random, regularizers, training

# -------------------------------------------------------------------------------------------------
# The loop, over a step that counts


def count(total, batch):
    """A step whose state is the sum of what it has seen."""
    return total + float(np.sum(batch)), {"loss": np.mean(batch), "largest": np.max(batch)}


def numbers(n, batch_size, **options):
    return data.batches(np.arange(n, dtype=np.float32), batch_size, **options)


def test_fit_folds_the_step_over_every_epoch():
    state, history = training.fit(count, 100.0, numbers(6, 2), epochs=3)
    assert state == 100 + 3 * 15
    assert history == {"loss": [2.5] * 3, "largest": [3.0] * 3}


def test_the_mean_over_an_epoch_weighs_batches_by_their_examples():
    history = training.fit(count, 0.0, numbers(5, 4), epochs=1).history
    assert history["loss"] == [2.0]


def test_each_epoch_takes_its_own_order():
    def record(seen, batch):
        return [*seen, batch.tolist()], {"loss": 0.0}

    batches = numbers(4, 2, key=random.key(3))
    seen = training.fit(record, [], batches, epochs=3).state
    assert seen == [batch.tolist() for epoch in range(3) for batch in batches.epoch(epoch)]


def test_no_epoch_changes_nothing():
    assert training.fit(count, 7.0, numbers(4, 2), epochs=0) == (7.0, {})


def test_validation_enters_the_history_after_every_epoch():
    history = training.fit(
        count, 0.0, numbers(4, 2), epochs=2, validation=lambda total: {"loss": np.float32(total)}
    ).history
    assert history["val_loss"] == [6.0, 12.0]


def test_a_nan_loss_stops_and_keeps_the_last_good_state():
    def diverge(state, batch):
        return state + 1, {"loss": np.float32("nan") if state == 4 else np.float32(state)}

    text = r"^training\.fit: the loss must be finite, got nan at step 4 \(epoch 1, batch 1\); lower the"
    with pytest.raises(training.NonFiniteLossError, match=text) as caught:
        training.fit(diverge, 0, numbers(6, 2), epochs=5)
    # The loss of state 4 was not finite; that of state 3 was the last that was.
    assert caught.value.state == 3
    assert caught.value.history == {"loss": [1.0]}
    assert caught.value.step == 4


def test_an_infinite_loss_at_the_first_step_keeps_the_initial_state():
    with pytest.raises(training.NonFiniteLossError, match=r"got -inf at step 0") as caught:
        training.fit(lambda s, b: (None, {"loss": -math.inf}), "start", numbers(2, 1), epochs=1)
    assert caught.value.state == "start"


def interrupt_at(step_number):
    def step(state, batch):
        if state == step_number:
            raise KeyboardInterrupt
        return state + 1, {"loss": float(state)}

    return step


def test_an_interrupt_gives_the_state_so_far():
    state, history = training.fit(interrupt_at(5), 0, numbers(4, 2), epochs=100)
    assert (state, history) == (5, {"loss": [0.5, 2.5]})


@pytest.fixture
def _interrupts_raise():
    """Handle the signal as Python does, also in a process started in the background, which ignores it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("_interrupts_raise")
@pytest.mark.parametrize("steps_per_call", [1, 2])
def test_the_signal_of_ctrl_c_ends_an_epoch_in_its_middle(steps_per_call):
    def interrupt(own, run):
        if run.step >= 4:
            signal.raise_signal(signal.SIGINT)
        return own, training.Decision()

    def step(state, batch):
        return state + 1, {"loss": np.float32(1.0)}

    callbacks = [training.Callback(on_step=interrupt)]
    state, history = training.fit(
        step, np.int32(0), numbers(6, 2), epochs=9, callbacks=callbacks, steps_per_call=steps_per_call
    )
    # The call that was interrupted is not part of the result.
    assert state == 3
    assert history == {"loss": [1.0]}


def test_an_interrupt_gives_the_best_state_where_early_stopping_keeps_it():
    rule = training.early_stopping(monitor="loss", patience=50)
    assert training.fit(interrupt_at(5), 0, numbers(4, 2), epochs=100, callbacks=[rule]).state == 2


@pytest.mark.parametrize(
    ("batches", "epochs", "step", "error", "text"),
    [
        (numbers(2, 1), -1, count, ValueError, "epochs must be at least 0, got -1"),
        (
            [np.ones(2)],
            1,
            count,
            TypeError,
            "batches must have epochs, got a list; make them with",
        ),
        (
            numbers(2, 1),
            1,
            lambda s, b: (s, {"cost": 1.0}),
            ValueError,
            "have an entry 'loss', got cost",
        ),
        (numbers(2, 1), 1, lambda s, b: s, TypeError, r"the step must return \(state, logs\), got a int"),
        (numbers(2, 1), 1, lambda s, b: (s, {}), ValueError, "must have an entry 'loss', got none"),
        (
            numbers(2, 1),
            1,
            lambda s, b: (s, {"loss": 1.0, "each": np.ones(3)}),
            ValueError,
            r"'each' must be a scalar, got shape \(3,\); reduce it",
        ),
    ],
)
def test_fit_names_what_is_wrong(batches, epochs, step, error, text):
    with pytest.raises(error, match=r"^training\.fit: .*" + text):
        training.fit(step, 0, batches, epochs=epochs)


# -------------------------------------------------------------------------------------------------
# The progress bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "progress", "shown"),
    [(Terminal, None, True), (io.StringIO, None, False), (io.StringIO, True, True), (Terminal, False, False)],
)
def test_the_progress_bar_shows_on_a_terminal_or_when_asked(monkeypatch, stream, progress, shown):
    monkeypatch.setattr(sys, "stderr", stream())
    training.fit(count, 0.0, numbers(4, 2), epochs=2, progress=progress)
    written = sys.stderr.getvalue()
    if shown:
        assert "epoch 2/2" in written
        assert "loss=1.5" in written
        assert "4/4" in written
        # The time that has gone, the time that is left, and the rate.
        assert re.search(r"\[\d\d:\d\d<\d\d:\d\d, .*(step/s|s/step)", written)
    else:
        assert written == ""


# -------------------------------------------------------------------------------------------------
# Early stopping


def scripted(values):
    """A validation whose loss goes through the given values, one per epoch."""
    return lambda epochs_done: {"loss": values[epochs_done - 1]}


def one_epoch(state, batch):
    return state + 1, {"loss": 0.0}


@pytest.mark.parametrize(
    ("values", "rule", "stopped_after", "best_epoch"),
    [
        ([3, 2, 1, 2, 3, 4], {"patience": 2}, 5, 3),
        ([3, 2, 1, 2, 0, 4], {"patience": 2}, 6, 5),
        ([1, 1, 1, 1, 1, 1], {"patience": 3}, 4, 1),
        ([3, 2.9, 2.8, 2, 1.9, 1.8], {"patience": 2, "min_delta": 0.5}, 3, 1),
        ([1, 2, 3, 2, 1, 0], {"patience": 2, "mode": "max"}, 5, 3),
        ([math.nan, 5, math.nan, math.nan, 4, 3], {"patience": 2}, 4, 2),
        ([math.inf, 5, 6, 7, 4, 3], {"patience": 2}, 4, 2),
    ],
)
def test_early_stopping_waits_and_restores_the_best(values, rule, stopped_after, best_epoch):
    state, history = training.fit(
        one_epoch,
        0,
        numbers(1, 1),
        epochs=6,
        validation=scripted(values),
        callbacks=[training.early_stopping(**rule)],
    )
    assert len(history["loss"]) == stopped_after
    assert state == best_epoch


def test_early_stopping_names_an_unknown_monitor():
    text = r"^training\.early_stopping: monitor must be one of largest, loss, got 'val_loss'"
    with pytest.raises(ValueError, match=text):
        training.fit(count, 0.0, numbers(2, 1), epochs=1, callbacks=[training.early_stopping(patience=1)])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"patience": 1, "min_delta": -0.1}, r"min_delta must be at least 0, got -0\.1"),
        ({"patience": 1, "mode": "lowest"}, "mode must be 'min' or 'max', got 'lowest'"),
    ],
)
def test_early_stopping_checks_its_attributes(options, text):
    with pytest.raises(ValueError, match=r"^training\.early_stopping: " + text):
        training.early_stopping(**options)


# -------------------------------------------------------------------------------------------------
# The step of the usual case


def problem(dtype=np.float32):
    """A small classification problem, its model and its start."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((12, 4)).astype(dtype)
    y = generator.integers(0, 3, 12)
    model = nn.serial(nn.dense(5), nn.tanh, nn.dense(3))
    return x, y, model


def test_train_step_equals_the_same_steps_of_jax_and_optax():
    x, y, model = problem()
    state = training.init(model, optim.sgd(0.5, momentum=0.9), random.key(1), x)
    step = training.train_step(
        model,
        losses.softmax_cross_entropy,
        optim.sgd(0.5, momentum=0.9),
        metrics={"accuracy": metrics.accuracy},
        regularizer=regularizers.l2(0.01),
    )

    def jax_apply(params):
        (first, _, second) = params
        return jnp.tanh(x @ first["kernel"] + first["bias"]) @ second["kernel"] + second["bias"]

    def jax_objective(params):
        logits = jax_apply(params)
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        penalty = 0.01 * sum(jnp.sum(layer["kernel"] ** 2) for layer in (params[0], params[2]))
        accuracy = jnp.mean(jnp.argmax(logits, -1) == y)
        return loss + penalty, {"loss": loss, "penalty": penalty, "accuracy": accuracy}

    optimizer = optax.sgd(0.5, momentum=0.9)
    params = jax.tree.map(jnp.asarray, state.params)
    opt_state = optimizer.init(params)
    jax_gradient = jax.jit(jax.value_and_grad(jax_objective, has_aux=True))
    for _ in range(5):
        state, logs = step(state, (x, y))
        (_, expected_logs), grads = jax_gradient(params)
        updates, opt_state = optimizer.update(grads, opt_state)
        params = optax.apply_updates(params, updates)
        assert logs.keys() == expected_logs.keys()
        for name, value in expected_logs.items():
            np.testing.assert_allclose(logs[name], value, rtol=1e-5)
            assert logs[name].dtype == np.float32
    for leaf, expected in zip(jax.tree.leaves(state.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(leaf, expected, rtol=1e-4, atol=1e-6)
        assert leaf.dtype == np.float32
    assert state.step == 5
    assert state.step.dtype == np.int32


def test_a_step_changes_neither_its_state_nor_its_batch():
    x, y, model = problem()
    optimizer = optim.adam(0.1)
    state = training.init(model, optimizer, random.key(1), x)
    step = training.train_step(model, losses.softmax_cross_entropy, optimizer)
    before = [np.copy(leaf) for leaf in jax.tree.leaves((state, x, y))]
    first, _ = step(state, (x, y))
    again, _ = step(state, (x, y))
    for leaf, copy in zip(jax.tree.leaves((state, x, y)), before, strict=True):
        np.testing.assert_array_equal(leaf, copy)
    for leaf, other in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(leaf, other)


def test_every_step_draws_from_a_key_of_its_own():
    x = np.ones((4, 50), np.float32)
    model = nn.serial(nn.dropout(0.5))
    optimizer = optim.sgd(0.0)
    masks = []

    def loss(predictions, y):
        return np.mean(predictions, axis=-1) + 0 * y

    def record(predictions, y):
        masks.append(np.array(predictions))
        return y

    state = training.init(model, optimizer, random.key(1), x)
    step = training.train_step(model, loss, optimizer, metrics={"record": record})
    for _ in range(2):
        state, _ = step(state, (x, np.zeros(4, np.float32)))
    assert not np.array_equal(masks[0], masks[1])


def test_initialization_and_steps_draw_from_different_keys():
    x, _, model = problem()
    key = random.key(1)
    state = training.init(model, optim.sgd(0.1), key, x)
    assert not np.array_equal(state.key, key)
    params, _ = model.init(state.key, x)
    assert not np.array_equal(params[0]["kernel"], state.params[0]["kernel"])


def test_a_metric_must_not_hide_the_loss():
    text = r"^training\.train_step: a metric must have a name of its own, got loss"
    with pytest.raises(ValueError, match=text):
        training.train_step(nn.dense(1), losses.mse, optim.sgd(0.1), metrics={"loss": losses.mse})


# -------------------------------------------------------------------------------------------------
# A trained model


def test_evaluate_is_the_mean_over_all_examples():
    x, y, model = problem()
    params, state = model.init(random.key(0), x)
    logits, _ = model.apply(params, state, x)
    result = training.evaluate(
        model,
        params,
        state,
        data.batches((x, y), 5),
        {"loss": losses.softmax_cross_entropy, "accuracy": metrics.accuracy},
    )
    expected = optax.softmax_cross_entropy_with_integer_labels(jnp.asarray(logits), y).mean()
    assert result["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert result["accuracy"] == pytest.approx(np.mean(np.argmax(logits, axis=-1) == y))


def test_evaluate_and_predict_do_not_drop():
    x = np.ones((4, 10), np.float32)
    model = nn.serial(nn.dropout(0.9))
    params, state = model.init(random.key(0), x)
    np.testing.assert_array_equal(training.predict(model, params, state, x), x)
    result = training.evaluate(model, params, state, [(x, x)], {"mse": losses.mse})
    assert result == {"mse": 0.0}


def test_evaluate_refuses_no_batches():
    model = nn.dense(1)
    params, state = model.init(random.key(0), np.ones((1, 1), np.float32))
    text = r"^training\.evaluate: batches must hold a batch, got none; a generator"
    with pytest.raises(ValueError, match=text):
        training.evaluate(model, params, state, iter([]), {"mse": losses.mse})


@pytest.mark.parametrize("batch_size", [None, 1, 5, 12, 100])
def test_predict_gives_the_same_in_batches(batch_size):
    x, _, model = problem()
    params, state = model.init(random.key(0), x)
    predictions = training.predict(model, params, state, x, batch_size=batch_size)
    np.testing.assert_allclose(predictions, model.apply(params, state, x)[0], rtol=1e-5, atol=1e-6)
    assert predictions.dtype == np.float32


@pytest.mark.parametrize("batch_size", [0, -1])
def test_predict_refuses_a_batch_size_below_one(batch_size):
    x, _, model = problem()
    params, state = model.init(random.key(0), x)
    with pytest.raises(ValueError, match=f"batch_size must be .* got {batch_size}"):
        training.predict(model, params, state, x, batch_size=batch_size)


def test_training_on_the_usual_case_learns():
    x, y, model = problem()
    optimizer = optim.adam(0.05)
    start = training.init(model, optimizer, random.key(0), x)
    step = training.train_step(
        model, losses.softmax_cross_entropy, optimizer, metrics={"accuracy": metrics.accuracy}
    )
    batches = data.batches((x, y), 4, key=random.key(1))
    state, history = training.fit(step, start, batches, epochs=60)
    assert history["loss"][-1] < 0.2 * history["loss"][0]
    assert history["accuracy"][-1] == 1.0
    assert state.step == 180
