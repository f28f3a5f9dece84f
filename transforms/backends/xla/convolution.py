"""Lowering of the convolution."""

from __future__ import annotations

from typing import Any

from jax import lax

from transforms.backends.xla.matmul import precision
from transforms.backends.xla.promotion import together
from transforms.backends.xla.registry import lower
from transforms.types import Array


@lower("conv")
def _conv(x: Array, kernel: Array, geometry: Any) -> Array:
    x, kernel = together(x, kernel)
    rank = x.ndim
    spatial = tuple(range(1, rank - 1))
    numbers = lax.ConvDimensionNumbers(
        (0, rank - 1, *spatial), (rank - 1, rank - 2, *range(rank - 2)), (0, rank - 1, *spatial)
    )
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.padding,
        lhs_dilation=geometry.input_dilation,
        rhs_dilation=geometry.dilation,
        dimension_numbers=numbers,
        feature_group_count=geometry.groups,
        precision=precision(),
    )
