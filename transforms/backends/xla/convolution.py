"""Lowering of the convolution."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from transforms.backends.xla.matmul import precision
from transforms.backends.xla.promotion import together
from transforms.backends.xla.registry import lower
from transforms.primitives.convolution import Geometry
from transforms.types import Array


@lower("conv")
def _conv(x: Array, kernel: Array, geometry: Geometry) -> Array:
    x, kernel = together(x, kernel)
    if geometry.groups > 1 and _fills_first_axis(x, kernel, geometry):
        return jnp.expand_dims(_convolve(*_as_channels(x, kernel, geometry)), 1)
    return _convolve(x, kernel, geometry)


def _fills_first_axis(x: Array, kernel: Array, geometry: Geometry) -> bool:
    """Say whether the window is as long as the first spatial axis, as that of a kernel's derivative is."""
    is_plain = geometry.padding[:1] == ((0, 0),) and geometry.input_dilation[0] == geometry.dilation[0] == 1
    return x.ndim > 3 and is_plain and kernel.shape[0] == x.shape[1]


def _as_channels(x: Array, kernel: Array, geometry: Geometry) -> tuple[Array, Array, Geometry]:
    """Return a convolution whose first spatial axis is one of channels: XLA is slow along more than two."""
    examples, length, *spatial, channels = x.shape
    _, *window, inner, features = kernel.shape
    strides, padding, dilation, input_dilation, groups = geometry
    split = jnp.moveaxis(x.reshape((examples, length, *spatial, groups, channels // groups)), 1, -2)
    return (
        split.reshape((examples, *spatial, length * channels)),
        jnp.moveaxis(kernel, 0, -3).reshape((*window, length * inner, features)),
        Geometry(strides[1:], padding[1:], dilation[1:], input_dilation[1:], groups),
    )


def _convolve(x: Array, kernel: Array, geometry: Geometry) -> Array:
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
