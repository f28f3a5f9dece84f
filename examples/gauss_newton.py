"""Fit a network with its curvature, without ever forming a matrix: Gauss-Newton by conjugate gradients.

For a sum of squares, the Gauss-Newton matrix G = J' J (J: the Jacobian of the outputs with respect to the
parameters) is the Hessian without the part that may be indefinite. It is never formed: G v is a `jvp`,
which gives J v, and a `vjp`, which pulls it back; H v, with the whole Hessian, is `hvp`. Conjugate
gradients solve (G + damping) step = -gradient in a `while_loop`; the damping follows from how well the
quadratic model foretold what the step achieved (Levenberg, Marquardt). Adam, for as long on the clock,
remains far behind.

Martens (2010), "Deep learning via Hessian-free optimization"; Pearlmutter (1994), "Fast exact
multiplication by the Hessian", doi:10.1162/neco.1994.6.1.147.

Run it with ``python examples/gauss_newton.py``; ``--help`` shows the options.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from funcdl import nn, optim, random
from transforms import hvp, jit, jvp, scan, tree, value_and_grad, vjp, while_loop

IMAGE = Path(__file__).parent.parent / "docs" / "images" / "gauss_newton.png"

CONJUGATE_STEPS = 60
ADAM_RATE = 1e-2

model = nn.serial(nn.dense(20), nn.tanh, nn.dense(20), nn.tanh, nn.dense(1))


def surface(x):
    """The function to fit, of two variables: some hills and valleys."""
    return np.sin(3 * x[:, :1]) * np.cos(2 * x[:, 1:]) + x[:, :1] * x[:, 1:]


def outputs(params, x, y):
    """Return the residuals, scaled such that half their squared norm is the loss."""
    return (model(params, x) - y) / np.sqrt(len(x))


def loss(params, x, y):
    """Return half the mean squared error."""
    return 0.5 * np.sum(outputs(params, x, y) ** 2)


def dot(a, b):
    """The inner product of two trees."""
    return sum(np.sum(x * y) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))


def add(a, scale, b):
    """Return a + scale * b, of trees."""
    return tree.map(lambda x, y: x + scale * y, a, b)


def gauss_newton_product(params, x, y, v):
    """Return J' J v."""
    _, pullback = vjp(lambda params: outputs(params, x, y), params)
    _, pushed = jvp(lambda params: outputs(params, x, y), (params,), (v,))
    return pullback(pushed)[0]


def hessian_product(params, x, y, v):
    """Return H v."""
    return hvp(lambda params: loss(params, x, y), (params,), (v,))


def conjugate_gradients(product, target):
    """Solve product(solution) = target; return the solution and how many products it took.

    It stops when the residual is small, after CONJUGATE_STEPS, or at a direction along which the curvature
    is not positive, as the Hessian's may be.
    """

    def goes_on(carry):
        _, _, _, square, count, convex = carry
        return (square > 1e-8 * dot(target, target)) & (count < CONJUGATE_STEPS) & convex

    def step(carry):
        solution, residual, direction, square, count, _ = carry
        curved = product(direction)
        curvature = dot(direction, curved)
        convex = curvature > 0
        length = np.where(convex, square / np.where(convex, curvature, 1.0), 0.0)
        solution = add(solution, length, direction)
        residual = add(residual, -length, curved)
        next_square = dot(residual, residual)
        direction = add(residual, next_square / square, direction)
        return solution, residual, direction, next_square, count + 1, convex

    zero = tree.map(np.zeros_like, target)
    start = zero, target, target, dot(target, target), 0, np.bool_(True)
    solution, _, _, _, count, _ = while_loop(goes_on, step, start)
    return solution, count


