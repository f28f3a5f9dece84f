"""The values of a traced array, for functions whose result takes its shape or its dtype from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from transforms.errors import ConcreteValueError, message
from transforms.tracer import Tracer
from transforms.types import Array


def known_values(function: str, what: str, x: Any, remedy: str) -> Array:
    """Return the values of an array; eager transforms know them.

    Args:
        function: the name of the calling function, for the error.
        what: what it takes from the values.
        x: the array.
        remedy: what to write where values are not known.

    Raises:
        ConcreteValueError: ``x`` is traced by `vmap`, `stage` or `jit`, which do not know values.
    """
    if not isinstance(x, Tracer):
        return np.asarray(x)
    try:
        return np.asarray(x.concrete())
    except ConcreteValueError as error:
        got = f"an array of type {x.type} traced by {x.level.transform}"
        raise ConcreteValueError(
            message(function, what, "not depend on traced values", got, remedy)
        ) from error
