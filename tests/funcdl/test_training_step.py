"""The step of the usual case: weights of examples and classes, parts of a batch, a scaled loss."""

import numpy as np
import pytest
import scipy.special
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from funcdl import data, losses, metrics, nn, optim, random, regularizers, training
from transforms import jit, tree

RATE = 0.5


def problem(classes=3, n=12):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(n, 4)).astype(np.float32)
    y = generator.integers(0, classes, n)
    weights = generator.uniform(0.0, 2.0, n).astype(np.float32)
    return x, y, weights


def take(batch, *, model=None, optimizer=None, loss=losses.softmax_cross_entropy, compiled=False, **options):
    model = nn.dense(3) if model is None else model
    optimizer = optim.sgd(RATE) if optimizer is None else optimizer
    state = training.init(model, optimizer, random.key(1), batch[0])
    step = training.train_step(model, loss, optimizer, metrics={"accuracy": metrics.accuracy}, **options)
    return state, *(jit(step) if compiled else step)(state, batch)


def torch_step(state, batch, *, class_weights=None, weights=None):
    """The same step of a linear classifier in PyTorch."""
    torch = pytest.importorskip("torch", reason="its weighted cross entropy is the oracle")
    x, y = torch.tensor(batch[0]), torch.tensor(batch[1])
    params = {name: torch.tensor(value, requires_grad=True) for name, value in state.params.items()}
    logits = x @ params["kernel"] + params["bias"]
    each = torch.nn.functional.cross_entropy(logits, y, weight=class_weights, reduction="none")
    counts = torch.ones(len(y)) if class_weights is None else class_weights[y]
    if weights is not None:
        each, counts = each * torch.tensor(weights), counts * torch.tensor(weights)
    loss = each.sum() / counts.sum()
    loss.backward()
    stepped = {name: (value - RATE * value.grad).detach().numpy() for name, value in params.items()}
    return float(loss.detach()), stepped