def second_order_step(product, params, damping, x, y):
    """Take one damped step, if it lowers the loss; return parameters, damping, loss and products taken."""
    before, gradient = value_and_grad(loss)(params, x, y)
    step, count = conjugate_gradients(
        lambda v: add(product(params, x, y, v), damping, v), tree.map(np.negative, gradient)
    )
    after = loss(add(params, 1.0, step), x, y)
    # What the quadratic model without damping foretells: g's + s'Cs / 2.
    foretold = dot(gradient, step) + 0.5 * dot(step, product(params, x, y, step))
    ratio = np.where(foretold < 0, (after - before) / foretold, -1.0)
    damping = damping * np.where(ratio > 0.75, 1 / 3, np.where(ratio < 0.25, 3.0, 1.0))
    lower = after < before
    params = tree.map(lambda p, s: p + np.where(lower, s, 0), params, step)
    return params, damping, np.minimum(before, after), count


def second_order(product, params, x, y, steps):
    """Return the trained parameters, the loss after each step, seconds since the start, products taken."""
    step = jit(lambda params, damping: second_order_step(product, params, damping, x, y))
    damping = np.float64(1e-2)
    step(params, damping)  # compiles
    losses, seconds, products = [], [], 0
    started = time.perf_counter()
    for _ in range(steps):
        params, damping, now, count = step(params, damping)
        losses.append(float(now))
        seconds.append(time.perf_counter() - started)
        products += int(count)
    return params, losses, seconds, products


def first_order(params, x, y, steps, block=100):
    """The same for Adam with a rate that falls along a cosine, in compiled blocks of steps."""
    optimizer = optim.adam(optim.schedules.cosine_decay(ADAM_RATE, steps))

    def step(carry, _):
        params, opt_state = carry
        now, grads = value_and_grad(loss)(params, x, y)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optim.apply_updates(params, updates), opt_state), now

    run = jit(lambda carry: scan(step, carry, length=block))
    carry = params, optimizer.init(params)
    run(carry)  # compiles
    losses, seconds = [], []
    started = time.perf_counter()
    for _ in range(0, steps, block):
        carry, measured = run(carry)
        losses.append(float(measured[-1]))
        seconds.append(time.perf_counter() - started)
    return carry[0], losses, seconds


def draw(curves, path):
    """Draw the loss against the time."""
    from matplotlib import pyplot

    figure, ax = pyplot.subplots(figsize=(4, 2.8), layout="constrained")
    colors = {"Adam": "#e69f00", "Gauss-Newton": "#0072b2", "Newton": "#009e73"}
    for name, (losses, seconds) in curves.items():
        ax.loglog(seconds, losses, color=colors[name], linewidth=2, label=name)
    ax.set(xlabel="seconds", title="half the mean squared error")
    ax.legend(frameon=False, loc="lower left", fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main(arguments=None):
    """Fit the surface in three ways."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="seed of all random numbers (default: 0)")
    parser.add_argument("--steps", type=int, default=200, help="second-order steps (default: 200)")
    parser.add_argument("--adam-steps", type=int, default=20000, help="steps of Adam (default: 20000)")
    parser.add_argument(
        "--plot", action=argparse.BooleanOptionalAction, default=False, help=f"whether to write {IMAGE.name}"
    )
    options = parser.parse_args(arguments)
    x_key, init_key = random.split(random.key(options.seed))

    x = random.uniform(x_key, (500, 2), np.float64, minval=-1.5, maxval=1.5)
    y = surface(x)
    params, _ = model.init(init_key, x)

    curves = {}
    _, losses, seconds = first_order(params, x, y, options.adam_steps)
    curves["Adam"] = losses, seconds
    print(f"Adam: {losses[-1]:.2e} after {options.adam_steps} steps, {seconds[-1]:.1f} s")
    for name, product in (("Gauss-Newton", gauss_newton_product), ("Newton", hessian_product)):
        _, losses, seconds, products = second_order(product, params, x, y, options.steps)
        curves[name] = losses, seconds
        print(
            f"{name}: {losses[-1]:.2e} after {options.steps} steps, {products} products with the matrix, "
            f"{seconds[-1]:.1f} s"
        )
    if options.plot:
        draw(curves, IMAGE)
        print(f"wrote {IMAGE}")


if __name__ == "__main__":
    main()
