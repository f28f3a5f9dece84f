"""Windows: how much each sample of a frame counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from transforms.errors import message
from transforms.lazy import lazy_module
from transforms.types import Array

scipy_signal = lazy_module("scipy.signal")


def window_of(where: str, window: str | Array, length: int, dtype: DTypeLike) -> Array:
    """Return the weights of the samples of a frame.

    Args:
        where: the callable to name in an error.
        window: a name that ``scipy.signal.get_window`` knows, such as "hann", for the periodic window of
            that name; or the weights.
        length: number of samples in a frame.
        dtype: floating.

    Returns:
        Array of shape (length,).

    Raises:
        ValueError: there is no window of that name, or the weights have another shape.
    """
    if isinstance(window, str):
        try:
            return scipy_signal.get_window(window, length, fftbins=True).astype(dtype)
        except ValueError as error:
            rule = "be a window that scipy.signal.get_window knows"
            raise ValueError(message(where, "window", rule, repr(window))) from error
    if np.shape(window) != (length,):
        got = f"shape {np.shape(window)}"
        raise ValueError(message(where, "window", f"have the shape ({length},), one weight a sample", got))
    return window
