"""Twenty networks trained at once, to know what is not known: `vmap` over seeds.

Each network predicts a mean and a variance of y from x. Its variance says how much the data scatters; where
there is no data it says nothing reliable. But there networks from different seeds disagree, and the spread
of their means shows it. Training is a function of a seed; `vmap` of it trains them all, in one compiled
program.

Lakshminarayanan, Pritzel, Blundell (2017), "Simple and scalable predictive uncertainty estimation using
deep ensembles", arXiv:1612.01474.

Run it with ``python examples/ensembles.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import losses, nn, optim, random
from transforms import jit, scan, tree, value_and_grad, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "ensembles.png"

MEMBERS = 20
POINTS = 200
LEARNING_RATE = 1e-2

model = nn.serial(nn.dense(50), nn.tanh, nn.dense(50), nn.tanh, nn.dense(2))


def curve(x):
    """The mean of the data."""
    return np.sin(1.5 * x) + 0.3 * x


def scatter(x):
    """The standard deviation of the data: it grows to the right."""
    return 0.05 + 0.25 / (1 + np.exp(-2 * x))


def sample(key, x):
    """Return one y for each x."""
    return (curve(x) + scatter(x) * random.normal(key, x.shape)).astype(np.float32)


def sample_with_gap(key):
    """Return points with x in [-4, -1] and [1, 4], and nothing between."""
    x_key, y_key = random.split(key)
    place = random.uniform(x_key, (POINTS, 1), minval=-3.0, maxval=3.0)
    x = place + np.sign(place)
    return x, sample(y_key, x)


def predict(params, x):
    """Return mean and logarithm of the variance, both [points, 1]."""
    mean, log_variance = np.split(model(params, x), 2, axis=-1)
    return mean, log_variance


def train_member(key, x, y, steps):
    """Train one network from the initialization that its key gives."""
    params, _ = model.init(key, x)
    optimizer = optim.adam(optim.schedules.cosine_decay(LEARNING_RATE, steps))

    def step(carry, _):
        params, opt_state = carry
        loss, grads = value_and_grad(lambda params: np.mean(losses.gaussian(predict(params, x), y)))(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), loss

    (params, _), history = scan(step, (params, optimizer.init(params)), length=steps)
    return params, history


def train_ensemble(key, x, y, steps):
    """Train all networks; each leaf of their parameters has a leading axis of members."""
    run = jit(lambda keys, x, y: vmap(lambda key: train_member(key, x, y, steps))(keys))
    return run(random.split(key, MEMBERS), x, y)


def mixture(params, x):
    """Return the mean and the deviation of the ensemble, and the part of it on which members disagree."""
    means, log_variances = vmap(predict, in_axes=(0, None))(params, x)
    disagreement = np.std(means, axis=0)
    deviation = np.sqrt(np.mean(np.exp(log_variances), axis=0) + disagreement**2)
    return np.mean(means, axis=0), deviation, disagreement


def density_loss(mean, deviation, y):
    """Return the negative logarithm of the normal density, the mean over points, in nats."""
    return np.mean(0.5 * ((y - mean) / deviation) ** 2 + np.log(deviation) + 0.5 * np.log(2 * np.pi))


def draw(params, x, y, path):
    """Draw data, members, and the band of two deviations."""
    from matplotlib import pyplot

    grid = np.linspace(-5.5, 5.5, 300, dtype=np.float32)[:, None]
    mean, deviation, _ = mixture(params, grid)
    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    low, high = (mean - 2 * deviation)[:, 0], (mean + 2 * deviation)[:, 0]
    ax.fill_between(grid[:, 0], low, high, color="#0072b2", alpha=0.2, linewidth=0)
    for member in range(0, MEMBERS, 3):
        one = tree.map(lambda leaf, member=member: leaf[member], params)
        ax.plot(grid, predict(one, grid)[0], color="#0072b2", linewidth=0.5, alpha=0.6)
    ax.plot(grid, curve(grid), color="#d55e00", linewidth=1.5, linestyle="--", label="truth")
    ax.plot(x, y, ".", color="#202020", markersize=3, label="data")
    ax.plot(grid, mean, color="#0072b2", linewidth=2, label="mean, ±2σ")
    ax.set(xlim=(-5.5, 5.5), ylim=(-4, 4), xticks=(-4, 0, 4), yticks=(-3, 0, 3))
    ax.legend(frameon=False, loc="upper left", fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Train the ensemble, and see what it knows where there is data and where there is none."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=1000, help="steps of training (default: 1000)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    data_key, train_key, near_key, gap_key = random.split(random.key(options.seed), 4)

    x, y = sample_with_gap(data_key)
    params, history = train_ensemble(train_key, x, y, options.steps)
    print(f"{MEMBERS} members, losses from {np.min(history[:, -1]):.3f} to {np.max(history[:, -1]):.3f}")

    near, near_y = sample_with_gap(near_key)
    gap = np.linspace(-0.8, 0.8, 100, dtype=np.float32)[:, None]
    gap_y = sample(gap_key, gap)
    for place, x_new, y_new in (("where there was data", near, near_y), ("in the gap", gap, gap_y)):
        mean, deviation, disagreement = mixture(params, x_new)
        means, log_variances = vmap(predict, in_axes=(0, None))(params, x_new)
        alone = np.mean(vmap(density_loss, in_axes=(0, 0, None))(means, np.exp(log_variances / 2), y_new))
        covered = np.mean(np.abs(y_new - mean) < 2 * deviation)
        print(
            f"{place}: disagreement {np.mean(disagreement):.3f}, {covered:.0%} within two deviations, "
            f"{density_loss(mean, deviation, y_new):.2f} nats; {alone:.2f} for one member"
        )
    if options.plot:
        draw(params, x, y, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
