"""Looking into programs while they run: `print`, `callback`, `nans`."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from transforms.control import nans as _nans
from transforms.control.callbacks import effect_callback


def print(format: str, *args: Any, **kwargs: Any) -> None:
    """Print values, also those that are traced, when and as often as the program computes them.

    Under `jit` it prints at each run, in a branch if that is chosen, in a loop at each step, under `vmap` for
    each example if the values differ, and under `grad` and `jvp` the values themselves; a pullback prints
    nothing.

    Args:
        format: a text with places, as for ``str.format``.
        *args: trees of arrays for its places.
        **kwargs: likewise, by name.

    >>> import numpy as np
    >>> from transforms import debug, vmap
    >>> def f(x):
    ...     debug.print("x = {}", x)
    ...     return x
    >>> _ = vmap(f)(np.arange(2.0))
    x = 0.0
    x = 1.0
    """
    callback(lambda *values, **named: builtins.print(format.format(*values, **named)), *args, **kwargs)  # noqa: T201


def callback(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Call a function with the values of traced arrays, when and as often as the program computes them.

    What it returns is dropped. See `print` for when it is called.

    Args:
        function: takes plain arrays.
        *args: trees of arrays; other leaves are passed on as they are.
        **kwargs: likewise.

    >>> from transforms import grad
    >>> seen = []
    >>> grad(lambda x: (callback(seen.append, x), x * x)[1])(3.0)
    np.float64(6.0)
    >>> seen
    [array(3.)]
    """
    effect_callback(function, args, kwargs)


def nans() -> AbstractContextManager[None]:
    """Check for NaN, for the time of a ``with`` block.

    Each operation on traced values looks at its result, and so do the rules of forward and reverse mode; the
    first that is NaN raises. Functions under `jit` run operation by operation then, and nothing is compiled.
    The check is on for all threads.

    Raises:
        FloatingPointError: an operation gave NaN; the message names it, the user's line, and the operand
            that was NaN before, or else the operands' values.

    >>> import numpy as np
    >>> from transforms import grad
    >>> with nans(), np.errstate(invalid="ignore"):
    ...     grad(np.sqrt)(-1.0)
    Traceback (most recent call last):
    FloatingPointError: sqrt: the result must not be NaN, got NaN of float64[], from operand 0 = -1.0; see ...
    """
    return _nans.checked()


def set_nans(enabled: bool) -> None:
    """Turn the check of `nans` on or off for the whole process, until it is set again.

    Args:
        enabled: whether it is on.

    >>> set_nans(False)
    """
    global _always
    if enabled != _always:
        (_nans.turn_on if enabled else _nans.turn_off)()
    _always = enabled


_always = False
