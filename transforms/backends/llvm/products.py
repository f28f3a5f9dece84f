"""Matrix products as BLAS does them: which views it can read in place, and which stacks are one product."""

from __future__ import annotations

from transforms.backends.llvm.steps import Matrix, Product, Region
from transforms.backends.llvm.views import broadcast
from transforms.types import Shape


def as_matrix(region: Region, stack: Shape) -> Matrix | None:
    """Return a region as a stack of matrices; None if neither its rows nor its columns are adjacent."""
    (rows, columns), (row, column) = region.shape[-2:], region.access.strides[-2:]
    stacked = region.access._replace(strides=region.access.strides[:-2])
    outer = broadcast(Region(stacked, region.shape[:-2]), stack)
    if not rows or not columns:
        return Matrix(outer, max(columns, 1), transposed=False)
    if (column == 1 or columns <= 1) and (row >= max(columns, 1) or rows <= 1):
        return Matrix(outer, max(row if rows > 1 else columns, 1), transposed=False)
    if (row == 1 or rows <= 1) and (column >= max(rows, 1) or columns <= 1):
        return Matrix(outer, max(column if columns > 1 else rows, 1), transposed=True)
    return None


def merge_stack(product: Product) -> Product:
    """Take a stack of matrices times one matrix as one product of more rows."""
    stack, left = product.stack, product.left
    while stack and not left.transposed and not any(product.right.access.strides):
        distance = left.access.strides[-1]
        if distance != left.leading * product.rows:
            break
        access = left.access._replace(strides=left.access.strides[:-1])
        left = left._replace(access=access)
        product = product._replace(
            stack=stack[:-1],
            rows=product.rows * stack[-1],
            left=left,
            right=product.right._replace(
                access=product.right.access._replace(strides=product.right.access.strides[:-1])
            ),
            out=product.out._replace(strides=product.out.strides[:-1]),
        )
        stack = product.stack
    return product
