"""Matrix products."""

from __future__ import annotations

import math

from transforms.backends.llvm.products import CONTRACTED, matrix_product, with_few_rows
from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import Contraction, DType, Region
from transforms.backends.llvm.views import whole
from transforms.graph.ir import Equation, Operand, Variable
from transforms.types import ArrayType

# For fewer rows than this, a right operand whose columns are not adjacent is not copied.
_FEW_ROWS = 4
# So few columns leave most of a vector empty.
_FEW_COLUMNS = 5
# Sums of fewer elements do not pay for adding up the vector at their end.
_LONG = 32
# For fewer rows the right operand is not copied.
_MANY_ROWS = 64


@rule("matmul")
def product(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a matrix product; a right operand whose columns are not adjacent is transposed first."""
    (result,) = equation.results
    if result.type.dtype not in CONTRACTED:
        return False
    left, right = (_multiplicand(scheduler, x, result.type.dtype) for x in equation.operands)
    add_product(scheduler, left, right, result)
    return True


def add_product(scheduler: Scheduler, left: Region, right: Region, result: Variable) -> None:
    """Add the product of two matrices, stacks of them or vectors."""
    if len(left.shape) == 1:
        left = Region(left.access._replace(strides=(0, *left.access.strides)), (1, *left.shape))
    if len(right.shape) == 1:
        right = Region(right.access._replace(strides=(*right.access.strides, 0)), (*right.shape, 1))
    product = matrix_product(left, right, result)
    inner, columns = left.shape[-1], product.right.strides[-1]
    if not inner or product.is_empty:
        scheduler.write(0, whole(result))
        scheduler.stored.add(result)
    elif columns == 1 or product.columns == 1:
        contract(scheduler, product)
    elif math.prod(product.rows) < _FEW_ROWS and product.right.strides[-2] == 1:
        _sum_of_products(scheduler, product)
    else:
        contract(scheduler, matrix_product(left, scheduler.copy(right), result))


def contract(scheduler: Scheduler, product: Contraction) -> None:
    """Add a contraction, or a sum if its result has too few columns to fill vectors with."""
    turned = with_few_rows(product) or product
    if turned.columns == 1:
        _sum_of_products(scheduler, turned)
    elif _fills_vectors_along_sums(turned):
        _sum_of_products(scheduler, _with_columns_apart(scheduler, turned))
    else:
        scheduler.contract(turned)


def _fills_vectors_along_sums(product: Contraction) -> bool:
    """Say whether so few columns are made sooner one by one, each as sums along the inner axes."""
    along = product.inner[-1:] >= (_LONG,) and product.left.strides[-1] == 1
    return along and product.columns <= _FEW_COLUMNS and math.prod(product.rows) >= _MANY_ROWS


def _with_columns_apart(scheduler: Scheduler, product: Contraction) -> Contraction:
    """Copy the right operand so that what is summed is adjacent for each column."""
    count = len(product.stack)
    *others, column = product.right.strides
    strides = (*others[:count], column, *others[count:])
    shape = (*product.stack, product.columns, *product.inner)
    access = scheduler.copy(Region(product.right._replace(strides=strides), shape)).access
    stack, (column, *inner) = access.strides[:count], access.strides[count:]
    return product._replace(right=access._replace(strides=(*stack, *inner, column)))


def _sum_of_products(scheduler: Scheduler, product: Contraction) -> None:
    """Add a product as a sum along the inner axes of both operands."""
    stack, rows, inner = product.stack, product.rows, product.inner
    shape = (*stack, *rows, product.columns, *inner)
    left, right, out = product.left.strides, product.right.strides, product.out.strides
    count, last = len(stack), len(stack) + len(rows)
    none = (0,) * len(rows)
    operands = [
        Region(product.left._replace(strides=(*left[:last], 0, *left[last:])), shape),
        Region(product.right._replace(strides=(*right[:count], *none, right[-1], *right[count:-1])), shape),
    ]
    access = product.out._replace(strides=(*out, *(0 for _ in inner)))
    scheduler.sum_of_products(operands, access, len(inner))


def _multiplicand(scheduler: Scheduler, operand: Operand, dtype: DType) -> Region:
    assert isinstance(operand, Variable)
    region = scheduler.regions[operand]
    if region.access.buffer.type.dtype == dtype:
        return region
    buffer = Variable(ArrayType(region.shape, dtype))
    scheduler.write(region, whole(buffer))
    scheduler.stored.add(buffer)
    return scheduler.regions[buffer]
