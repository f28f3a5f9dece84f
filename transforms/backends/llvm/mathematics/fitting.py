"""Polynomials near functions: the interpolants at the zeros of a Chebyshev polynomial, with many digits.

Their largest error is, but for a small factor, the least that a polynomial of the degree can have. They are
computed when a function is first compiled.

Source: L. N. Trefethen, Approximation Theory and Approximation Practice (2013), chapters 4 and 16.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from itertools import islice

_DIGITS = 60


@functools.cache
def fitted(function: Callable[[Decimal], Decimal], low: float, high: float, degree: int) -> tuple[float, ...]:
    """Return the coefficients of a polynomial near a function between two numbers, lowest first.

    >>> coefficients = fitted(Decimal.exp, -0.5, 0.5, 7)
    >>> abs(sum(c * 0.3**k for k, c in enumerate(coefficients)) - math.exp(0.3)) < 1e-8
    True
    """
    with localcontext() as context:
        context.prec = _DIGITS
        angles = [math.pi * (k + 0.5) / (degree + 1) for k in range(degree + 1)]
        nodes = [Decimal((low + high) / 2 + (high - low) / 2 * math.cos(angle)) for angle in angles]
        differences = [function(x) for x in nodes]
        for order in range(1, degree + 1):
            for k in range(degree, order - 1, -1):
                step = nodes[k] - nodes[k - order]
                differences[k] = (differences[k] - differences[k - 1]) / step
        coefficients = [Decimal(0)] * (degree + 1)
        for node, difference in zip(reversed(nodes), reversed(differences), strict=True):
            shifted = [Decimal(0), *coefficients[:-1]]
            coefficients = [s - node * c for s, c in zip(shifted, coefficients, strict=True)]
            coefficients[0] += difference
        return tuple(float(c) for c in coefficients)


def power_series(terms: Callable[[], Iterator[Decimal]], skip: int = 0) -> Callable[[Decimal], Decimal]:
    """Return the sum of a power series, of which the first terms are left out and their power divided away.

    Args:
        terms: gives the coefficients, from the lowest, of a series that converges where it is summed.
        skip: how many terms to leave out.
    """

    def total(x: Decimal) -> Decimal:
        out, power = Decimal(0), Decimal(1)
        for coefficient in islice(terms(), skip, None):
            term = coefficient * power
            out += term
            power *= x
            if coefficient and abs(term) < abs(out) * Decimal(10) ** -_DIGITS:
                return out
        return out

    return total


@functools.cache
def pi() -> Decimal:
    """Return the ratio of a circle's circumference to its diameter, by J. Machin's formula.

    >>> float(pi()) == math.pi
    True
    """
    with localcontext() as context:
        context.prec = _DIGITS + 10

        def arctan_of_reciprocal(n: int) -> Decimal:
            return sum(
                (Decimal((-1) ** k) / ((2 * k + 1) * Decimal(n) ** (2 * k + 1)) for k in range(60)),
                Decimal(0),
            )

        return 4 * (4 * arctan_of_reciprocal(5) - arctan_of_reciprocal(239))


def parts(number: Decimal, count: int, digits: int) -> tuple[float, ...]:
    """Return a number as a sum of floats, each of at most so many binary digits.

    >>> sum(parts(pi(), 3, 24)) == math.pi
    True
    """
    out = []
    with localcontext() as context:
        context.prec = _DIGITS + 10
        for _ in range(count):
            exponent = math.frexp(float(number))[1] - digits
            scale = Decimal(2) ** exponent
            part = (number / scale).to_integral_value() * scale
            out.append(float(part))
            number -= part
    return tuple(out)
