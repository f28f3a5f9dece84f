"""The workloads; each file here adds its own."""

from __future__ import annotations

import importlib
import pkgutil

from benchmarks.workload import Workload


def all_workloads() -> dict[str, Workload]:
    """Return the workloads of every file in this folder, by name, in the table's order."""
    names = [info.name for info in pkgutil.iter_modules(__path__)]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    in_order = sorted(modules, key=lambda module: module.ORDER)
    return {workload.name: workload for module in in_order for workload in module.WORKLOADS}
