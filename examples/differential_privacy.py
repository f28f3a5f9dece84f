"""Learn digits without telling on anyone: gradients of single examples, clipped, and noise.

Whoever sees a trained model may learn whether a certain image was among its data. DP-SGD bounds that: the
gradient of each example, `vmap(grad(loss))`, is cut to a norm, so that no example matters more than
another, and normal noise that is large against it is added to their sum. The accountant below says what
that is worth: (epsilon, delta), the less the better.

What it computes: each example enters a batch with probability q, on its own. For integer orders a, the
Renyi divergence of a step with noise s is

    R(a) = log(sum_k C(a, k) (1 - q)^(a - k) q^k exp(k (k - 1) / (2 s^2))) / (a - 1),

that of T steps is T R(a), and for every a > 1, with A = (a - 1) / a,

    epsilon = T R(a) + log(A) - (log(delta) + log(a)) / (a - 1).

Abadi et al. (2016), "Deep learning with differential privacy", arXiv:1607.00133; Mironov, Talwar, Zhang
(2019), "Renyi differential privacy of the sampled Gaussian mechanism", arXiv:1908.10530, for R; Canonne,
Kamath, Steinke (2020), "The discrete Gaussian for differential privacy", arXiv:2004.00010, for epsilon.

Run it with ``python examples/differential_privacy.py``; ``--help`` shows the options.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from scipy.special import gammaln, logsumexp

from funcdl import data, datasets, losses, metrics, nn, optim, random
from transforms import grad, jit, scan, tree, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "differential_privacy.png"

DELTA = 1e-4
SAMPLING = 0.1
CAPACITY = 256  # of a batch: 144 examples are expected, and more than this are never seen
MAX_NORM = 1.0
LEARNING_RATE = 0.7
NOISES = (8.0, 4.0, 2.0, 1.0)

model = nn.serial(nn.dense(32), nn.tanh, nn.dense(10))


def load(key):
    """Return images, float32 [n, 64] in [0, 1], and labels, to train with and to test with."""
    images, labels = datasets.digits()
    return data.train_test_split((np.reshape(images, (-1, 64)), labels), 0.2, key=key)


def example_loss(params, image, label, present):
    """Return the loss of one example, or 0 for an empty place in a batch."""
    return present * losses.softmax_cross_entropy(model(params, image), label)


def sample(key, examples):
    """Return the rows of the examples that enter a batch, padded to its capacity, and which are real."""
    enters = random.uniform(key, (examples,)) < SAMPLING
    rows = np.argsort(~enters, kind="stable")[:CAPACITY]
    return rows, enters[rows]


def train(key, images, labels, *, steps, noise):
    """Return parameters trained with DP-SGD."""
    init_key, noise_key, batch_key = random.split(key, 3)
    params, _ = model.init(init_key, images)
    # The mean is over the capacity; so that it is over what is expected, the rate makes up for the rest.
    expected = SAMPLING * len(images)
    optimizer = optim.chain(
        optim.private_aggregate(MAX_NORM, noise, noise_key), optim.sgd(LEARNING_RATE * CAPACITY / expected)
    )

    @jit
    def run(carry, images, labels, keys):
        def step(carry, key):
            params, opt_state = carry
            rows, present = sample(key, len(images))
            gradients = vmap(grad(example_loss), in_axes=(None, 0, 0, 0))(
                params, images[rows], labels[rows], present.astype(np.float32)
            )
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), None

        return scan(step, carry, keys)[0]

    params, _ = run((params, optimizer.init(params)), images, labels, random.split(batch_key, steps))
    return params


def renyi_divergence(order, sampling, noise):
    """Return R(order) of one step, for an integer order above 1."""
    k = np.arange(order + 1)
    log_choices = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
    log_terms = (
        log_choices
        + (order - k) * math.log1p(-sampling)
        + k * math.log(sampling)
        + k * (k - 1) / (2 * noise**2)
    )
    return float(logsumexp(log_terms)) / (order - 1)


def epsilon(sampling, noise, steps, delta):
    """Return epsilon for a delta: the least over the orders."""
    bounds = [
        steps * renyi_divergence(a, sampling, noise)
        + math.log((a - 1) / a)
        - (math.log(delta) + math.log(a)) / (a - 1)
        for a in range(2, 257)
    ]
    return max(0.0, min(bounds))


def draw(results, without, path):
    """Draw the accuracy on new images against epsilon."""
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    ax.axhline(without, color="#808080", linestyle="--", linewidth=1.5)
    ax.text(results[0][1], without + 0.004, "clipped, no noise", color="#606060")
    ax.semilogx([e for _, e, _ in results], [a for _, _, a in results], "o-", color="#0072b2", linewidth=2)
    for noise, e, accuracy in results:
        ax.annotate(f"noise {noise:g}", (e, accuracy), (8, -12), textcoords="offset points", fontsize=9)
    ax.set(xlabel="epsilon (the less, the more private)", title="accuracy on new digits", xlim=(0.5, 40))
    ax.set(xticks=(1, 3, 10, 30), xticklabels=("1", "3", "10", "30"))
    ax.margins(y=0.15)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Look at gradients of single examples; train with less and less noise."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=300, help="steps of training (default: 300)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    split_key, train_key = random.split(random.key(options.seed))
    (images, labels), (test_images, test_labels) = load(split_key)

    params, _ = model.init(train_key, images)
    gradients = vmap(grad(example_loss), in_axes=(None, 0, 0, None))(params, images, labels, 1.0)
    norms = np.sqrt(sum(np.sum(leaf**2, axis=tuple(range(1, leaf.ndim))) for leaf in tree.leaves(gradients)))
    print(f"norms of {len(norms)} gradients at the start: {norms.min():.2f} to {norms.max():.2f}")

    results = []
    for noise in NOISES:
        params = train(train_key, images, labels, steps=options.steps, noise=noise)
        accuracy = np.mean(metrics.accuracy(model(params, test_images), test_labels))
        spent = epsilon(SAMPLING, noise, options.steps, DELTA)
        results.append((noise, spent, accuracy))
        print(f"noise {noise:g}: epsilon {spent:.2f} at delta {DELTA:g}, ", end="")
        print(f"accuracy on new images {accuracy:.3f}")
    params = train(train_key, images, labels, steps=options.steps, noise=0.0)
    without = np.mean(metrics.accuracy(model(params, test_images), test_labels))
    print(f"clipped, without noise: accuracy on new images {without:.3f}")
    if options.plot:
        draw(results, without, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
