"""Learn a law of motion from one noisy orbit: gradients through an adaptive solver's `while_loop`.

What is seen is an oscillator that swings up, at 60 irregular times. What is learned is the velocity as a
function of the place, a small network; a Dormand-Prince solver that chooses its own steps carries a place
from one time to the next. How many steps it takes depends on the network, and so on the parameters: it is a
`while_loop`, and the gradient of the error goes back through it.

Chen, Rubanova, Bettencourt, Duvenaud (2018), "Neural ordinary differential equations", arXiv:1806.07366;
Dormand, Prince (1980), "A family of embedded Runge-Kutta formulae", doi:10.1016/0771-050X(80)90013-3.

Run it with ``python examples/neural_ode.py``; ``--help`` shows the options.
"""

import argparse
from pathlib import Path

import numpy as np

from funcdl import nn, optim, random
from transforms import jit, scan, stop_gradient, value_and_grad, vmap, while_loop

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "neural_ode.png"

OBSERVATIONS = 60
END = 15.0
NOISE = 0.02
START = np.array([0.3, 0.0], np.float32)
WINDOW = 5
TOLERANCE = 1e-4
LEARNING_RATE = 2e-2

model = nn.serial(nn.dense(32), nn.tanh, nn.dense(32), nn.tanh, nn.dense(2))