def assert_close(params, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(params[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("microbatches", [1, 3])
@pytest.mark.parametrize("with_classes", [False, True])
@pytest.mark.parametrize("with_weights", [False, True])
def test_weights_equal_those_of_torch(with_weights, with_classes, microbatches, compiled):
    torch = pytest.importorskip("torch", reason="its weighted cross entropy is the oracle")
    x, y, weights = problem()
    of_classes = np.float32([1.0, 0.2, 3.0]) if with_classes else None
    state, after, logs = take(
        (x, y, weights) if with_weights else (x, y),
        class_weights=of_classes,
        microbatches=microbatches,
        compiled=compiled,
    )
    loss, params = torch_step(
        state,
        (x, y),
        class_weights=torch.tensor(of_classes) if with_classes else None,
        weights=weights if with_weights else None,
    )
    assert float(logs["loss"]) == pytest.approx(loss, rel=1e-5)
    assert_close(after.params, params)
    assert {leaf.dtype for leaf in tree.leaves(after.params)} == {np.dtype(np.float32)}
    # Metrics know the weights of the examples, not those of the classes.
    hits = np.argmax(x @ state.params["kernel"] + state.params["bias"], -1) == y
    counted = weights if with_weights else None
    assert float(logs["accuracy"]) == pytest.approx(np.average(hits, weights=counted), rel=1e-5)
    assert ("examples" in logs) == with_weights


def test_one_hot_labels_have_classes_too():
    x, y, _ = problem()
    of_classes = [1.0, 0.2, 3.0]
    _, by_index, _ = take((x, y), class_weights=of_classes)
    model, optimizer = nn.dense(3), optim.sgd(RATE)
    state = training.init(model, optimizer, random.key(1), x)
    step = training.train_step(model, losses.softmax_cross_entropy, optimizer, class_weights=of_classes)
    by_one_hot, _ = step(state, (x, np.eye(3, dtype=np.float32)[y]))
    assert_close(by_one_hot.params, by_index.params)


def test_a_mask_hides_what_fills_a_batch():
    x, y, _ = problem()
    padded = (np.pad(x, ((0, 4), (0, 0))), np.pad(y, (0, 4)), np.repeat(np.float32([1, 0]), [12, 4]))
    _, whole, logs = take((x, y))
    _, masked, masked_logs = take(padded)
    assert_close(masked.params, whole.params)
    assert float(masked_logs["loss"]) == pytest.approx(float(logs["loss"]), rel=1e-6)
    assert masked_logs["examples"] == 12


def test_a_batch_of_nothing_but_filling_changes_nothing():
    x, y, _ = problem()
    state, after, logs = take((x, y, np.zeros(12, np.float32)))
    assert_close(after.params, state.params)
    assert logs["loss"] == 0


def test_the_mean_of_an_epoch_counts_the_weights():
    x, y, weights = problem()
    model, optimizer = nn.dense(3), optim.sgd(0.0)
    state = training.init(model, optimizer, random.key(1), x)
    step = training.train_step(model, losses.softmax_cross_entropy, optimizer)
    batches = data.batches((x, y, weights), 5)
    for steps_per_call in (1, 2):
        history = training.fit(step, state, batches, epochs=1, steps_per_call=steps_per_call).history
        assert history.keys() == {"loss"}
        logits = x @ state.params["kernel"] + state.params["bias"]
        probabilities = scipy.special.softmax(logits.astype(float), axis=-1)
        expected = log_loss(y, probabilities, sample_weight=weights, labels=[0, 1, 2])
        assert history["loss"] == pytest.approx([expected], rel=1e-5)


def test_parts_of_a_batch_draw_from_keys_of_their_own_and_thread_the_state():
    x, y, _ = problem()
    model = nn.serial(nn.batch_norm(momentum=0.5), nn.dropout(0.5), nn.dense(3))
    state, after, _ = take((x, y), model=model, microbatches=3)
    average = state.state[0]["mean"]
    for part in np.split(x, 3):
        average = 0.5 * average + 0.5 * part.mean(axis=0)
    np.testing.assert_allclose(after.state[0]["mean"], average, rtol=1e-5, atol=1e-6)


def test_parts_of_a_batch_have_the_penalty_once():
    x, y, _ = problem()
    options = {"regularizer": regularizers.l2(0.1)}
    _, whole, logs = take((x, y), **options)
    _, parts, logs_of_parts = take((x, y), microbatches=4, **options)
    assert_close(parts.params, whole.params)
    assert logs_of_parts.keys() == logs.keys()
    for name, value in logs.items():
        assert float(logs_of_parts[name]) == pytest.approx(float(value), rel=1e-5)


@pytest.mark.parametrize("microbatches", [1, 3])
def test_a_scaled_loss_makes_the_same_step(microbatches):
    x, y, _ = problem()
    _, plain, logs = take((x, y))
    optimizer = optim.static_loss_scale(optim.sgd(RATE), 2.0**10)
    _, scaled, scaled_logs = take((x, y), optimizer=optimizer, microbatches=microbatches)
    assert_close(scaled.params, plain.params)
    assert float(scaled_logs["loss"]) == pytest.approx(float(logs["loss"]), rel=1e-6)


@pytest.mark.parametrize(
    ("batch", "options", "text"),
    [
        (problem()[:1], {}, r"a batch must be \(x, y\) or \(x, y, weights\), got a tuple of 1"),
        ((*problem()[:2], np.ones(5)), {}, r"the weights must have the shape of the leading axes of the mea"),
        (problem(), {"microbatches": 0}, "microbatches must be at least 1, got 0"),
        (problem(), {"microbatches": 5}, "must have a multiple of 5 examples, the number of microbatches, g"),
    ],
)
def test_what_is_wrong_is_named(batch, options, text):
    with pytest.raises(ValueError, match=r"^training\.train_step: .*" + text):
        take(batch, **options)


# -------------------------------------------------------------------------------------------------
# Evaluation


def test_evaluate_takes_weights_and_accumulators():
    x, y, weights = problem(classes=2)
    model = nn.serial(nn.dense(1), nn.lambda_(lambda x: 1 / (1 + np.exp(-x[:, 0]))))
    params, state = model.init(random.key(0), x)
    scores = model.apply(params, state, x)[0]
    measured = {"hits": lambda p, y: ((p > 0.5) == y).astype(np.float32)}
    got = training.evaluate(model, params, state, data.batches((x, y, weights), 5), measured)
    assert got["hits"] == pytest.approx(accuracy_score(y, scores > 0.5, sample_weight=weights), rel=1e-5)
    mask = (np.arange(12) < 9).astype(np.float32)
    got = training.evaluate(
        model, params, state, data.batches((x, y, mask), 5), {"auc": metrics.auc(bins=5000), **measured}
    )
    assert list(got) == ["auc", "hits"]
    assert float(got["auc"]) == pytest.approx(roc_auc_score(y[:9], scores[:9]), abs=2e-3)
    assert got["hits"] == pytest.approx(accuracy_score(y[:9], scores[:9] > 0.5))


def test_an_accumulator_refuses_other_weights():
    x, y, weights = problem(classes=2)
    model = nn.serial(nn.dense(2))
    params, state = model.init(random.key(0), x)
    batches, measured = [(x, y, weights)], {"confusion": metrics.confusion_matrix(2)}
    text = r"^training\.evaluate: the weights must be 0 or 1 where a metric is an accumulator, got 0\.67"
    with pytest.raises(ValueError, match=text):
        training.evaluate(model, params, state, batches, measured)


MODEL, OPTIMIZER = nn.dense(1), optim.sgd(RATE)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: training.train_step(nn.dense, losses.mse, OPTIMIZER),
            "model must be a layer, got the function dense",
        ),
        (
            lambda: training.train_step(MODEL, "mse", OPTIMIZER),
            r"loss must be a function of \(predictions, y\), got 'mse'",
        ),
        (
            lambda: training.train_step(MODEL, losses.mse, optim.sgd),
            "optimizer must be an Optimizer, got the function sgd; call",
        ),
        (
            lambda: training.train_step(MODEL, losses.mse, OPTIMIZER, metrics=losses.mae),
            "metrics must be a dict of functions by name, got the function mae; write",
        ),
        (
            lambda: training.train_step(MODEL, losses.mse, OPTIMIZER, metrics={"mae": "mae"}),
            r"the metric 'mae' must be a function of \(predictions, y\), got 'mae'",
        ),
        (
            lambda: training.train_step(MODEL, losses.mse, OPTIMIZER)({"kernel": 1.0}, problem()[:2]),
            "the state must be a TrainState, got a dict; make it with training.init",
        ),
    ],
)
def test_parts_of_another_type_are_named(call, text):
    with pytest.raises(TypeError, match=r"^training\.train_step: " + text):
        call()


def test_init_names_parts_of_another_type():
    with pytest.raises(
        TypeError, match=r"training\.init: optimizer must be an Optimizer, got the function sgd"
    ):
        training.init(MODEL, optim.sgd, random.key(0), problem()[0])


@pytest.mark.parametrize("given", [losses.mse, {"mse": "mse"}])
def test_evaluate_names_metrics_of_another_type(given):
    with pytest.raises(
        TypeError, match=r"training.evaluate: (metrics must be a dict|the metric 'mse' must be)"
    ):
        training.evaluate(MODEL, {}, (), [problem()[:2]], given)
