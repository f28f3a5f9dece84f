"""Callbacks: the protocol, and each of the usual ones through a training."""

import csv
import math
import struct

import numpy as np
import pytest

from funcdl import checkpoints, data, losses, nn, optim, random, training


def count(total, batch):
    """A step whose state is the number of steps."""
    return total + 1, {"loss": np.mean(batch)}


def numbers(n, batch_size):
    return data.batches(np.arange(n, dtype=np.float32), batch_size)


def fit(*callbacks, step=count, epochs=3, batches=None, **options):
    batches = numbers(4, 2) if batches is None else batches
    return training.fit(step, 0, batches, epochs=epochs, callbacks=callbacks, **options)


# -------------------------------------------------------------------------------------------------
# The protocol


def recorder(events):
    """A callback that writes down what it is shown, and counts it in its own state."""

    def hook(name):
        def record(seen, run):
            events.append((name, seen, run.epoch, run.batch, run.step, run.state))
            return seen + 1, training.Decision()

        return record

    return training.Callback(lambda train_state: 10, hook("step"), hook("epoch"), hook("end"))


def test_hooks_are_called_in_order_with_their_own_state():
    events = []
    fit(recorder(events), epochs=2)
    assert events == [
        ("step", 10, 0, 1, 1, 1),
        ("step", 11, 0, 2, 2, 2),
        ("epoch", 12, 1, 0, 2, 2),
        ("step", 13, 1, 1, 3, 3),
        ("step", 14, 1, 2, 4, 4),
        ("epoch", 15, 2, 0, 4, 4),
        ("end", 16, 2, 0, 4, 4),
    ]


def test_a_step_can_end_the_training_in_the_middle_of_an_epoch():
    stop = training.Callback(on_step=lambda own, run: (own, training.Decision(stop=run.step == 3)))
    state, history = fit(stop)
    assert (state, history) == (3, {"loss": [1.5]})


def test_a_decision_changes_the_state_for_the_callbacks_after_it():
    events = []
    add = training.Callback(on_epoch=lambda own, run: (own, training.Decision(state=run.state + 100)))
    state, _ = fit(add, recorder(events), epochs=2)
    assert state == 204
    assert [event[-1] for event in events if event[0] == "epoch"] == [102, 204]


def test_logs_of_a_decision_enter_the_record():
    log = training.Callback(
        on_epoch=lambda own, run: (own, training.Decision(logs={"twice": 2.0 * run.step}))
    )
    assert fit(log, epochs=2).history == {"loss": [1.5, 1.5], "twice": [4.0, 8.0]}


def test_what_comes_after_sees_the_states_of_all_callbacks():
    seen = []
    first = training.Callback(
        on_epoch=lambda own, run: (own, training.Decision(after=lambda run: seen.append(run.callbacks)))
    )
    second = training.Callback(lambda state: 0, on_epoch=lambda own, run: (own + 1, training.Decision()))
    fit(first, second, epochs=2)
    assert seen == [((), 1), ((), 2)]


def test_the_end_is_told_after_an_interrupt():
    def interrupted(state, batch):
        if state == 3:
            raise KeyboardInterrupt
        return count(state, batch)

    events = []
    assert fit(recorder(events), step=interrupted).state == 3
    assert events[-1][:1] == ("end",)


# -------------------------------------------------------------------------------------------------
# The usual ones


def diverges_at(step_number):
    def step(state, batch):
        return state + 1, {"loss": np.float32(math.inf if state == step_number else state)}

    return step


def test_terminate_on_nan_gives_the_last_good_state_without_an_error():
    state, history = fit(training.terminate_on_nan(), step=diverges_at(4), batches=numbers(6, 2))
    # The loss of state 4 was not finite; that of state 3 was the last that was.
    assert (state, history) == (3, {"loss": [1.0]})


def test_terminate_on_nan_watches_the_validation():
    state, history = fit(training.terminate_on_nan(), validation=lambda state: {"loss": math.nan})
    assert state == 1
    assert len(history["val_loss"]) == 1


