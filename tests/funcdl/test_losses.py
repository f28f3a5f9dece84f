"""Losses against PyTorch and optax, values and gradients; and the errors for targets that do not fit."""

import functools

import jax
import numpy as np
import optax
import pytest

from funcdl import losses
from tests.funcdl.functional.oracles import NO_TORCH, assert_same, by_torch, ours, table_by_jax
from transforms import eval_shape, grad, type_of, vmap

rng = np.random.default_rng(0)
BATCH, CLASSES = 6, 5
LOGITS = rng.normal(size=(BATCH, CLASSES)) * 4
LABELS = rng.integers(0, CLASSES, BATCH)
SOFT_LABELS = rng.dirichlet(np.ones(CLASSES), BATCH)
BITS = rng.integers(0, 2, (BATCH, CLASSES))
SIDES = 2 * BITS - 1
VALUES = rng.normal(size=(BATCH, CLASSES)) * 4

# name: (ours, PyTorch's elementwise or per-example loss, predictions, targets, mean over the last axis)
AGAINST_TORCH = {
    "cross entropy": (losses.softmax_cross_entropy, lambda F: F.cross_entropy, LABELS, False),
    "cross entropy, smoothed": (
        functools.partial(losses.softmax_cross_entropy, label_smoothing=0.2),
        lambda F: functools.partial(F.cross_entropy, label_smoothing=0.2),
        LABELS,
        False,
    ),
    "cross entropy, soft": (losses.softmax_cross_entropy, lambda F: F.cross_entropy, SOFT_LABELS, False),
    "cross entropy, soft, smoothed": (
        functools.partial(losses.softmax_cross_entropy, label_smoothing=0.2),
        lambda F: functools.partial(F.cross_entropy, label_smoothing=0.2),
        SOFT_LABELS,
        False,
    ),
    "binary cross entropy": (
        losses.sigmoid_binary_cross_entropy,
        lambda F: F.binary_cross_entropy_with_logits,
        BITS.astype(float),
        True,
    ),
    "binary cross entropy, soft": (
        losses.sigmoid_binary_cross_entropy,
        lambda F: F.binary_cross_entropy_with_logits,
        SOFT_LABELS,
        True,
    ),
    "mse": (losses.mse, lambda F: F.mse_loss, VALUES, True),
    "mae": (losses.mae, lambda F: F.l1_loss, VALUES, True),
    "huber": (losses.huber, lambda F: F.huber_loss, VALUES, True),
    "huber, delta": (
        functools.partial(losses.huber, delta=2.5),
        lambda F: functools.partial(F.huber_loss, delta=2.5),
        VALUES,
        True,
    ),
    "multiclass hinge": (losses.multiclass_hinge, lambda F: F.multi_margin_loss, LABELS, False),
    "multiclass hinge, margin": (
        functools.partial(losses.multiclass_hinge, margin=2.5),
        lambda F: functools.partial(F.multi_margin_loss, margin=2.5),
        LABELS,
        False,
    ),
}
AGAINST_OPTAX = {
    "cross entropy": (
        losses.softmax_cross_entropy,
        optax.softmax_cross_entropy_with_integer_labels,
        LABELS,
    ),
    "cross entropy, soft": (losses.softmax_cross_entropy, optax.softmax_cross_entropy, SOFT_LABELS),
    "binary cross entropy": (
        losses.sigmoid_binary_cross_entropy,
        lambda x, y: optax.sigmoid_binary_cross_entropy(x, y).mean(-1),
        BITS.astype(float),
    ),
    "mse": (losses.mse, lambda x, y: optax.squared_error(x, y).mean(-1), VALUES),
    "huber": (losses.huber, lambda x, y: optax.huber_loss(x, y).mean(-1), VALUES),
    "hinge": (losses.hinge, lambda x, y: optax.hinge_loss(x, y).mean(-1), SIDES.astype(float)),
    "squared hinge": (
        losses.squared_hinge,
        lambda x, y: (optax.hinge_loss(x, y) ** 2).mean(-1),
        SIDES.astype(float),
    ),
}
CLASS_LOSSES = {
    "softmax_cross_entropy": losses.softmax_cross_entropy,
    "multiclass_hinge": losses.multiclass_hinge,
}
PAIRED_LOSSES = {
    "mse": losses.mse,
    "mae": losses.mae,
    "huber": losses.huber,
    "hinge": losses.hinge,
    "squared_hinge": losses.squared_hinge,
    "sigmoid_binary_cross_entropy": losses.sigmoid_binary_cross_entropy,
}

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_class_loss = pytest.mark.parametrize("name", CLASS_LOSSES)
every_paired_loss = pytest.mark.parametrize("name", PAIRED_LOSSES)


def cast(targets, dtype):
    return targets if targets.dtype.kind == "i" else targets.astype(dtype)


@every_dtype
@pytest.mark.parametrize("name", AGAINST_TORCH)
def test_equals_torch(name, dtype):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    f, theirs, targets, averaged = AGAINST_TORCH[name]
    targets, x = cast(targets, dtype), LOGITS.astype(dtype)

    def expected(x):
        values = theirs(torch.nn.functional)(x, torch.tensor(targets), reduction="none")
        return values.mean(-1) if averaged else values

    assert_same(ours(lambda x: f(x, targets), x), by_torch(expected, x), dtype)


