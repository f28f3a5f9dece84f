"""`numpy.vectorize` for traced functions: a batch instead of a loop."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from transforms import tree
from transforms.errors import message
from transforms.types import Array
from transforms.vmap import vmap

_SIGNATURE = re.compile(r"(\([\w, ]*\))(,\s*\([\w, ]*\))*->.+")


def vectorize(function: Callable[..., Any], *, signature: str | None = None) -> Callable[..., Any]:
    """Make a function of numbers, or of small arrays, into one that broadcasts over its arguments.

    Args:
        function: of numbers; with a signature, of arrays. `vmap` runs it.
        signature: the axes that the function itself takes, as in ``"(n),(n)->()"``.

    Returns:
        A function of arrays of shapes that broadcast, except for the axes of the signature.

    Raises:
        ValueError: the signature cannot be read, or does not fit the arguments.

    >>> vectorize(lambda x, y: x * y)(np.arange(3.0), 2.0)
    array([0., 2., 4.])
    >>> vectorize(np.dot, signature="(n),(n)->()")(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    ranks = None if signature is None else _core_ranks(signature)

    @wraps(function)
    def vectorized(*args: Any) -> Any:
        arrays = [x if hasattr(x, "shape") else np.asarray(x) for x in args]
        core = _ranks_of(arrays, ranks)
        loops = [x.shape[: x.ndim - rank] for x, rank in zip(arrays, core, strict=True)]
        shape = np.broadcast_shapes(*loops)
        rows = math.prod(shape)
        flat = [
            np.broadcast_to(x, shape + x.shape[x.ndim - rank :]).reshape((rows, *x.shape[x.ndim - rank :]))
            for x, rank in zip(arrays, core, strict=True)
        ]
        out = vmap(function)(*flat)
        return tree.map(lambda y: y.reshape(shape + y.shape[1:]), out)

    return vectorized


def _core_ranks(signature: str) -> list[int]:
    """Return how many axes of each argument the function takes itself."""
    if not _SIGNATURE.fullmatch(signature):
        raise ValueError(message("vectorize", "signature", "read like '(m,n),(n)->(m)'", repr(signature)))
    inputs = signature.partition("->")[0]
    return [len(re.findall(r"\w+", group)) for group in re.findall(r"\(([^)]*)\)", inputs)]


def _ranks_of(arrays: list[Array], ranks: list[int] | None) -> list[int]:
    if ranks is None:
        return [0] * len(arrays)
    shapes = [x.shape for x in arrays]
    if len(ranks) != len(arrays) or any(len(s) < rank for s, rank in zip(shapes, ranks, strict=True)):
        raise ValueError(
            message("vectorize", "the arguments", f"have at least the axes {ranks} of the signature", shapes)
        )
    return ranks
