"""Matrix products and convolutions as contractions, with the fewest axes that say them."""

from __future__ import annotations

import numpy as np

from transforms.backends.llvm.steps import Access, Contraction, Region
from transforms.backends.llvm.views import broadcast, contiguous_strides
from transforms.graph.ir import Variable
from transforms.primitives.convolution import Geometry
from transforms.types import Shape

CONTRACTED = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
"""The dtypes of contractions."""

# An axis: its length, and the strides of those operands that have it.
_Axis = tuple[int, tuple[int, ...]]


def matrix_product(left: Region, right: Region, result: Variable) -> Contraction:
    """Return the contraction of two stacks of matrices, whose leading axes broadcast against each other."""
    (rows, inner), columns = left.shape[-2:], right.shape[-1]
    stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    (row, left_inner), (right_inner, column) = left.access.strides[-2:], right.access.strides[-2:]
    out = contiguous_strides((*stack, rows, columns))
    return simplify(
        Contraction(
            stack,
            (rows,),
            (inner,),
            columns,
            left.access._replace(strides=(*_outer(left, stack), row, left_inner)),
            right.access._replace(strides=(*_outer(right, stack), right_inner, column)),
            Access(result, 0, out),
            result.type.dtype,
        )
    )


def _outer(region: Region, stack: Shape) -> tuple[int, ...]:
    outer = region.access._replace(strides=region.access.strides[:-2])
    return broadcast(Region(outer, region.shape[:-2]), stack).strides


def window_contraction(x: Region, kernel: Region, geometry: Geometry, out: Region) -> Contraction:
    """Return the sums over window and channels of a region that has its padding and its holes."""
    examples, *counts, features = out.shape
    *window, channels, _ = kernel.shape
    groups = geometry.groups
    x_examples, *x_spatial, x_channel = x.access.strides
    *k_window, k_channel, k_feature = kernel.access.strides
    o_examples, *o_counts, o_feature = out.access.strides
    steps = [stride * n for stride, n in zip(x_spatial, geometry.strides, strict=True)]
    holes = [stride * n for stride, n in zip(x_spatial, geometry.dilation, strict=True)]
    each = features // groups
    return simplify(
        Contraction(
            (groups,),
            (examples, *counts),
            (*window, channels),
            each,
            x.access._replace(strides=(channels * x_channel, x_examples, *steps, *holes, x_channel)),
            kernel.access._replace(strides=(each * k_feature, *k_window, k_channel, k_feature)),
            out.access._replace(strides=(each * o_feature, o_examples, *o_counts, o_feature)),
            out.access.buffer.type.dtype,
        )
    )


def simplify(contraction: Contraction) -> Contraction:
    """Drop axes of one element, merge those that are one, and take what all rows share out of the stack."""
    count, rows = len(contraction.stack), len(contraction.rows)
    left, right, out = (x.strides for x in (contraction.left, contraction.right, contraction.out))
    stacked: list[_Axis] = list(
        zip(contraction.stack, zip(left, right[:count], out[:count], strict=False), strict=True)
    )
    shared = [(n, (s[0], s[2])) for n, s in stacked if not s[1]]
    own = zip(left[count : count + rows], out[count:-1], strict=True)
    row_axes = _merged([*shared, *zip(contraction.rows, own, strict=True)]) or [(1, (0, 0))]
    stack_axes = _merged([axis for axis in stacked if axis[1][1]])
    summed = zip(left[count + rows :], right[count:-1], strict=True)
    inner_axes = _merged(list(zip(contraction.inner, summed, strict=True)))

    def strides(axes: list[_Axis], operand: int) -> tuple[int, ...]:
        return tuple(s[operand] for _, s in axes)

    return contraction._replace(
        stack=tuple(n for n, _ in stack_axes),
        rows=tuple(n for n, _ in row_axes),
        inner=tuple(n for n, _ in inner_axes),
        left=contraction.left._replace(
            strides=strides(stack_axes, 0) + strides(row_axes, 0) + strides(inner_axes, 0)
        ),
        right=contraction.right._replace(
            strides=(*strides(stack_axes, 1), *strides(inner_axes, 1), right[-1])
        ),
        out=contraction.out._replace(strides=(*strides(stack_axes, 2), *strides(row_axes, 1), out[-1])),
    )


def _merged(axes: list[_Axis]) -> list[_Axis]:
    """Drop axes of one element; take neighbours together whose elements follow each other in all operands."""
    merged: list[_Axis] = []
    for length, strides in axes:
        if length == 1:
            continue
        if merged and all(
            outer == stride * length for outer, stride in zip(merged[-1][1], strides, strict=True)
        ):
            merged[-1] = (merged[-1][0] * length, strides)
        else:
            merged.append((length, strides))
    return merged


def with_few_rows(contraction: Contraction) -> Contraction | None:
    """Exchange the operands of a matrix times a vector whose rows are adjacent; None if they are not.

    The rows of the product are then columns, which fill vectors.
    """
    if contraction.columns != 1 or len(contraction.rows) != 1:
        return None
    count = len(contraction.stack)
    left, right, out = contraction.left.strides, contraction.right.strides, contraction.out.strides
    if left[count] != 1:
        return None
    return contraction._replace(
        rows=(1,),
        columns=contraction.rows[0],
        left=contraction.right._replace(strides=(*right[:count], 0, *right[count:-1])),
        right=contraction.left._replace(strides=(*left[:count], *left[count + 1 :], 1)),
        out=contraction.out._replace(strides=(*out[:count], 0, out[count])),
    )
