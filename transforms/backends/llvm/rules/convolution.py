"""Convolutions, whose windows are read where they are: only padding and holes take a copy."""

from __future__ import annotations

from transforms.backends.llvm.products import CONTRACTED, window_contraction
from transforms.backends.llvm.rules import groups, phases, winograd
from transforms.backends.llvm.rules.padding import spread_out
from transforms.backends.llvm.rules.products import contract
from transforms.backends.llvm.scheduler import Scheduler, rule
from transforms.backends.llvm.steps import Region, Wait
from transforms.backends.llvm.views import whole
from transforms.graph.ir import Equation
from transforms.primitives.convolution import Geometry


@rule("conv")
def convolution(scheduler: Scheduler, equation: Equation) -> bool:
    """Add a convolution as a contraction over window and channels, of strided reads of the padded input."""
    (result,) = equation.results
    x, kernel = (scheduler.operand(operand) for operand in equation.operands)
    geometry: Geometry = equation.attributes["geometry"]
    dtype = result.type.dtype
    if not isinstance(x, Region) or not isinstance(kernel, Region) or dtype not in CONTRACTED:
        return False
    if any(region.access.buffer.type.dtype != dtype for region in (x, kernel)):
        return False
    if not result.type.size or 0 in kernel.shape:
        scheduler.write(0, whole(result))
        scheduler.stored.add(result)
        return True
    if phases.skips_holes(x.shape, kernel.shape, geometry):
        phases.convolve(scheduler, x, kernel, geometry, result, _add)
        return True
    if winograd.saves_products(kernel.shape, geometry, result):
        if kernel.shape[:2] == (3, 3):
            winograd.convolve(scheduler, x, kernel, geometry, result)
        else:
            winograd.correlate(scheduler, x, kernel, geometry, result)
        return True
    waits = [Wait(x.access.buffer), Wait(kernel.access.buffer)]
    x = spread_out(scheduler, x, 1, geometry.padding, geometry.input_dilation, 0, waits=waits)
    _add(scheduler, x, kernel, geometry, whole(result))
    return True


def _add(scheduler: Scheduler, x: Region, kernel: Region, geometry: Geometry, out: Region) -> None:
    """Add the sums over windows of an input that has its padding and its holes."""
    if groups.are_small(kernel.shape, geometry.groups) and groups.convolve(
        scheduler, x, kernel, geometry, out
    ):
        return
    if kernel.access.strides[-1] != 1 and kernel.shape[-1] > 1:
        kernel = scheduler.copy(kernel)
    contract(scheduler, window_contraction(x, kernel, geometry, out))
