"""Convolution of images, volumes and sequences, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from funcdl.functional.spatial import check_padding_name, for_each_axis, spatial_rank
from transforms import conv as convolve
from transforms import conv_transpose as convolve_transposed
from transforms.errors import message
from transforms.types import Array


def conv(
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "VALID",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Slide a kernel over the spatial axes: ``y[n, i, o] = sum_{w, c} x[n, s i + d w, c] * kernel[w, c, o]``.

    With strides s and dilation d. The kernel is not mirrored.

    Args:
        x: array of shape ``(batch, *spatial, channels)``, with any number of spatial axes from 1.
        kernel: array of shape ``(*window, channels // groups, features)``.
        strides: steps between neighbouring windows, positive; one for all axes or one for each.
        padding: "VALID" for none, "SAME" for ``ceil(length / stride)`` windows, "CAUSAL" (one spatial
            axis only) for windows that end where they stand, or for each axis the number of zeros before
            and after, as a pair or one number for both.
        dilation: steps between neighbouring elements of a window, positive.
        groups: into how many groups channels and features are divided; a feature sees only its group.

    Returns:
        An array of shape ``(batch, *counts, features)``.

    Raises:
        ValueError: the shapes do not fit each other, or an option is out of range.

    Source: LeCun et al., 1989, "Backpropagation applied to handwritten zip code recognition".

    >>> import numpy as np
    >>> conv(np.arange(4.0).reshape(1, 4, 1), np.ones((2, 1, 1)), padding="CAUSAL")[0, :, 0]
    array([0., 1., 3., 5.])
    """
    rank = spatial_rank("conv", x)
    check_padding_name("conv", padding, ("VALID", "SAME", "CAUSAL"))
    if isinstance(padding, str) and padding == "CAUSAL":
        padding = (_causal(kernel.shape[:-2], for_each_axis("conv", "dilation", dilation, rank)),)
    return convolve(x, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups)


def _causal(window: Sequence[int], dilation: Sequence[int]) -> tuple[int, int]:
    if len(window) != 1:
        raise ValueError(
            message("conv", "causal padding", "be for one spatial axis", f"{len(window)} axes", "give pairs")
        )
    return (window[0] - 1) * dilation[0], 0


def conv_transpose(
    x: Array,
    kernel: Array,
    *,
    strides: int | Sequence[int] = 1,
    padding: Any = "SAME",
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Array:
    """Convolve an input whose elements are spread apart by the strides: a learned up-sampling.

    It has the shapes of the transpose of a convolution with these strides. The kernel is not mirrored.

    Args:
        x: array of shape ``(batch, *spatial, channels)``.
        kernel: array of shape ``(*window, channels // groups, features)``.
        strides: factors by which the axes grow, positive; one for all axes or one for each.
        padding: "SAME" for lengths ``length * stride``, "VALID" for lengths
            ``length * stride + max(window - stride, 0)``, or for each axis the number of zeros before and
            after the spread input.
        dilation: steps between neighbouring elements of a window, positive.
        groups: into how many groups channels and features are divided; a feature sees only its group.

    Returns:
        An array of shape ``(batch, *lengths, features)``.

    Raises:
        ValueError: the shapes do not fit each other, or an option is out of range.

    Source: Dumoulin and Visin, 2016, "A guide to convolution arithmetic for deep learning",
    arXiv:1603.07285.

    >>> import numpy as np
    >>> conv_transpose(np.ones((1, 2, 1)), np.array([[[1.0]], [[2.0]]]), strides=2)[0, :, 0]
    array([2., 1., 2., 1.])
    """
    spatial_rank("conv_transpose", x)
    check_padding_name("conv_transpose", padding, ("VALID", "SAME"))
    return convolve_transposed(x, kernel, strides=strides, padding=padding, dilation=dilation, groups=groups)
