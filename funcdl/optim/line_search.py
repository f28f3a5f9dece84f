"""A line search for the strong Wolfe conditions: how far to go along a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from transforms import while_loop
from transforms.types import Array

# A step falls enough if the value falls by this share of what the slope promises, and is far enough if the
# slope has lost all but this share.
_FALL, _FLATTER = 1e-4, 0.9
# How near to its ends the next step in an interval may be.
_SAFE = 0.1
_GROWTH = 2.0


class Point(NamedTuple):
    """A place on the line.

    Attributes:
        step: how far along the direction, shape ().
        value: of the function there.
        slope: its derivative along the direction.
        gradient: of the function there, a vector.
    """

    step: Array
    value: Array
    slope: Array
    gradient: Array


class Search(NamedTuple):
    """Where a line search stands.

    Attributes:
        tried: the last place that was evaluated.
        low: the end of the interval where the value is lower and still falls towards the other end.
        high: the step of the other end; infinite until there is one.
        high_value: the value there.
        high_slope: the derivative there.
        count: number of evaluations so far, int32.
        found: whether ``tried`` satisfies the conditions.
    """

    tried: Point
    low: Point
    high: Array
    high_value: Array
    high_slope: Array
    count: Array
    found: Array


def wolfe_search(evaluate: Callable[[Array], Point], start: Point, *, max_steps: int) -> Search:
    """Look for a step that satisfies the strong Wolfe conditions, beginning with 1.

    An interval is kept that holds such a step: at its lower end the value has fallen enough and goes on
    falling, at its other end it has not, or rises. The next step is where a cubic through both ends has its
    minimum, kept away from the ends. Where rounding hides the fall of the value, the slopes decide.

    Args:
        evaluate: gives the place that is a step away.
        start: the place of step 0; its slope is negative.
        max_steps: number of evaluations at most.

    Returns:
        A `Search`; where none was found, its ``low`` is the best place that was tried.

    Source: Nocedal and Wright, 2006, "Numerical optimization", section 3.5; Hager and Zhang, 2005, "A new
    conjugate gradient method with guaranteed descent and an efficient line search",
    doi:10.1137/030601880, for the conditions near the minimum.
    """
    dtype = start.value.dtype
    noise = 10 * float(np.finfo(dtype).eps) * np.abs(start.value)

    def judge(search: Search, point: Point) -> Search:
        promised = start.value + _FALL * point.step * start.slope
        falls = point.value <= promised
        hidden = (point.value <= start.value + noise) & (point.slope <= (2 * _FALL - 1) * start.slope)
        # A NaN compares as False, and so ends the interval.
        enough = (falls | hidden) & (point.value < np.inf)
        flat = np.abs(point.slope) <= -_FLATTER * start.slope
        is_low = enough & (point.slope < 0) & ~flat
        low = Point(*(np.where(is_low, new, old) for new, old in zip(point, search.low, strict=True)))
        return Search(
            tried=point,
            low=low,
            high=np.where(is_low, search.high, point.step),
            high_value=np.where(is_low, search.high_value, point.value),
            high_slope=np.where(is_low, search.high_slope, point.slope),
            count=search.count + np.int32(1),
            found=enough & flat,
        )

    def go_on(search: Search) -> Array:
        return ~search.found & (search.count < max_steps)

    def advance(search: Search) -> Search:
        return judge(search, evaluate(_next_step(search)))

    infinite = np.asarray(np.inf, dtype)
    begin = Search(start, start, infinite, infinite, infinite, np.int32(0), np.asarray(False))
    first = judge(begin, evaluate(np.asarray(1.0, dtype)))
    search: Search = while_loop(go_on, advance, first)
    return search


def _next_step(search: Search) -> Array:
    low, high = search.low, search.high
    bounded = np.isfinite(high)
    end = np.where(bounded, high, 1.0).astype(high.dtype)
    width = end - low.step
    # The minimum of the cubic with the values and slopes of both ends.
    usable = bounded & np.isfinite(search.high_value) & np.isfinite(search.high_slope)
    value = np.where(usable, search.high_value, low.value)
    slope = np.where(usable, search.high_slope, -low.slope)
    safe_width = np.where(width == 0, 1, width)
    first = low.slope + slope - 3 * (low.value - value) / -safe_width
    root = np.sqrt(np.maximum(np.square(first) - low.slope * slope, 0))
    below = slope - low.slope + 2 * root
    share = 1 - (slope + root - first) / np.where(below == 0, 1, below)
    share = np.where(usable & (below != 0), np.clip(share, _SAFE, 1 - _SAFE), 0.5)
    return np.where(bounded, low.step + share * width, _GROWTH * search.tried.step).astype(high.dtype)
