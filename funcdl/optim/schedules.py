"""Learning rates, or other numbers, as functions of the number of updates so far.

A schedule takes the count (an integer array of any shape; an optimizer passes an int32 scalar that
starts at 0) and returns one value for each count. It is pure, has no state, and can be traced.

Each function here returns a schedule. It raises TypeError for an argument that is no number (for a number of
steps: no whole number), and ValueError for one that is out of the range that its line gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from funcdl.optim.hyperparameters import fraction, non_negative, number, positive, steps
from transforms.errors import message
from transforms.types import Array

Schedule: TypeAlias = Callable[[Array], Array]


def constant(value: float) -> Schedule:
    """Return ``value`` at every count.

    Args:
        value: any real number.

    >>> constant(0.1)(1000)
    0.1
    """
    value = number("schedules.constant", "the value", value)
    return lambda count: value


def polynomial(
    init_value: float, end_value: float, power: float, transition_steps: int, *, transition_begin: int = 0
) -> Schedule:
    """Go from one value to another along a power of the remaining time.

    ``end_value + (init_value - end_value) * (1 - progress) ** power``, where
    ``progress = clip((count - transition_begin) / transition_steps, 0, 1)``.

    Args:
        init_value: the value until ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        power: in (0, inf).
        transition_steps: number of steps between the two, at least 1.
        transition_begin: at least 0.

    >>> schedule = polynomial(1.0, 0.0, 2.0, 10)
    >>> float(schedule(0)), float(schedule(5)), float(schedule(20))
    (1.0, 0.25, 0.0)
    """
    where = "schedules.polynomial"
    power = positive(where, "power", power)
    line = _line(where, 1.0, 0.0, transition_steps, transition_begin)
    init_value = number(where, "init_value", init_value)
    end_value = number(where, "end_value", end_value)
    return lambda count: end_value + (init_value - end_value) * line(count) ** power


def linear(
    init_value: float, end_value: float, transition_steps: int, *, transition_begin: int = 0
) -> Schedule:
    """Go from one value to another along a line: `polynomial` with a power of 1.

    Args:
        init_value: the value until ``transition_begin``.
        end_value: the value from ``transition_begin + transition_steps`` on.
        transition_steps: number of steps between the two, at least 1.
        transition_begin: at least 0.

    >>> float(linear(0.0, 1.0, 4)(1))
    0.25
    """
    return _line("schedules.linear", init_value, end_value, transition_steps, transition_begin)


def warmup(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    """Go up along a line, then stay.

    Args:
        init_value: the value at count 0.
        peak_value: the value from ``warmup_steps`` on.
        warmup_steps: at least 0; with 0 the value is ``peak_value`` at once.

    Source: Goyal et al., "Accurate, Large Minibatch SGD", 2017, arXiv:1706.02677.

    >>> schedule = warmup(0.0, 0.1, 10)
    >>> float(schedule(5)), float(schedule(50))
    (0.05, 0.1)
    """
    return _rise("schedules.warmup", init_value, peak_value, warmup_steps)


def exponential_decay(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    *,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    """Multiply by ``decay_rate`` once every ``transition_steps`` steps, smoothly or at once.

    ``init_value * decay_rate ** (max(count - transition_begin, 0) / transition_steps)``

    Args:
        init_value: the value until ``transition_begin``.
        transition_steps: at least 1.
        decay_rate: in (0, inf).
        transition_begin: at least 0.
        staircase: whether the exponent is rounded down to an integer.
        end_value: a bound for the value: from below if ``decay_rate`` is less than 1, else from above.

    >>> schedule = exponential_decay(0.8, 10, 0.5, staircase=True)
    >>> [float(schedule(count)) for count in (0, 9, 10, 25)]
    [0.8, 0.8, 0.4, 0.2]
    """
    where = "schedules.exponential_decay"
    init_value = number(where, "init_value", init_value)
    transition_steps = steps(where, "transition_steps", transition_steps, least=1)
    decay_rate = positive(where, "decay_rate", decay_rate)
    transition_begin = steps(where, "transition_begin", transition_begin, least=0)
    if end_value is not None:
        end_value = number(where, "end_value", end_value)

    def schedule(count: Array) -> Array:
        exponent = np.maximum(count - transition_begin, 0) / transition_steps
        if staircase:
            exponent = np.floor(exponent)
        value = init_value * decay_rate**exponent
        if end_value is None:
            return value
        return np.where(decay_rate < 1.0, np.maximum(value, end_value), np.minimum(value, end_value))

    return schedule


def cosine_decay(
    init_value: float, decay_steps: int, *, alpha: float = 0.0, exponent: float = 1.0
) -> Schedule:
    """Go down along half a wave of the cosine, then stay.

    ``init_value * (alpha + (1 - alpha) * ((1 + cos(pi * progress)) / 2) ** exponent)``, where
    ``progress = min(count / decay_steps, 1)``.

    Args:
        init_value: the value at count 0.
        decay_steps: number of steps of the way down, at least 1.
        alpha: the last value, as a fraction of ``init_value``; at least 0.
        exponent: in (0, inf).

    Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    arXiv:1608.03983.

    >>> schedule = cosine_decay(1.0, 10, alpha=0.5)
    >>> float(schedule(0)), float(schedule(5)), float(schedule(100))
    (1.0, 0.75, 0.5)
    """
    where = "schedules.cosine_decay"
    init_value = number(where, "init_value", init_value)
    decay_steps = steps(where, "decay_steps", decay_steps, least=1)
    alpha = non_negative(where, "alpha", alpha)
    exponent = positive(where, "exponent", exponent)
    return _half_cosine(init_value, alpha * init_value, decay_steps, exponent)


def warmup_cosine_decay(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    *,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    """Go up along a line as in `warmup`, then down as in `cosine_decay`.

    Args:
        init_value: the value at count 0.
        peak_value: the value at ``warmup_steps``.
        warmup_steps: at least 0.
        decay_steps: number of steps of the whole schedule, those of the warm-up included; more than
            ``warmup_steps``.
        end_value: the value from ``decay_steps`` on.
        exponent: in (0, inf); the cosine's part is raised to it.

    >>> schedule = warmup_cosine_decay(0.0, 1.0, 10, 30)
    >>> [round(float(schedule(count)), 3) for count in (0, 5, 10, 20, 30)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    where = "schedules.warmup_cosine_decay"
    peak_value = number(where, "peak_value", peak_value)
    end_value = number(where, "end_value", end_value)
    exponent = positive(where, "exponent", exponent)
    rise = _rise(where, init_value, peak_value, warmup_steps)
    decay_steps = steps(where, "decay_steps", decay_steps, least=warmup_steps + 1)
    fall = _half_cosine(peak_value, end_value, decay_steps - warmup_steps, exponent)
    return join_schedules([rise, fall], [warmup_steps])


def cosine_restarts(
    peak_value: float,
    period: int,
    *,
    period_factor: int = 1,
    peak_factor: float = 1.0,
    end_value: float = 0.0,
) -> Schedule:
    """Go down along half a wave of the cosine, again and again.

    In the ``i``-th period, of ``period * period_factor**i`` steps:
    ``end_value + (peak_value * peak_factor**i - end_value) * (1 + cos(pi * progress)) / 2``.

    Args:
        peak_value: the value at count 0.
        period: number of steps of the first period, at least 1.
        period_factor: how much longer each period is than the one before, at least 1.
        peak_factor: by what each peak is multiplied, in [0, inf).
        end_value: the value at the end of each period.

    Source: Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    arXiv:1608.03983.

    >>> schedule = cosine_restarts(1.0, 10, period_factor=2, peak_factor=0.5)
    >>> [round(float(schedule(count)), 3) for count in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """
    where = "schedules.cosine_restarts"
    peak_value = number(where, "peak_value", peak_value)
    period = steps(where, "period", period, least=1)
    period_factor = steps(where, "period_factor", period_factor, least=1)
    peak_factor = non_negative(where, "peak_factor", peak_factor)
    end_value = number(where, "end_value", end_value)

    def schedule(count: Array) -> Array:
        if period_factor == 1:
            index = np.floor_divide(count, period)
        else:
            # Half a step keeps the logarithm of an exact power from being rounded down.
            passed = (count + 0.5) * (period_factor - 1) / period + 1.0
            index = np.floor(np.log(passed) / math.log(period_factor))
        length = period * period_factor**index
        begin = index * period if period_factor == 1 else (length - period) / (period_factor - 1)
        wave = 0.5 + 0.5 * np.cos(math.pi * (count - begin) / length)
        return end_value + (peak_value * peak_factor**index - end_value) * wave

    return schedule


def one_cycle(
    peak_value: float,
    transition_steps: int,
    *,
    rise: float = 0.3,
    initial_divisor: float = 25.0,
    final_divisor: float = 1e4,
) -> Schedule:
    """Go up along half a wave of the cosine, then down to almost 0 along another.

    From ``peak_value / initial_divisor`` to ``peak_value`` in the first ``rise`` of the steps, then to
    ``peak_value / (initial_divisor * final_divisor)``.

    Args:
        peak_value: the largest value.
        transition_steps: number of steps of the whole schedule, at least 2.
        rise: fraction of the steps on the way up, in [0, 1).
        initial_divisor: in (0, inf).
        final_divisor: in (0, inf).

    Source: Smith & Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning
    Rates", 2017, arXiv:1708.07120.

    >>> schedule = one_cycle(1.0, 10, rise=0.5)
    >>> [round(float(schedule(count)), 3) for count in (0, 5, 10)]
    [0.04, 1.0, 0.0]
    """
    where = "schedules.one_cycle"
    peak_value = number(where, "peak_value", peak_value)
    transition_steps = steps(where, "transition_steps", transition_steps, least=2)
    top = max(int(fraction(where, "rise", rise) * transition_steps), 1)
    first = peak_value / positive(where, "initial_divisor", initial_divisor)
    last = first / positive(where, "final_divisor", final_divisor)
    up = _half_cosine(first, peak_value, top, 1.0)
    return join_schedules([up, _half_cosine(peak_value, last, transition_steps - top, 1.0)], [top])


def inverse_time_decay(
    init_value: float, transition_steps: int, decay_rate: float, *, staircase: bool = False
) -> Schedule:
    """Go down in inverse proportion to time: ``init_value / (1 + decay_rate * count / transition_steps)``.

    Args:
        init_value: the value at count 0.
        transition_steps: at least 1.
        decay_rate: in [0, inf).
        staircase: whether ``count / transition_steps`` is rounded down to an integer.

    >>> schedule = inverse_time_decay(1.0, 10, 1.0)
    >>> [float(schedule(count)) for count in (0, 10, 30)]
    [1.0, 0.5, 0.25]
    """
    where = "schedules.inverse_time_decay"
    init_value = number(where, "init_value", init_value)
    transition_steps = steps(where, "transition_steps", transition_steps, least=1)
    decay_rate = non_negative(where, "decay_rate", decay_rate)

    def schedule(count: Array) -> Array:
        passed = count / transition_steps
        return init_value / (1.0 + decay_rate * (np.floor(passed) if staircase else passed))

    return schedule


def piecewise_constant(init_value: float, boundaries_and_scales: Mapping[int, float]) -> Schedule:
    """Multiply by a factor at each of some counts.

    ``init_value * prod(scale for boundary, scale in boundaries_and_scales.items() if count >= boundary)``

    Args:
        init_value: the value before the first boundary.
        boundaries_and_scales: from a count (at least 0) to the factor (in [0, inf)) that sets in there.

    >>> schedule = piecewise_constant(1.0, {100: 0.5, 200: 0.1})
    >>> [float(schedule(count)) for count in (99, 100, 200)]
    [1.0, 0.5, 0.05]
    """
    where = "schedules.piecewise_constant"
    init_value = number(where, "init_value", init_value)
    scales = {
        steps(where, "a boundary", boundary, least=0): non_negative(where, f"the scale at {boundary}", scale)
        for boundary, scale in boundaries_and_scales.items()
    }

    def schedule(count: Array) -> Array:
        value: Array = init_value
        for boundary, scale in scales.items():
            value = value * np.where(count >= boundary, scale, 1.0)
        return value

    return schedule


def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """Follow several schedules one after the other, each with a count that starts at 0.

    Args:
        schedules: at least one.
        boundaries: the counts at which the second, the third, ... take over; not decreasing.

    Raises:
        ValueError: there is not one boundary between each two schedules, or they decrease.

    >>> schedule = join_schedules([linear(0.0, 1.0, 10), exponential_decay(1.0, 10, 0.5)], [10])
    >>> [float(schedule(count)) for count in (5, 10, 20)]
    [0.5, 1.0, 0.5]
    """
    where = "schedules.join_schedules"
    if len(boundaries) != len(schedules) - 1:
        got = f"{len(boundaries)} boundaries for {len(schedules)} schedules"
        raise ValueError(message(where, "boundaries", "be one fewer than the schedules", got))
    boundaries = [steps(where, "a boundary", boundary, least=0) for boundary in boundaries]
    if boundaries != sorted(boundaries):
        raise ValueError(message(where, "boundaries", "not decrease", boundaries))

    def schedule(count: Array) -> Array:
        value = schedules[0](count)
        for boundary, later in zip(boundaries, schedules[1:], strict=True):
            # A schedule may have no value at a negative count, and np.where evaluates both sides.
            value = np.where(count < boundary, value, later(np.maximum(count - boundary, 0)))
        return value

    return schedule


def _line(where: str, init_value: float, end_value: float, transition_steps: int, begin: int) -> Schedule:
    init_value = number(where, "init_value", init_value)
    end_value = number(where, "end_value", end_value)
    transition_steps = steps(where, "transition_steps", transition_steps, least=1)
    begin = steps(where, "transition_begin", begin, least=0)
    return lambda count: init_value + (end_value - init_value) * _progress(count - begin, transition_steps)


def _rise(where: str, init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    init_value = number(where, "init_value", init_value)
    peak_value = number(where, "peak_value", peak_value)
    if steps(where, "warmup_steps", warmup_steps, least=0) == 0:
        return lambda count: peak_value
    return _line(where, init_value, peak_value, warmup_steps, 0)


def _half_cosine(init_value: float, end_value: float, decay_steps: int, exponent: float) -> Schedule:
    def schedule(count: Array) -> Array:
        wave = 0.5 + 0.5 * np.cos(math.pi * _progress(count, decay_steps))
        return end_value + (init_value - end_value) * wave**exponent

    return schedule


def _progress(count: Array, total: int) -> Array:
    return np.minimum(np.maximum(count, 0), total) / total
