"""Focal losses, likelihoods, overlaps, embeddings and sequences against PyTorch, optax and scikit-learn."""

import functools

import jax
import numpy as np
import optax
import pytest
from sklearn import metrics as sklearn_metrics

from funcdl import losses
from tests.funcdl.functional.oracles import NO_TORCH, assert_same, by_torch, ours, table_by_jax
from transforms import eval_shape, grad, type_of

rng = np.random.default_rng(0)
X = rng.normal(size=(6, 5)) * 2
Y = rng.normal(size=(6, 5)) * 2
POSITIVE = np.abs(Y) + 0.1
LABELS = rng.integers(0, 5, 6)
BITS = rng.integers(0, 2, (6, 5)).astype(float)
SIDES = 2 * BITS - 1
TARGETS = rng.dirichlet(np.ones(5), 6)
TARGETS[0] = [0, 0, 1, 0, 0]

# name: (ours, PyTorch's, both of the first argument alone)
AGAINST_TORCH = {
    "kl": (
        lambda x: losses.kl_divergence(x, TARGETS.astype(x.dtype)),
        lambda torch, x: torch.nn.functional.kl_div(x, torch.tensor(TARGETS), reduction="none").sum(-1),
    ),
    "kl, log targets": (
        lambda x: losses.kl_divergence(x, -POSITIVE.astype(x.dtype), log_targets=True),
        lambda torch, x: torch.nn.functional.kl_div(
            x, torch.tensor(-POSITIVE), reduction="none", log_target=True
        ).sum(-1),
    ),
    "poisson": (
        lambda x: losses.poisson(x, POSITIVE.astype(x.dtype)),
        lambda torch, x: torch.nn.functional.poisson_nll_loss(
            x, torch.tensor(POSITIVE), reduction="none"
        ).mean(-1),
    ),
    "gaussian, mean": (
        lambda x: losses.gaussian((x, X.astype(x.dtype)), Y.astype(x.dtype)),
        lambda torch, x: torch.nn.functional.gaussian_nll_loss(
            x, torch.tensor(Y), torch.tensor(X).exp(), reduction="none"
        ).mean(-1),
    ),
    "gaussian, variance": (
        lambda x: losses.gaussian((Y.astype(x.dtype), x), np.zeros_like(x)),
        lambda torch, x: torch.nn.functional.gaussian_nll_loss(
            torch.tensor(Y), torch.zeros_like(x), x.exp(), reduction="none"
        ).mean(-1),
    ),
    "cosine": (
        lambda x: losses.cosine(x, Y.astype(x.dtype)),
        lambda torch, x: 1 - torch.nn.functional.cosine_similarity(x, torch.tensor(Y)),
    ),
    "triplet": (
        lambda x: losses.triplet(x, Y.astype(x.dtype), -Y.astype(x.dtype), margin=2.0),
        lambda torch, x: torch.nn.functional.triplet_margin_loss(
            x, torch.tensor(Y), -torch.tensor(Y), margin=2.0, eps=0.0, reduction="none"
        ),
    ),
    "margin ranking": (
        lambda x: losses.margin_ranking((x, Y.astype(x.dtype)), SIDES.astype(x.dtype), margin=0.5),
        lambda torch, x: torch.nn.functional.margin_ranking_loss(
            x, torch.tensor(Y), torch.tensor(SIDES), margin=0.5, reduction="none"
        ).mean(-1),
    ),
    "softmax focal": (
        lambda x: losses.softmax_focal(x, LABELS, gamma=1.5),
        lambda torch, x: focal(torch, x),
    ),
    "nt_xent": (
        lambda x: losses.nt_xent(x, Y.astype(x.dtype), temperature=0.3),
        lambda torch, x: contrastive(torch, x),
    ),
    "circle": (
        lambda x: losses.circle(x, np.array([0, 0, 1, 1, 2, 1]), margin=0.3, scale=4.0),
        lambda torch, x: by_pairs(torch, x),
    ),
}
AGAINST_OPTAX = {
    "sigmoid focal": (
        functools.partial(losses.sigmoid_focal, labels=BITS, gamma=1.5, alpha=0.3),
        lambda x: optax.sigmoid_focal_loss(x, BITS, alpha=0.3, gamma=1.5).mean(-1),
    ),
    "log_cosh": (lambda x: losses.log_cosh(x, Y), lambda x: optax.log_cosh(x, Y).mean(-1)),
    "mape": (
        lambda x: losses.mape(x, Y),
        lambda x: 100 * jax.numpy.abs((x - Y) / Y).mean(-1),
    ),
    "msle": (
        lambda x: losses.msle(np.exp(x), POSITIVE),
        lambda x: jax.numpy.square(jax.numpy.log1p(jax.numpy.exp(x)) - np.log1p(POSITIVE)).mean(-1),
    ),
    "dice": (
        lambda x: losses.dice(1 / (1 + np.exp(-x)), BITS),
        lambda x: overlap(jax.nn.sigmoid(x), 0.5, 0.5, 0.5),
    ),
    "tversky": (
        lambda x: losses.tversky(1 / (1 + np.exp(-x)), BITS, alpha=0.2, beta=0.9, smooth=0.3),
        lambda x: overlap(jax.nn.sigmoid(x), 0.2, 0.9, 0.3),
    ),
}


def focal(torch, x):
    entropy = torch.nn.functional.cross_entropy(x, torch.tensor(LABELS), reduction="none")
    return (1 - torch.exp(-entropy)) ** 1.5 * entropy


