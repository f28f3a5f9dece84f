"""Learn to learn sinusoids from ten points: a gradient through a gradient.

A task is a sinusoid of unknown amplitude and phase, of which ten points are shown. A network that starts
from an ordinary initialization, or from the mean of all tasks, cannot fit it in one step of gradient
descent. Model-agnostic meta-learning looks for parameters from which it can: the loss *after* a step is
differentiated with respect to the parameters *before* it, so the program that is optimized contains a
gradient. Here that is `grad` of a function that calls `grad`; `vmap` runs 25 tasks side by side, and `scan`
the steps.

Finn, Abbeel, Levine (2017), "Model-agnostic meta-learning for fast adaptation of deep networks",
arXiv:1703.03400.

Run it with ``python examples/maml.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import losses, nn, optim, random
from transforms import grad, jit, scan, tree, value_and_grad, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "maml.png"

SHOTS = 10
TASKS_PER_STEP = 25
INNER_RATE = 0.01
OUTER_RATE = 5e-3

model = nn.serial(nn.dense(40), nn.relu, nn.dense(40), nn.relu, nn.dense(1))


def sample_task(key):
    """Draw a sinusoid, and two sets of points on it: to adapt to, and to be judged by."""
    amplitude_key, phase_key, x_key = random.split(key, 3)
    amplitude = random.uniform(amplitude_key, minval=0.1, maxval=5.0)
    phase = random.uniform(phase_key, minval=0.0, maxval=np.pi)
    x = random.uniform(x_key, (2, SHOTS, 1), minval=-5.0, maxval=5.0)
    y = amplitude * np.sin(x - phase)
    return (x[0], y[0]), (x[1], y[1])


def loss(params, points):
    """Return the mean squared error of a network on points."""
    x, y = points
    return np.mean(losses.mse(model(params, x), y))


def adapt(params, points, steps=1):
    """Return the parameters after some steps of gradient descent on the points."""
    for _ in range(steps):
        params = tree.map(lambda p, g: p - INNER_RATE * g, params, grad(loss)(params, points))
    return params


def loss_after_adapting(params, task):
    """Return the loss on one set of points, after a step on the other: what MAML minimises."""
    shown, judged = task
    return loss(adapt(params, shown), judged)


def loss_without_adapting(params, task):
    """Return the loss on the points, as they are: what ordinary training on all tasks minimises."""
    return loss(params, task[1])


def train(objective, params, key, steps):
    """Minimise the mean of an objective over tasks; return parameters and the loss of each step."""
    optimizer = optim.adam(optim.schedules.cosine_decay(OUTER_RATE, steps))

    def step(carry, key):
        params, opt_state = carry
        tasks = vmap(sample_task)(random.split(key, TASKS_PER_STEP))
        mean_loss, grads = value_and_grad(
            lambda params: np.mean(vmap(objective, in_axes=(None, 0))(params, tasks))
        )(params)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), mean_loss

    run = jit(lambda carry, keys: scan(step, carry, keys))
    (params, _), history = run((params, optimizer.init(params)), random.split(key, steps))
    return params, history


def losses_while_adapting(params, key, tasks=500, steps=10):
    """Return the mean loss on new tasks after 0, 1, ... steps of adapting."""

    def follow(task):
        shown, judged = task

        def step(params, _):
            return adapt(params, shown), loss(params, judged)

        _, measured = scan(step, params, length=steps + 1)
        return measured

    return np.mean(jit(vmap(follow))(vmap(sample_task)(random.split(key, tasks))), axis=0)


def draw(meta_learned, pretrained, key, path):
    """Draw one new task, and what each start makes of its ten points in one step."""
    from matplotlib import pyplot

    # The same amplitude and phase whatever the seed, so that the picture is not of a flat task.
    x = random.uniform(key, (SHOTS, 1), minval=-5.0, maxval=5.0)
    shown = x, 3.5 * np.sin(x - 1.0)
    grid = np.linspace(-5, 5, 200, dtype=np.float32)[:, None]
    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    ax.plot(grid, 3.5 * np.sin(grid - 1.0), color="#b0b0b0", linewidth=4, label="the task")
    ax.plot(grid, model(pretrained, grid), color="#e69f00", linestyle=":")
    ax.plot(grid, model(adapt(pretrained, shown), grid), color="#e69f00", label="pre-trained, 1 step")
    ax.plot(grid, model(meta_learned, grid), color="#0072b2", linestyle=":")
    ax.plot(grid, model(adapt(meta_learned, shown), grid), color="#0072b2", label="MAML, 1 step")
    ax.plot(*shown, "o", color="#202020", markersize=5)
    ax.set(ylim=(-4.5, 7.5), yticks=(-3, 0, 3))
    ax.set_title("ten points, one gradient step (dotted: before)", fontsize=10)
    ax.legend(frameon=False, loc="upper left", ncols=2, fontsize=9)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Train both ways, and adapt both to new tasks."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=8000, help="steps of training (default: 8000)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    init_key, train_key, test_key, draw_key = random.split(random.key(options.seed), 4)

    params, _ = model.init(init_key, np.zeros((SHOTS, 1), np.float32))
    meta_learned, _ = train(loss_after_adapting, params, train_key, options.steps)
    pretrained, _ = train(loss_without_adapting, params, train_key, options.steps)
    for name, start in (("MAML", meta_learned), ("pre-trained", pretrained), ("untrained", params)):
        measured = losses_while_adapting(start, test_key)
        print(
            f"{name}: squared error on new tasks {measured[0]:.3f} before, "
            f"{measured[1]:.3f} after 1 step, {measured[-1]:.3f} after {len(measured) - 1} steps"
        )
    if options.plot:
        draw(meta_learned, pretrained, draw_key, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
