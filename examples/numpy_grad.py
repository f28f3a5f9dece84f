"""The gradient of ``y = sin(x1) + x1 * x2``: plain NumPy, traced and differentiated.

Run it with ``python examples/numpy_grad.py``.
"""

import numpy as np

from transforms import stage, value_and_grad


def f(x1, x2):
    """Any function of NumPy code will do; it needs no special types and no wrapped namespace."""
    return np.sin(x1) + x1 * x2


def main():
    """Print what f computes, its gradient, and the program that computes the gradient."""
    x1, x2 = 2.0, 5.0
    gradient_of_f = value_and_grad(f, argnums=(0, 1))

    print(f"y = sin(x1) + x1 * x2 at x1 = {x1}, x2 = {x2}\n")
    print("What f does, as a program:")
    print(stage(f)(x1, x2))

    value, (slope1, slope2) = gradient_of_f(x1, x2)
    print(f"\ny      = {value:.6f}")
    print(f"dy/dx1 = {slope1:.6f}   by hand, cos(x1) + x2 = {np.cos(x1) + x2:.6f}")
    print(f"dy/dx2 = {slope2:.6f}   by hand,           x1 = {x1:.6f}")
    np.testing.assert_allclose([slope1, slope2], [np.cos(x1) + x2, x1])

    print("\nThe gradient is NumPy code too, so it can be traced as well:")
    print(stage(gradient_of_f)(x1, x2))


if __name__ == "__main__":
    main()