def contrastive(torch, x):
    views = torch.nn.functional.normalize(torch.cat([x, torch.tensor(Y)]))
    total = 0
    for offset in (0, 6):
        for i in range(6):
            cosines = torch.stack([views[i + offset] @ other for other in views]) / 0.3
            kept = torch.tensor([k for k in range(12) if k != i + offset])
            value = torch.logsumexp(cosines[kept], 0) - cosines[(i + offset + 6) % 12]
            total = total + value * torch.eye(6, dtype=x.dtype)[i]
    return total / 2


def by_pairs(torch, x):
    labels, unit = [0, 0, 1, 1, 2, 1], torch.nn.functional.normalize(x)
    values = []
    for i in range(6):
        near = far = torch.zeros((), dtype=x.dtype)
        for j in range(6):
            s = unit[i] @ unit[j]
            if i != j and labels[i] == labels[j]:
                near = near + torch.exp(-4 * torch.relu(1.3 - s.detach()) * (s - 0.7))
            elif labels[i] != labels[j]:
                far = far + torch.exp(4 * torch.relu(s.detach() + 0.3) * (s - 0.3))
        values.append(torch.log1p(near * far))
    return torch.stack(values)


def overlap(p, alpha, beta, smooth):
    shared = (p * BITS).sum(-1)
    lack = alpha * (p * (1 - BITS)).sum(-1) + beta * ((1 - p) * BITS).sum(-1)
    return 1 - (shared + smooth) / (shared + lack + smooth)


@pytest.mark.parametrize("name", AGAINST_TORCH)
def test_equals_torch(name):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    f, theirs = AGAINST_TORCH[name]
    assert_same(ours(f, X), by_torch(functools.partial(theirs, torch), X), "float64")


@functools.cache
def optax_results():
    return table_by_jax({name: theirs for name, (_, theirs) in AGAINST_OPTAX.items()}, X)


@pytest.mark.parametrize("name", AGAINST_OPTAX)
def test_equals_optax(name):
    assert_same(ours(AGAINST_OPTAX[name][0], X), optax_results()[name], "float64")


def test_relative_errors_equal_scikit_learn():
    predictions, targets = np.abs(X), POSITIVE
    expected = sklearn_metrics.mean_absolute_percentage_error(targets, predictions)
    np.testing.assert_allclose(np.mean(losses.mape(predictions, targets)), 100 * expected)
    expected = sklearn_metrics.mean_squared_log_error(targets, predictions)
    np.testing.assert_allclose(np.mean(losses.msle(predictions, targets)), expected)


@pytest.mark.parametrize("name", AGAINST_TORCH)
def test_float32_stays(name):
    f, x = AGAINST_TORCH[name][0], X.astype(np.float32)
    values = f(x)
    assert values.dtype == np.float32
    assert values.shape == (6,)
    assert eval_shape(f, x) == type_of(values)


def test_focal_losses_of_certain_predictions_have_gradients():
    logits = np.array([[1000.0, 0.0]])
    for f in (
        lambda x: losses.softmax_focal(x, np.array([0]), gamma=0.5),
        lambda x: losses.sigmoid_focal(x, np.array([[1, 0]]), gamma=0.5),
    ):
        assert np.all(np.isfinite(grad(lambda x, f=f: np.sum(f(x)))(logits)))


def ctc_case():
    logits = rng.normal(size=(4, 7, 5))
    labels = np.array([[1, 2, 2], [3, 3, 3], [4, 1, 0], [2, 0, 0]])
    return logits, labels, np.array([7, 6, 4, 5]), np.array([3, 3, 2, 0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ctc_equals_torch(dtype):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    logits, labels, steps, lengths = ctc_case()
    x = logits.astype(dtype)

    def theirs(x):
        log_probabilities = torch.log_softmax(x.transpose(0, 1), -1)
        tensors = (torch.tensor(a) for a in (labels, steps, lengths))
        return torch.nn.functional.ctc_loss(log_probabilities, *tensors, reduction="none")

    def mine(x):
        return losses.ctc(x, labels, logit_lengths=steps, label_lengths=lengths)

    assert_same(ours(mine, x), by_torch(theirs, x), dtype)
    assert eval_shape(mine, x) == type_of(mine(x))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: losses.softmax_focal(X, LABELS, gamma=-1),
            "softmax_focal: gamma must be at least 0, got -1",
        ),
        (lambda: losses.sigmoid_focal(X, BITS, alpha=2), r"sigmoid_focal: alpha must be in \[0, 1\], got 2"),
        (lambda: losses.mape(X, Y, epsilon=0), "mape: epsilon must be positive, got 0"),
        (lambda: losses.cosine(X, Y[:, :1]), r"cosine: targets must have shape \(6, 5\)"),
        (lambda: losses.dice(BITS, 2 * BITS), r"dice: labels must be in \[0, 1\], got 2.0 at index"),
        (lambda: losses.tversky(BITS, BITS, alpha=-1), "tversky: alpha must be at least 0, got -1"),
        (lambda: losses.nt_xent(X, Y, temperature=0), "nt_xent: temperature must be positive, got 0"),
        (lambda: losses.circle(X, LABELS[:2]), r"circle: labels must have shape \(6,\), got \(2,\)"),
        (lambda: losses.margin_ranking((X, Y), BITS), "margin_ranking: targets must be -1 or 1, got 0.0"),
        (
            lambda: losses.ctc(
                X[None], LABELS[None], logit_lengths=np.array([9]), label_lengths=np.array([2])
            ),
            r"ctc: logit_lengths must be in \[1, 6\], got 9",
        ),
    ],
)
def test_misuse(call, text):
    with pytest.raises(ValueError, match=text):
        call()
