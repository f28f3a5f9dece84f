"""Polynomials and quotients of them near functions: the interpolants at the zeros of a Chebyshev polynomial.

The largest error of a polynomial is, but for a small factor, the least that one of the degree can have. All
are computed with many digits when a function is first compiled.

Source: L. N. Trefethen, Approximation Theory and Approximation Practice (2013), chapters 4, 16 and 26.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from itertools import islice
from typing import NamedTuple

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
        nodes = _nodes(low, high, degree + 1)
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


def _nodes(low: float, high: float, count: int) -> list[Decimal]:
    """Return the zeros of a Chebyshev polynomial between two numbers."""
    angles = [math.pi * (k + 0.5) / count for k in range(count)]
    return [Decimal((low + high) / 2 + (high - low) / 2 * math.cos(angle)) for angle in angles]


class Quotient(NamedTuple):
    """``above / (line * above + rest)``, where ``above`` and ``rest`` are polynomials, lowest power first.

    A rounding error of ``above`` is in both parts, so that most of it goes out again.
    """

    above: tuple[float, ...]
    line: tuple[float, ...]
    rest: tuple[float, ...]


@functools.cache
def fitted_quotient(
    function: Callable[[Decimal], Decimal], centre: float, high: float, degree: int
) -> Quotient:
    """Return a quotient of polynomials near a function from 0 to a number.

    The nodes are zeros in ``(x - centre) / (x + centre)``: half of them are below the centre.

    Args:
        function: falls like ``1 / x`` where ``x`` is large.
        centre: a positive number.
        high: where the interval ends.
        degree: of ``above``.

    >>> above, line, rest = fitted_quotient(lambda x: (1 + x) / (2 + x * (3 + 2 * x)), 1.0, 8.0, 1)
    >>> [round(c / above[0], 12) for c in (*above, *rest)], [round(c, 12) for c in line]
    ([1.0, 1.0, 1.0], [1.0, 2.0])
    """
    with localcontext() as context:
        context.prec = _DIGITS
        rows = []
        for node in _nodes(-1.0, (high - centre) / (high + centre), 2 * degree + 2):
            x = Decimal(centre) * (1 + node) / (1 - node)
            value = function(x)
            powers = [x**k for k in range(degree + 2)]
            rows.append([*powers[:-1], *(-value * power for power in powers[1:]), value])
        solution = _solved(rows)
        above, below = solution[: degree + 1], [Decimal(1), *solution[degree + 1 :]]
        line = [Decimal(0), below[-1] / above[-1]]
        shifted = [Decimal(0), *above]
        line[0] = (below[-2] - line[1] * shifted[-2]) / above[-1]
        products = zip(below, above, shifted, strict=False)
        rest = [b - line[0] * x - line[1] * y for b, x, y in products][:degree]
        return Quotient(*(tuple(map(float, part)) for part in (above, line, rest)))


def _solved(rows: list[list[Decimal]]) -> list[Decimal]:
    """Return the solution of linear equations, each the coefficients and then the right side."""
    done: list[list[Decimal]] = []
    while rows:
        column = len(done)
        pivot = max(rows, key=lambda row: abs(row[column]))
        rows = [row for row in rows if row is not pivot]
        pivot = [entry / pivot[column] for entry in pivot]
        others = [*done, *rows]
        cleared = [[x - row[column] * y for x, y in zip(row, pivot, strict=True)] for row in others]
        done, rows = [*cleared[:column], pivot], cleared[column:]
    return [row[-1] for row in done]


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