def test_a_loss_that_is_not_finite_reaches_no_checkpoint(tmp_path):
    folder = checkpoints.Folder(path=tmp_path, keep=100)
    with pytest.raises(training.NonFiniteLossError, match="at step 4"):
        fit(training.checkpoint(folder, every=1), step=diverges_at(4), batches=numbers(6, 2))
    assert folder.steps() == [1, 2, 3, 4]


def test_checkpoints_every_so_many_steps_and_epochs(tmp_path):
    folder = checkpoints.Folder(path=tmp_path, keep=100)
    fit(training.checkpoint(folder, every=3), batches=numbers(5, 1), epochs=2)
    assert folder.steps() == [3, 5, 8, 10]


def test_the_best_checkpoint_is_that_of_the_monitored_value(tmp_path):
    folder = checkpoints.Folder(path=tmp_path, keep=1)
    values = iter([3.0, 1.0, 2.0, 4.0])
    fit(
        training.checkpoint(folder, monitor="val_loss"),
        epochs=4,
        validation=lambda state: {"loss": next(values)},
    )
    assert folder.steps() == [4, 8]
    best = checkpoints.load_partial(folder.best(), {"state": 0}, "state/**")
    assert best == {"state": 4}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda folder: training.checkpoint(folder, every=0), "checkpoint: every must be at least 1, got 0"),
        (
            lambda folder: fit(training.checkpoint(folder, monitor="val_loss")),
            "checkpoint: monitor must be one of loss, got 'val_loss'",
        ),
    ],
)
def test_checkpoint_names_what_is_wrong(tmp_path, make, text):
    with pytest.raises(ValueError, match=text):
        make(checkpoints.Folder(path=tmp_path))


def regression():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(12, 3)).astype(np.float32)
    y = (x @ np.float32([[1.0], [2.0], [-1.0]])).astype(np.float32)
    return x, y


def train(optimizer, *callbacks, epochs=3, **options):
    x, y = regression()
    model = nn.dense(1)
    state = training.init(model, optimizer, random.key(0), x)
    step = training.train_step(model, losses.mse, optimizer)
    batches = data.batches((x, y), 4, key=random.key(1))
    return training.fit(step, state, batches, epochs=epochs, callbacks=callbacks, **options)


def test_the_learning_rate_of_a_schedule():
    schedule = optim.schedules.exponential_decay(0.5, 1, 0.5)
    history = train(optim.sgd(schedule), training.log_learning_rate(schedule)).history
    # The last steps of the epochs are those with index 2, 5 and 8.
    np.testing.assert_allclose(history["learning_rate"], [0.5**3, 0.5**6, 0.5**9], rtol=1e-6)


def test_the_learning_rate_in_the_state():
    schedule = optim.schedules.exponential_decay(0.5, 1, 0.5)
    optimizer = optim.inject_hyperparameters(optim.sgd, {"learning_rate": schedule})
    history = train(optimizer, training.log_learning_rate()).history
    np.testing.assert_allclose(history["learning_rate"], [0.5**3, 0.5**6, 0.5**9], rtol=1e-6)


def test_csv_has_a_row_for_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    schedule = optim.schedules.exponential_decay(0.5, 1, 0.5)
    callbacks = [training.log_learning_rate(schedule), training.log_csv(path)]
    history = train(optim.sgd(schedule), *callbacks).history
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    for name, values in history.items():
        assert [float(row[name]) for row in rows] == values


def tensorboard_scalars(folder):
    """What the event files in a folder hold, read record by record."""
    from tensorboardX.proto import event_pb2

    found, starts = {}, []
    for file in sorted(folder.iterdir()):
        content, at = file.read_bytes(), 0
        while at < len(content):
            # A record: its length, a checksum of that, the event, a checksum.
            (length,) = struct.unpack_from("<Q", content, at)
            event = event_pb2.Event.FromString(content[at + 12 : at + 12 + length])
            at += 12 + length + 4
            if event.HasField("session_log"):
                starts.append(event.step)
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found, starts