# Dormand and Prince's coefficients: how each stage weighs the slopes before it, the result of order five, and
# what it differs by from the one of order four.
STAGES = (
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
RESULT = (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
DIFFERENCE = (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)


def weighted(weights, slopes):
    """Return the sum of the slopes, each with its weight."""
    return sum(weight * slope for weight, slope in zip(weights, slopes, strict=True) if weight)


def dormand_prince(velocity, place, size):
    """Take one step; return the place after it, and an estimate of its error."""
    slopes = [velocity(place)]
    for stage in STAGES:
        slopes.append(velocity(place + size * weighted(stage, slopes)))
    after = place + size * weighted(RESULT, slopes)
    slopes.append(velocity(after))
    return after, size * weighted(DIFFERENCE, slopes)


def solve(velocity, place, duration, *, tolerance):
    """Carry a place along its velocity for a duration; return where it is then, and the number of steps.

    A step whose estimated error is above the tolerance is taken again, shorter. The next one is as long as
    the estimate allows.
    """

    def goes_on(carry):
        left, _, _, _ = carry
        return left > 1e-6 * duration

    def step(carry):
        left, size, place, steps = carry
        size = np.minimum(size, left)
        after, error = dormand_prince(velocity, place, size)
        # How long the steps are shall not matter to the result, so no gradient goes through the choice.
        error = stop_gradient(np.sqrt(np.mean((error / (tolerance * (1 + np.abs(place)))) ** 2)))
        accepted = error <= 1
        factor = np.clip(0.9 * np.maximum(error, 1e-6) ** -0.2, 0.2, 5.0)
        return (
            np.where(accepted, left - size, left),
            size * factor,
            np.where(accepted, after, place),
            steps + 1,
        )

    _, _, place, steps = while_loop(goes_on, step, (duration, 0.1 * duration, place, 0))
    return place, steps


def orbit(velocity, start, times, *, tolerance):
    """Return the places at increasing times, of which the first is that of the start."""

    def to_next(place, duration):
        place, _ = solve(velocity, place, duration, tolerance=tolerance)
        return place, place

    _, places = scan(to_next, start, np.diff(times))
    return np.concatenate([start[None], places])


def true_velocity(place):
    """Van der Pol's oscillator: what is near the origin swings up, what is far out swings down."""
    x, y = place[0], place[1]
    return np.stack([y, (1 - x**2) * y - x])


def observe(key):
    """Return irregular times, and noisy places of one orbit at them."""
    time_key, noise_key = random.split(key)
    gaps = random.uniform(time_key, (OBSERVATIONS - 1,), minval=0.5, maxval=1.5)
    times = np.concatenate([np.zeros(1, np.float32), np.cumsum(gaps) / np.sum(gaps) * np.float32(END)])
    exact = orbit(true_velocity, START, times, tolerance=1e-6)
    return times, exact + NOISE * random.normal(noise_key, exact.shape)


def windows(times, places):
    """Return each run of WINDOW consecutive observations: durations between them, and places."""
    rows = np.arange(len(times) - WINDOW + 1)[:, None] + np.arange(WINDOW)
    return np.diff(times[rows], axis=1), places[rows]


def error(params, durations, places):
    """Return the mean squared error over a window, of the orbit that starts at its first place."""
    times = np.concatenate([np.zeros(1, np.float32), np.cumsum(durations)])
    predicted = orbit(lambda place: model(params, place), places[0], times, tolerance=TOLERANCE)
    return np.mean((predicted - places) ** 2)


def train(params, times, places, steps):
    """Minimise the mean error over all windows; return parameters and the loss of each step."""
    optimizer = optim.adam(optim.schedules.cosine_decay(LEARNING_RATE, steps))

    @jit
    def run(params, durations, places):
        def step(carry, _):
            params, opt_state = carry
            mean_error, grads = value_and_grad(
                lambda params: np.mean(vmap(error, in_axes=(None, 0, 0))(params, durations, places))
            )(params)
            updates, opt_state = optimizer.update(grads, opt_state, params)
            return (optim.apply_updates(params, updates), opt_state), mean_error

        return scan(step, (params, optimizer.init(params)), length=steps)

    (params, _), history = run(params, *windows(times, places))
    return params, history


def draw(params, times, places, path):
    """Draw what was seen, the orbit that was learned, and its continuation."""
    from matplotlib import pyplot

    grid = np.linspace(0, 2 * END, 800, dtype=np.float32)
    truth = orbit(true_velocity, START, grid, tolerance=1e-6)
    learned = orbit(lambda place: model(params, place), START, grid, tolerance=1e-5)
    seen = grid <= END
    figure, ax = pyplot.subplots(figsize=(4, 3), layout="constrained")
    ax.plot(*truth.T, color="#d0d0d0", linewidth=4, label="the law")
    ax.plot(*learned[seen].T, color="#0072b2", linewidth=1.5, label="learned")
    ax.plot(*learned[~seen].T, color="#e69f00", linewidth=1.5, label="forecast")
    ax.plot(*places.T, "o", color="#202020", markersize=3.5, label="seen")
    ax.set(xlim=(-2.4, 4.9), xticks=(-2, 0, 2), yticks=(-2, 0, 2), aspect="equal")
    ax.legend(frameon=False, loc="center right", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Observe, learn, and compare with the law on the observed time and on twice that."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=600, help="steps of training (default: 600)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    data_key, init_key = random.split(random.key(options.seed))

    times, places = observe(data_key)
    params, _ = model.init(init_key, places)
    params, history = train(params, times, places, options.steps)
    print(f"squared error over windows: {history[0]:.5f} at first, {history[-1]:.5f} at last")

    grid = np.linspace(0, 2 * END, 81, dtype=np.float32)
    truth = orbit(true_velocity, START, grid, tolerance=1e-6)
    learned = orbit(lambda place: model(params, place), START, grid, tolerance=1e-5)
    distance = np.linalg.norm(learned - truth, axis=1)
    print(f"mean distance from the law: {np.mean(distance[:41]):.3f} in the time that was seen,")
    print(f"    {np.mean(distance[41:]):.3f} in as much time after it")
    for tolerance in (1e-2, 1e-4, 1e-6):
        _, count = solve(lambda place: model(params, place), START, np.float32(END), tolerance=tolerance)
        print(f"steps of the solver with a tolerance of {tolerance:g}: {count}")
    if options.plot:
        draw(params, times, places, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
