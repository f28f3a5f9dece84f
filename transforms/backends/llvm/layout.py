"""Where the buffers of a program are when it runs, and what of a schedule a call needs."""

from __future__ import annotations

from typing import NamedTuple

from transforms.backends.llvm.memory import plan_memory
from transforms.backends.llvm.steps import FAILURE, HostCall, Plan, Schedule
from transforms.backends.llvm.threads import get_threads
from transforms.graph.ir import Variable


class Layout(NamedTuple):
    """Where the buffers are when a segment runs.

    Attributes:
        plan: the arena, whose address is the first of the table.
        slots: the places of other buffers in the table: of constants, inputs, results, and what NumPy gives,
            in this order.
    """

    plan: Plan
    slots: dict[Variable, int]


class Build(NamedTuple):
    """What a call of a program needs.

    Attributes:
        schedule: inputs, constants and outputs; of its steps only calls of NumPy are left.
        layout: of the arena and of other buffers.
        parts: in order: the number of a segment, or a call of NumPy.
        objects: object code.
        names: its entries on disk.
    """

    schedule: Schedule
    layout: Layout
    parts: tuple[int | HostCall, ...]
    objects: list[bytes]
    names: list[str]


def lay_out(schedule: Schedule) -> Layout:
    """Plan the arena, and number the other arrays."""
    return Layout(plan_memory(schedule, get_threads()), table_slots(schedule))


def table_slots(schedule: Schedule) -> dict[Variable, int]:
    """Number the arrays: constants, inputs, results, what NumPy will give, and failures."""
    slots: dict[Variable, int] = {}
    given = (*(x for x, _ in schedule.constants), *schedule.inputs)
    for buffer in (*given, *native_results(schedule), *host_results(schedule), FAILURE):
        slots.setdefault(buffer, len(slots) + 1)
    return slots


def host_results(schedule: Schedule) -> list[Variable]:
    """Return what NumPy gives."""
    return [y for x in schedule.steps if isinstance(x, HostCall) for y in x.equation.results]


def native_results(schedule: Schedule) -> list[Variable]:
    """Return, each once, the results that kernels and products write."""
    others = {*(x for x, _ in schedule.constants), *schedule.inputs, *host_results(schedule)}
    returned = dict.fromkeys(x[0] for x in schedule.outputs if isinstance(x, tuple))
    return [x for x in returned if x not in others]


def outline(schedule: Schedule, layout: Layout) -> tuple[Schedule, Layout]:
    """Return what calls need of a schedule: no steps that are code, nor the places of their buffers."""
    on_host = tuple(x for x in schedule.steps if isinstance(x, HostCall))
    plan = layout.plan._replace(offsets=layout.plan.offsets if on_host else {}, parts={})
    constants = tuple(dict(schedule.constants).items())
    return schedule._replace(constants=constants, steps=on_host), layout._replace(plan=plan)