def test_tensorboard_gets_every_epoch(tmp_path):
    pytest.importorskip("tensorboardX", reason="the events are written through it")
    history = train(optim.sgd(0.1), training.log_tensorboard(tmp_path)).history
    found, _ = tensorboard_scalars(tmp_path)
    assert found == {
        "loss": [(epoch, np.float32(value)) for epoch, value in enumerate(history["loss"], 1)],
    }


def test_the_average_is_returned_and_can_be_validated():
    optimizer = optim.chain(optim.sgd(0.1), optim.average_params(0.5))
    validated = []

    def validate(train_state):
        validated.append(training.swap_average(train_state).params["kernel"])
        return {}

    last = train(optimizer, validation=validate).state
    swapped = train(optimizer, training.ema_swap()).state
    # The closed form of the average, from the parameters after every step.
    seen = []
    remember = training.Callback(
        on_step=lambda own, run: (own, seen.append(run.state.params) or training.Decision())
    )
    train(optimizer, remember)
    weights = 0.5 ** np.arange(len(seen))[::-1]
    expected = np.average([params["kernel"] for params in seen], axis=0, weights=weights)
    np.testing.assert_allclose(swapped.params["kernel"], expected, rtol=1e-5)
    np.testing.assert_array_equal(validated[-1], swapped.params["kernel"])
    np.testing.assert_array_equal(last.params["kernel"], seen[-1]["kernel"])


def test_the_average_of_the_best_epoch():
    optimizer = optim.chain(optim.sgd(0.1), optim.average_params(0.5))
    values = iter([1.0, 2.0, 3.0])

    def run(*callbacks, epochs):
        return train(optimizer, *callbacks, epochs=epochs, validation=lambda state: {"loss": next(values)})

    rule = training.early_stopping(patience=5)
    best = run(rule, training.ema_swap(), epochs=3).state
    values = iter([1.0])
    first = run(training.ema_swap(), epochs=1).state
    np.testing.assert_array_equal(best.params["kernel"], first.params["kernel"])


# -------------------------------------------------------------------------------------------------
# Many steps in one call


@pytest.mark.parametrize("steps_per_call", [2, 3, 100])
def test_many_steps_in_one_call_are_the_same_steps(steps_per_call):
    one = train(optim.adam(0.1), epochs=3)
    many = train(optim.adam(0.1), epochs=3, steps_per_call=steps_per_call)
    assert many.state.step == one.state.step == 9
    np.testing.assert_allclose(many.state.params["kernel"], one.state.params["kernel"], rtol=1e-5)
    np.testing.assert_allclose(many.history["loss"], one.history["loss"], rtol=1e-5)


def test_callbacks_see_every_call_and_a_smaller_last_batch():
    events = []

    def step(total, batch):
        return total + np.sum(batch), {"loss": np.mean(batch)}

    batches = numbers(9, 2)
    result = training.fit(
        step, np.float32(0), batches, epochs=1, callbacks=[recorder(events)], steps_per_call=3
    )
    assert result.state == 36
    assert result.history["loss"] == [4.0]
    assert [event[4] for event in events if event[0] == "step"] == [3, 4, 5]


def test_a_loss_that_is_not_finite_within_a_call_is_found_at_its_step():
    def step(state, batch):
        return state + 1, {"loss": np.where(state == 4, np.float32("nan"), np.float32(1.0))}

    text = r"got nan at step 4 \(epoch 0, batch 4\)"
    with pytest.raises(training.NonFiniteLossError, match=text) as caught:
        training.fit(step, np.int32(0), numbers(6, 1), epochs=1, steps_per_call=3)
    # The call began with state 3, whose loss was finite.
    assert caught.value.state == 3


def test_steps_per_call_is_checked():
    with pytest.raises(ValueError, match=r"training.fit: steps_per_call must be at least 1, got 0"):
        fit(steps_per_call=0)
