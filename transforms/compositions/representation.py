"""Traced arrays as text, for `print` and debuggers."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.primitive import implements
from transforms.types import Array


@implements(np.array_repr, np.array_str, np.array2string)
def _text(a: Array, *args: Any, **kwargs: Any) -> str:
    # The options are about the digits of the elements, and a traced array shows its type.
    return repr(a)
