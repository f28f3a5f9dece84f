"""Tell malignant from benign, and be right about how sure to be: a calibrated network.

A network that is trained until it makes no mistakes on its data is far too sure of itself on new data. One
number mends it: its logits are divided by a temperature, chosen on data that it was not trained with. The
order of the patients, and with it the area under the ROC curve, stays as it is; what changes is that among
those who are given a probability of 80 per cent, 80 per cent are ill.

There are only 569 patients. So five networks are trained, each without a fifth of them to choose the
temperature with and another fifth to be judged by; `vmap` over the folds trains them all at once.

Data: Street, Wolberg, Mangasarian (1993), "Nuclear feature extraction for breast tumor diagnosis", from
scikit-learn. Guo, Pleiss, Sun, Weinberger (2017), "On calibration of modern neural networks",
arXiv:1706.04599.

Run it with ``python examples/breast_cancer.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import datasets, functional, losses, metrics, nn, optim, random
from transforms import grad, jit, scan, value_and_grad, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "breast_cancer.png"

FOLDS = 5
LEARNING_RATE = 1e-2

model = nn.serial(nn.dense(32), nn.relu, nn.dense(32), nn.relu, nn.dense(1))


def load():
    """Return features, float32 [569, 30], and labels: 1 for malignant."""
    x, benign = datasets.breast_cancer()
    return x, (1 - benign).astype(np.float32)


def folds(key, examples):
    """Return rows to train, to calibrate and to judge with, [folds, ...] each.

    What does not divide by the number of folds is always trained with.
    """
    size = examples // FOLDS
    order = random.permutation(key, examples)
    parts, rest = np.reshape(order[: FOLDS * size], (FOLDS, size)), order[FOLDS * size :]
    train = [
        np.concatenate([*(parts[(fold + i) % FOLDS] for i in range(2, FOLDS)), rest]) for fold in range(FOLDS)
    ]
    return np.stack(train), np.roll(parts, -1, axis=0), parts


def logits_of(params, x):
    """Return one logit for each patient."""
    return model(params, x)[:, 0]


def mean_loss(logits, y):
    """Return the mean cross entropy, in nats."""
    return np.mean(losses.sigmoid_binary_cross_entropy(logits, y))


def train(key, x, y, steps):
    """Return the parameters that fit the patients, with no regard to others."""
    params, _ = model.init(key, x)
    optimizer = optim.adam(LEARNING_RATE)

    def step(carry, _):
        params, opt_state = carry
        loss, grads = value_and_grad(lambda params: mean_loss(logits_of(params, x), y))(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), loss

    return scan(step, (params, optimizer.init(params)), length=steps)[0][0]


def temperature(logits, y, steps=30):
    """Return the temperature that minimises the loss, by Newton's method."""

    # For the logarithm of the inverse: the temperature stays positive, and steps are the same at any scale.
    def loss(log_inverse):
        return mean_loss(np.exp(log_inverse) * logits, y)

    def step(log_inverse, _):
        slope, curvature = grad(loss)(log_inverse), grad(grad(loss))(log_inverse)
        # Far away the loss is not convex in the logarithm; there a bounded step down the slope will do.
        change = np.where(curvature > 1e-3, slope / np.maximum(curvature, 1e-3), np.sign(slope))
        return log_inverse - np.clip(change, -0.5, 0.5), None

    log_inverse, _ = scan(step, np.float32(0.0), length=steps)
    return np.exp(-log_inverse)


def fold_logits(key, x, y, rows, steps):
    """Train without two fifths; return logits of the last fifth, and the temperature from the other."""
    train_rows, calibration_rows, test_rows = rows
    center, scale = np.mean(x[train_rows], axis=0), np.std(x[train_rows], axis=0)
    params = train(key, (x[train_rows] - center) / scale, y[train_rows], steps)
    calibration = logits_of(params, (x[calibration_rows] - center) / scale)
    return (
        logits_of(params, (x[test_rows] - center) / scale),
        temperature(calibration, y[calibration_rows]),
        mean_loss(logits_of(params, (x[train_rows] - center) / scale), y[train_rows]),
    )


def bin_of(values, bins):
    """Return which of some bins of equal width in [0, 1] each value falls into."""
    return np.minimum((values * bins).astype(int), bins - 1)


def reliability(probabilities, y, bins=5):
    """Return, for each bin that is not empty, the mean probability, the share that is ill, and how many."""
    place = bin_of(probabilities, bins)
    chosen = [place == bin for bin in np.unique(place)]
    return np.array([[np.mean(probabilities[rows]), np.mean(y[rows]), np.sum(rows)] for rows in chosen])


def calibration_error(probabilities, y, bins=15):
    """Return how far the confidence in the predicted class is from the share that is right, on average."""
    confidence = np.maximum(probabilities, 1 - probabilities)
    surplus = confidence - ((probabilities > 0.5) == (y > 0.5))
    place = bin_of(confidence, bins)
    return sum(np.abs(np.sum(surplus[place == bin])) for bin in range(bins)) / len(y)


def gather(metric, predictions, targets):
    """Return a metric over all folds, one after the other."""
    state = metric.init()
    for of_fold in zip(predictions, targets, strict=True):
        state = metric.update(state, *of_fold)
    return metric.result(state)


def draw(curves, path):
    """Draw the share that is ill against the predicted probability, before and after."""
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(4, 3), layout="constrained")
    ax.plot([0, 1], [0, 1], color="#b0b0b0", linestyle="--")
    for (name, curve), color in zip(curves.items(), ("#e69f00", "#0072b2"), strict=True):
        ax.plot(curve[:, 0], curve[:, 1], "-", color=color, linewidth=1.5)
        ax.scatter(curve[:, 0], curve[:, 1], s=8 * np.sqrt(curve[:, 2]), color=color, label=name)
    ax.set(xlabel="predicted probability", title="share of malignant")
    ax.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    ax.legend(frameon=False, loc="upper left", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Train and calibrate all folds, and judge the probabilities before and after."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=300, help="steps of training (default: 300)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    fold_key, train_key = random.split(random.key(options.seed))

    x, y = load()
    rows = folds(fold_key, len(x))

    @jit
    def run(keys, rows, x, y):
        return vmap(lambda key, rows: fold_logits(key, x, y, rows, options.steps))(keys, rows)

    logits, temperatures, training_losses = run(random.split(train_key, FOLDS), rows, x, y)
    print(f"training loss {np.mean(training_losses):.5f}; temperatures", *np.round(temperatures, 1))
    labels = y[rows[2]]
    curves = {}
    for name, scaled in (("trained", logits), ("calibrated", logits / temperatures[:, None])):
        probabilities = functional.sigmoid(scaled)
        curves[name] = reliability(np.ravel(probabilities), np.ravel(labels))
        loss = mean_loss(np.ravel(scaled), np.ravel(labels))
        error = calibration_error(np.ravel(probabilities), np.ravel(labels))
        print(f"{name}: loss on new patients {loss:.3f}, calibration error {error:.4f}")

    classes, truth = (probabilities > 0.5).astype(int), labels.astype(int)
    auc = gather(metrics.auc(bins=2000), probabilities, truth)
    precision, recall = (gather(make(2), classes, truth)[1] for make in (metrics.precision, metrics.recall))
    print(f"accuracy {np.mean(classes == truth):.3f}, area under the curve {auc:.4f}, ", end="")
    print(f"precision {precision:.3f} and recall {recall:.3f} of malignant")
    if options.plot:
        draw(curves, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
