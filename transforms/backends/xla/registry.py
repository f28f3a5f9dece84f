"""The table of lowerings, and what a lowering is.

A lowering is ``lowering(*operands, **attributes)`` and gives what the primitive of its name gives, with JAX
arrays for arrays. The operands of an elementwise primitive come with the dtypes of the loop that NumPy would
choose for them; see `transforms.backends.xla.promotion`. Another primitive's operands have their own dtypes,
and a Python number comes as itself. The interpreter casts a result to the dtype that the graph states. A
lowering that does not take such operands returns NotImplemented, and the host evaluates the primitive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import jax

from transforms.types import ArrayType

Lowering: TypeAlias = Callable[..., Any]

LOWERINGS: dict[str, Lowering] = {}
"""The lowering of each primitive, by its name."""


def lower(*names: str) -> Callable[[Lowering], Lowering]:
    """Decorate the lowering of the primitives of these names."""

    def register(lowering: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = lowering
        return lowering

    return register


def lower_alike(namespace: Any, *names: str) -> None:
    """Lower primitives to the functions of the same names in a module."""
    for name in names:
        LOWERINGS[name] = getattr(namespace, name)


def struct(array_type: ArrayType) -> Any:
    """Return what JAX has for the type of an array."""
    make: Any = jax.ShapeDtypeStruct
    return make(array_type.shape, array_type.dtype)
