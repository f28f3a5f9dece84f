"""Solve an equation of waves by training a network to obey it: third derivatives inside the loss.

The Korteweg-de Vries equation u_t + 6 u u_x + u_xxx = 0 describes waves in shallow water. A hump of the
right shape, a soliton, runs without changing. The network u(x, t) is given the hump at t = 0 and the
equation, at random points; no value at any later time. Its derivatives are those of the network: `grad` of
`grad` of `grad` with respect to x, batched by `vmap`, and all of it differentiated once more with respect
to the parameters.

Raissi, Perdikaris, Karniadakis (2019), "Physics-informed neural networks", doi:10.1016/j.jcp.2018.10.045;
Korteweg, de Vries (1895), doi:10.1080/14786449508620739.

Run it with ``python examples/physics_informed.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import nn, optim, random
from transforms import grad, jit, scan, value_and_grad, vmap

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "physics_informed.png"

SPEED = 2.0
LEFT, RIGHT, END = -4.0, 6.0, 1.0
INSIDE, EDGE = 256, 64
LEARNING_RATE = 5e-3

model = nn.serial(nn.dense(24), nn.tanh, nn.dense(24), nn.tanh, nn.dense(24), nn.tanh, nn.dense(1))


def soliton(x, t):
    """The exact solution: a hump of height SPEED / 2 that runs to the right."""
    return 0.5 * SPEED / np.cosh(0.5 * SPEED**0.5 * (x - SPEED * t)) ** 2


def u(params, x, t):
    """Return the network's height of the wave at one place and time."""
    scaled = np.stack([(x - LEFT) / (RIGHT - LEFT) * 2 - 1, t / END * 2 - 1])
    return model(params, scaled)[0]


def residual(params, x, t):
    """Return what is left over of the equation at one place and time."""
    u_x = grad(u, argnums=1)
    u_xxx = grad(grad(u_x, argnums=1), argnums=1)
    u_t = grad(u, argnums=2)
    return u_t(params, x, t) + 6 * u(params, x, t) * u_x(params, x, t) + u_xxx(params, x, t)


def loss(params, key):
    """Return how much the network violates the equation, the start and the edges, at random points."""
    x_key, t_key, start_key, edge_key = random.split(key, 4)
    x = random.uniform(x_key, (INSIDE,), minval=LEFT, maxval=RIGHT)
    t = random.uniform(t_key, (INSIDE,), minval=0.0, maxval=END)
    inside = np.mean(vmap(residual, in_axes=(None, 0, 0))(params, x, t) ** 2)

    wave = vmap(u, in_axes=(None, 0, 0))
    x = random.uniform(start_key, (EDGE,), minval=LEFT, maxval=RIGHT)
    start = np.mean((wave(params, x, np.zeros_like(x)) - soliton(x, 0.0)) ** 2)
    t = random.uniform(edge_key, (EDGE,), minval=0.0, maxval=END)
    edges = [np.mean((wave(params, np.full_like(t, x), t) - soliton(x, t)) ** 2) for x in (LEFT, RIGHT)]
    return inside + 10 * start + 10 * sum(edges)


def train(key, steps):
    """Minimise the loss on new points at each step; return parameters and the loss of each step."""
    init_key, points_key = random.split(key)
    params, _ = model.init(init_key, np.zeros((1, 2), np.float32))
    optimizer = optim.adam(optim.schedules.warmup_cosine_decay(0.0, LEARNING_RATE, steps // 20, steps))

    def step(carry, key):
        params, opt_state = carry
        now, grads = value_and_grad(loss)(params, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), now

    run = jit(lambda carry, keys: scan(step, carry, keys))
    (params, _), history = run((params, optimizer.init(params)), random.split(points_key, steps))
    return params, history


def draw(params, path):
    """Draw the wave at the start, in the middle and at the end."""
    from matplotlib import pyplot

    x = np.linspace(LEFT, RIGHT, 200, dtype=np.float32)
    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    for t, color in ((0.0, "#56b4e9"), (0.5 * END, "#0072b2"), (END, "#d55e00")):
        ax.plot(x, soliton(x, t), color="#c8c8c8", linewidth=5)
        wave = vmap(u, in_axes=(None, 0, None))(params, x, np.float32(t))
        ax.plot(x, wave, color=color, linewidth=1.8, label=f"t = {t:g}")
    ax.set(xlabel="x", title="a soliton, from its equation (grey: exact)")
    ax.title.set_fontsize(10)
    ax.legend(frameon=False, loc="upper left", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Train, and compare with the exact solution on a grid."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=4000, help="steps of training (default: 4000)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)

    params, history = train(random.key(options.seed), options.steps)
    print(f"loss: {history[0]:.4f} at first, {np.mean(history[-100:]):.6f} at last")

    x, t = np.linspace(LEFT, RIGHT, 101, dtype=np.float32), np.linspace(0, END, 21, dtype=np.float32)
    wave = vmap(vmap(u, in_axes=(None, 0, None)), in_axes=(None, None, 0))(params, x, t)
    exact = soliton(x, t[:, None])
    error = np.linalg.norm(wave - exact) / np.linalg.norm(exact)
    crest = x[np.argmax(wave[-1])] - x[np.argmax(wave[0])]
    print(f"relative error over all places and times: {error:.4f}")
    print(f"the crest ran {crest:.1f}; its speed says {SPEED * END:.1f}")
    if options.plot:
        draw(params, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