@functools.cache
def optax_results(dtype):
    functions = {
        name: functools.partial(lambda x, f, targets: f(x, targets), f=theirs, targets=cast(targets, dtype))
        for name, (_, theirs, targets) in AGAINST_OPTAX.items()
    }
    return table_by_jax(functions, LOGITS.astype(dtype))


@every_dtype
@pytest.mark.parametrize("name", AGAINST_OPTAX)
def test_equals_optax(name, dtype):
    f, _, targets = AGAINST_OPTAX[name]
    targets = cast(targets, dtype)
    assert_same(ours(lambda x: f(x, targets), LOGITS.astype(dtype)), optax_results(dtype)[name], dtype)


@pytest.mark.parametrize("labels", [LABELS, SOFT_LABELS.T], ids=["integer", "soft"])
def test_cross_entropy_over_another_axis(labels):
    got = losses.softmax_cross_entropy(np.stack([LOGITS.T, -LOGITS.T]), np.stack([labels, labels]), axis=1)
    expected = [losses.softmax_cross_entropy(logits, labels.T) for logits in (LOGITS, -LOGITS)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_cross_entropy_of_one_example():
    got = losses.softmax_cross_entropy(LOGITS[0], LABELS[0])
    assert got.shape == ()
    assert got == losses.softmax_cross_entropy(LOGITS, LABELS)[0]


def test_cross_entropy_of_large_and_missing_logits():
    logits = np.array([[1000.0, 0.0, -np.inf], [0.0, -1000.0, -np.inf]])
    for labels in (np.array([1, 1]), np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])):
        np.testing.assert_array_equal(losses.softmax_cross_entropy(logits, labels), [1000, 1000])
        gradient = grad(lambda x, labels=labels: np.sum(losses.softmax_cross_entropy(x, labels)))(logits)
        np.testing.assert_array_equal(gradient, [[1, -1, 0], [1, -1, 0]])


@pytest.mark.parametrize("name", [*AGAINST_TORCH, "hinge", "squared hinge"])
def test_types_and_batches(name):
    f, _, targets = (AGAINST_OPTAX | AGAINST_TORCH)[name][:3]
    x, targets = LOGITS.astype(np.float32), cast(targets, np.float32)
    values = f(x, targets)
    assert eval_shape(f, x, targets) == type_of(values)

    def of_one_example(x, target):
        return np.mean(f(x, target))

    np.testing.assert_allclose(vmap(of_one_example)(x, targets), values, rtol=1e-5)
    by_example = vmap(grad(of_one_example))(x, targets)
    np.testing.assert_allclose(by_example, grad(lambda x: np.sum(f(x, targets)))(x), rtol=1e-5, atol=1e-6)


def test_cross_entropy_has_a_gradient_in_soft_labels():
    labels = np.array([[0.0, 1.0, 0.0]])
    logits = np.array([[1.0, 2.0, 3.0]])
    gradient = grad(lambda labels: np.sum(losses.softmax_cross_entropy(logits, labels)))(labels)
    np.testing.assert_allclose(gradient, -jax.nn.log_softmax(logits), rtol=1e-6)


def test_binary_cross_entropy_of_large_logits():
    logits, labels = np.array([1000.0, -1000.0, 1000.0, -1000.0]), np.array([1, 0, 0, 1])
    np.testing.assert_array_equal(losses.sigmoid_binary_cross_entropy(logits, labels), [0, 0, 1000, 1000])
    gradient = grad(lambda x: np.sum(losses.sigmoid_binary_cross_entropy(x, labels)))(logits)
    np.testing.assert_array_equal(gradient, [0, 0, 1, -1])


def test_binary_cross_entropy_keeps_small_losses():
    got = losses.sigmoid_binary_cross_entropy(np.float32([20.0]), np.float32([1.0]))
    np.testing.assert_allclose(got, np.log1p(np.exp(-20.0)), rtol=1e-6)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_hinge_is_flat_at_the_margin(name):
    gradient = grad(lambda x: np.sum(PAIRED_LOSSES[name](x, np.array([1, -1]))))(np.array([1.0, -1.0]))
    np.testing.assert_array_equal(gradient, [0, 0])


def test_mae_is_flat_where_it_is_right():
    np.testing.assert_array_equal(grad(lambda x: np.sum(losses.mae(x, np.ones(2))))(np.ones(2)), [0, 0])


@every_paired_loss
@pytest.mark.parametrize("shape", [(), (3,), (3, 2), (3, 2, 4)], ids=str)
def test_one_value_per_example(name, shape):
    assert PAIRED_LOSSES[name](np.ones(shape), np.ones(shape)).shape == shape[:1]


@every_paired_loss
def test_integer_targets_keep_float32(name):
    predictions = LOGITS.astype(np.float32)
    from_integers = PAIRED_LOSSES[name](predictions, np.ones(predictions.shape, np.int64))
    assert from_integers.dtype == np.float32
    np.testing.assert_array_equal(from_integers, PAIRED_LOSSES[name](predictions, np.ones_like(predictions)))


