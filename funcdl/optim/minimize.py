"""Minimizing a function that is given as a whole, with a line search: what an optimizer cannot see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from funcdl.optim.hyperparameters import positive, steps
from funcdl.optim.lbfgs import ScaleByLbfgsState, precondition, scale_by_lbfgs
from funcdl.optim.line_search import Point, wolfe_search
from transforms import jit, tree, value_and_grad
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


class Minimizer(NamedTuple):
    """Two pure functions that say how to change parameters, given the function to minimize.

    Attributes:
        init: ``init(params, *args) -> state``, with the arguments that the function takes after the
            parameters.
        step: ``step(params, state, *args) -> (params, state)``.
    """

    init: Callable[..., Any]
    step: Callable[..., tuple[Tree, Any]]


class LbfgsState(NamedTuple):
    """State of `lbfgs`.

    Attributes:
        value: of the function at the parameters, shape ().
        gradient: of the function there, a vector as `transforms.tree.ravel` makes it.
        memory: what is known of the curvature.
        step_size: how far the last step went along its direction; 0 at the start, and where the line search
            found nothing lower.
        evaluations: of the function and its gradient so far, int32.
    """

    value: Array
    gradient: Array
    memory: ScaleByLbfgsState
    step_size: Array
    evaluations: Array


class Minimum(NamedTuple):
    """What `minimize` returns.

    Attributes:
        params: the parameters.
        value: of the function there.
        gradient_norm: the largest magnitude in the gradient there.
        steps: how many were taken.
        evaluations: of the function and its gradient.
        converged: whether the gradient fell below the tolerance.
    """

    params: Tree
    value: float
    gradient_norm: float
    steps: int
    evaluations: int
    converged: bool


def lbfgs(
    function: Callable[..., Array], *, memory_size: int = 10, max_line_search_steps: int = 20
) -> Minimizer:
    """L-BFGS with a line search for the strong Wolfe conditions.

    The next parameters are ``p + t d`` with ``d = -H grad f(p)``, with the estimate H of `scale_by_lbfgs` and
    a step t at which the function has fallen enough and its slope along d is small enough; 1 is tried first.
    Where no step is found that lowers the function, the parameters stay.

    A `Minimizer` needs the function itself, since it evaluates it along a line; an `Optimizer` sees one
    gradient a step. It is for functions that are the same at each step: all examples, no dropout.

    Args:
        function: ``function(params, *args)``, from a tree of real arrays to a number of shape (). It is
            traced, so that it must not branch on values.
        memory_size: how many steps are remembered, at least 1.
        max_line_search_steps: evaluations in one line search at most, at least 1.

    Returns:
        A `Minimizer`, of which `minimize` takes the steps.

    Source: Liu & Nocedal, "On the Limited Memory BFGS Method for Large Scale Optimization", 1989,
    doi:10.1007/BF01589116.

    >>> def rosenbrock(p):
    ...     return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
    >>> solver = lbfgs(rosenbrock)
    >>> params = np.array([-1.2, 1.0])
    >>> state = solver.init(params)
    >>> for _ in range(50):
    ...     params, state = solver.step(params, state)
    >>> params.round(6)
    array([1., 1.])
    """
    max_steps = steps("lbfgs", "max_line_search_steps", max_line_search_steps, least=1)
    curvature = scale_by_lbfgs(memory_size, name="lbfgs")
    evaluate = value_and_grad(function)

    def init(params: Tree, *args: Any) -> LbfgsState:
        value, grads = evaluate(params, *args)
        gradient, _ = tree.ravel(grads)
        if gradient.dtype.kind != "f":
            raise TypeError(message("lbfgs", "the parameters", "be real", gradient.dtype))
        none = np.zeros((), gradient.dtype)
        value = (value + none).astype(gradient.dtype)
        return LbfgsState(value, gradient, curvature.init(params), none, np.int32(1))

    def step(params: Tree, state: LbfgsState, *args: Any) -> tuple[Tree, LbfgsState]:
        start, unravel = tree.ravel(params)
        ascent, memory = precondition(state.gradient, state.memory, start)
        # Rounding, or a function that is not convex, can spoil the estimate.
        descends = ascent @ state.gradient > 0
        direction = np.where(descends, -ascent, -state.gradient)

        def at(distance: Array) -> Point:
            value, grads = evaluate(unravel(start + distance * direction), *args)
            gradient, _ = tree.ravel(grads)
            return Point(distance, value.astype(start.dtype), gradient @ direction, gradient)

        nothing = np.zeros((), start.dtype)
        origin = Point(nothing, state.value, state.gradient @ direction, state.gradient)
        search = wolfe_search(at, origin, max_steps=max_steps)
        taken = (
            np.where(search.found, tried, low) for tried, low in zip(search.tried, search.low, strict=True)
        )
        distance, value, _, gradient = taken
        evaluations = state.evaluations + search.count
        after = LbfgsState(value, gradient, memory, distance, evaluations)
        return unravel(start + distance * direction), after

    return Minimizer(init, step)


def minimize(
    minimizer: Minimizer,
    params: Tree,
    *args: Any,
    max_steps: int = 500,
    tolerance: float = 1e-5,
    backend: str | None = None,
) -> Minimum:
    """Take steps of a minimizer until the gradient is small, or a step goes nowhere.

    The step is compiled once, whatever the number of steps.

    Args:
        minimizer: such as ``lbfgs(function)``.
        params: where to start, a tree of real arrays.
        *args: what the function takes after the parameters.
        max_steps: number of steps at most, at least 0.
        tolerance: the largest magnitude in the gradient that counts as 0, in (0, inf).
        backend: what compiles the step, as in `transforms.jit`.

    Returns:
        A `Minimum`.

    Raises:
        TypeError: ``minimizer`` is not a `Minimizer`.
        ValueError: a number is out of range.

    >>> def squares(params, x, y):
    ...     return np.mean((x @ params["slope"] + params["offset"] - y) ** 2)
    >>> x = np.random.default_rng(0).normal(size=(50, 3))
    >>> y = x @ np.array([1.0, -2.0, 0.5]) + 4
    >>> start = {"slope": np.zeros(3), "offset": np.zeros(())}
    >>> found = minimize(lbfgs(squares), start, x, y)
    >>> found.converged, found.params["slope"].round(4), found.params["offset"].round(4)
    (True, array([ 1. , -2. ,  0.5]), np.float64(4.0))
    """
    if not (hasattr(minimizer, "init") and hasattr(minimizer, "step")):
        remedy = "call the function that makes it, as in minimize(lbfgs(function), params)"
        raise TypeError(
            message("minimize", "the minimizer", "be a Minimizer", f"a {type(minimizer).__name__}", remedy)
        )
    max_steps = steps("minimize", "max_steps", max_steps, least=0)
    tolerance = positive("minimize", "tolerance", tolerance)
    compiled = jit(minimizer.step, backend=backend)
    state = minimizer.init(params, *args)
    count = 0
    while count < max_steps and _largest(state.gradient) > tolerance:
        after, state = compiled(params, state, *args)
        count += 1
        if not state.step_size > 0:
            break
        params = after
    norm = _largest(state.gradient)
    return Minimum(params, float(state.value), norm, count, int(state.evaluations), norm <= tolerance)


def _largest(gradient: Array) -> float:
    return float(np.max(np.abs(gradient), initial=0))