def test_boolean_labels_are_soft_labels():
    one_hot = LABELS[:, None] == np.arange(CLASSES)
    logits = LOGITS.astype(np.float32)
    for smoothing in (0.0, 0.1):
        got = losses.softmax_cross_entropy(logits, one_hot, label_smoothing=smoothing)
        expected = losses.softmax_cross_entropy(logits, LABELS, label_smoothing=smoothing)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-5)


@every_class_loss
def test_no_examples(name):
    assert CLASS_LOSSES[name](np.zeros((0, 3)), np.zeros(0, int)).shape == (0,)


@every_class_loss
@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (
            np.zeros((8, 1), int),
            r"labels must have shape \(8,\), that of the logits \(8, 10\) without axis 1, got \(8, 1\); "
            r"drop the axis of length 1: np.squeeze\(labels, 1\)",
        ),
        (
            np.zeros((8, 10), int),
            r"got \(8, 10\); one-hot labels must be floating: labels.astype\(logits.dtype\)",
        ),
        (np.zeros(7, int), r"labels must have shape \(8,\), .*, got \(7,\)$"),
        (np.array([0, 3, 10, 0, -1, 0, 0, 0]), r"labels must be in \[0, 9\], got 10 at index \(2,\)"),
        (np.array([0, 3, 9, 0, -1, 0, 0, 0]), r"labels must be in \[0, 9\], got -1 at index \(4,\)"),
    ],
    ids=["column", "one-hot", "short", "too large", "negative"],
)
def test_class_labels_that_do_not_fit(name, labels, text):
    with pytest.raises(ValueError, match=f"losses.{name}: {text}" if text.startswith("l") else text):
        CLASS_LOSSES[name](np.zeros((8, 10)), labels)


def test_the_first_bad_label_of_a_sequence_is_named():
    labels = np.zeros((2, 3), int)
    labels[1, 1] = 7
    with pytest.raises(ValueError, match=r"got 7 at index \(1, 1\)"):
        losses.softmax_cross_entropy(np.zeros((2, 3, 7)), labels)


def test_soft_labels_of_another_shape():
    with pytest.raises(
        ValueError, match=r"labels must have shape \(8, 10\), that of the predictions, got \(8, 1\)"
    ):
        losses.softmax_cross_entropy(np.zeros((8, 10)), np.zeros((8, 1)))


@pytest.mark.parametrize("smoothing", [-0.1, 1.1])
def test_label_smoothing_out_of_range(smoothing):
    with pytest.raises(ValueError, match=rf"label_smoothing must be in \[0, 1\], got {smoothing}"):
        losses.softmax_cross_entropy(LOGITS, LABELS, label_smoothing=smoothing)


def test_multiclass_hinge_refuses_soft_labels():
    with pytest.raises(TypeError, match=r"multiclass_hinge: labels must have an integer dtype, got float64"):
        losses.multiclass_hinge(LOGITS, SOFT_LABELS)


@every_paired_loss
def test_shapes_are_not_broadcast(name):
    text = rf"losses.{name}: (targets|labels) must have shape \(8,\), .*, got \(8, 1\); reshape the one"
    with pytest.raises(ValueError, match=text):
        PAIRED_LOSSES[name](np.zeros(8), np.zeros((8, 1)))


@pytest.mark.parametrize(("bad", "shown"), [(2, "2"), (-0.5, "-0.5"), (np.nan, "nan")])
def test_binary_labels_out_of_range(bad, shown):
    labels = np.array([0, 1, bad])
    text = rf"sigmoid_binary_cross_entropy: labels must be in \[0, 1\], got {shown} at index \(2,\)"
    with pytest.raises(ValueError, match=text):
        losses.sigmoid_binary_cross_entropy(np.zeros(3), labels)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_hinge_targets_must_be_sides(name):
    text = (
        rf"losses.{name}: targets must be -1 or 1, got 0 at index \(1,\); turn 0 and 1 into 2 \* targets - 1"
    )
    with pytest.raises(ValueError, match=text):
        PAIRED_LOSSES[name](np.zeros(3), np.array([1, 0, 0]))


@pytest.mark.parametrize("delta", [0, -1, np.nan])
def test_huber_delta_must_be_positive(delta):
    with pytest.raises(ValueError, match=f"losses.huber: delta must be positive, got {delta}"):
        losses.huber(np.zeros(3), np.zeros(3), delta=delta)


def test_margin_must_be_positive():
    with pytest.raises(ValueError, match=r"losses.multiclass_hinge: margin must be positive, got 0"):
        losses.multiclass_hinge(LOGITS, LABELS, margin=0)


def test_class_indices_that_are_not_integers():
    text = r"labels must have shape \(8, 10\), .*, got \(8,\); class indices must be integers: labels.astype"
    with pytest.raises(ValueError, match="losses.softmax_cross_entropy: " + text):
        losses.softmax_cross_entropy(np.zeros((8, 10)), np.zeros(8))
