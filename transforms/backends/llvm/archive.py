"""Compiled programs on disk by their graphs, so that a second process needs no schedule.

An entry says how a program is called: how large its arena is, what its results and constants are, and which
entries hold its object code. It is found by the digest of the graph and of all else that decides the code. A
program that calls NumPy is not kept: it needs its equations.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
import platform
import sys
from pathlib import Path
from typing import Any

import llvmlite
import numpy as np
from llvmlite import binding

from transforms.backends import IMPORTED
from transforms.backends.llvm import disk
from transforms.backends.llvm.layout import Build, Layout, native_results, table_slots
from transforms.backends.llvm.processor import host_processor
from transforms.backends.llvm.steps import HostCall, Plan, Schedule
from transforms.backends.llvm.threads import get_threads
from transforms.graph.digest import digest
from transforms.graph.ir import Graph, Variable
from transforms.types import Array, ArrayType

# An entry holds constants that the compiler made, if all take no more bytes.
_MOST_BYTES = 1 << 22
_PACKAGE = Path(__file__).parents[2]
_KINDS = "biufc"
_IMPORTING = 2 * 10**9  # nanoseconds; more than an import takes, and than times of files are rounded to


def key_of(graph: Graph, donated: tuple[int, ...] = ()) -> str | None:
    """Return the name of a program's entry, given which inputs are donated; None if there can be none."""
    if disk.cache_folder() is None:
        return None
    sources, content = _sources(), digest(graph)
    if sources is None or content is None:
        return None
    return disk.entry_name(content, repr((donated, sources, _surroundings(), get_threads())))


def load(key: str, graph: Graph) -> Build | None:
    """Return the build of a graph from disk; None if any part of it is not there as it was written."""
    content = disk.read(key)
    if content is None:
        return None
    try:
        length = int.from_bytes(content[:8], "little")
        entry = json.loads(content[8 : 8 + length])
        schedule = _restored(entry, graph, memoryview(content)[8 + length :])
        layout = Layout(Plan(entry["size"], {}, {}, entry["threads"]), table_slots(schedule))
        parts, names = tuple(range(entry["segments"])), [str(x) for x in entry["objects"]]
    except (LookupError, TypeError, ValueError):  # of another format than this one
        return None
    objects = [disk.read(name) for name in names]
    found = [code for code in objects if code is not None]
    return Build(schedule, layout, parts, found, names) if len(found) == len(names) else None


def keep(key: str, graph: Graph, build: Build) -> None:
    """Write the entry of a build, if there can be one."""
    calls_numpy = any(isinstance(x, HostCall) for x in build.parts)
    described = None if calls_numpy else _described(build.schedule, graph)
    if described is None:
        return
    entry, elements = described
    entry |= {
        "size": build.layout.plan.size,
        "threads": build.layout.plan.threads,
        "donated": [graph.inputs.index(x) for x in build.schedule.donated],
        "segments": len(build.parts),
        "objects": build.names,
    }
    head = json.dumps(entry).encode()
    disk.write(key, b"".join((len(head).to_bytes(8, "little"), head, *elements)))


def _described(schedule: Schedule, graph: Graph) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return a schedule without steps as plain data, and the elements of constants that it made."""
    given = {id(value): i for i, (_, value) in enumerate(graph.constants)}
    constants: list[Any] = []
    elements: list[bytes] = []
    for x, value in schedule.constants:
        if id(value) not in given:
            elements.append(np.ascontiguousarray(value).tobytes())
        constants.append(given.get(id(value), _type(x)))
    written = native_results(schedule)
    places = {
        **{x: ("result", i) for i, x in enumerate(written)},
        **{x: ("constant", i) for i, (x, _) in enumerate(schedule.constants)},
        **{x: ("input", i) for i, x in enumerate(schedule.inputs)},
    }
    buffers = [*written, *(x for x, value in schedule.constants if id(value) not in given)]
    plain = all(x.type.dtype.kind in _KINDS for x in buffers) and sum(map(len, elements)) <= _MOST_BYTES
    if not plain or not all(isinstance(x, tuple) for x in schedule.outputs):
        return None
    outputs = [(*places[x[0]], [*map(int, x[1])]) for x in schedule.outputs if isinstance(x, tuple)]
    return {"constants": constants, "results": [*map(_type, written)], "outputs": outputs}, elements


def _restored(entry: dict[str, Any], graph: Graph, elements: memoryview) -> Schedule:
    """Return the schedule without steps that an entry describes."""
    constants: list[tuple[Variable, Array]] = []
    for x in entry["constants"]:
        if isinstance(x, int):
            variable, value = graph.constants[x]
            constants.append((Variable(variable.type), value))
            continue
        variable = _variable(x)
        shape, dtype = variable.type
        count = math.prod(shape)
        constants.append((variable, np.frombuffer(elements, dtype, count).reshape(shape)))
        elements = elements[count * dtype.itemsize :]
    buffers = {
        "result": [*map(_variable, entry["results"])],
        "constant": [x for x, _ in constants],
        "input": graph.inputs,
    }
    outputs = tuple((buffers[kind][i], tuple(shape)) for kind, i, shape in entry["outputs"])
    donated = tuple(graph.inputs[i] for i in entry["donated"])
    return Schedule(graph.inputs, tuple(constants), (), outputs, donated)


def _type(x: Variable) -> tuple[list[int], str]:
    return [*map(int, x.type.shape)], x.type.dtype.str


def _variable(described: Any) -> Variable:
    shape, dtype = described
    return Variable(ArrayType(tuple(shape), np.dtype(dtype)))


def _surroundings() -> str:
    """Return what else than the library and the program decides the code."""
    modules = (np, llvmlite, *(sys.modules.get(name) for name in ("scipy", "ml_dtypes")))
    versions = [getattr(module, "__version__", None) for module in modules]
    return repr((sys.version, platform.machine(), binding.llvm_version_info, host_processor(), *versions))


@functools.cache
def _sources() -> str | None:
    """Return a digest of the names, sizes and times of the library's files.

    None if there are none to see, or one may have changed after it was imported.
    """
    found = []
    try:
        for folder, folders, names in os.walk(_PACKAGE):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in names:
                if name.endswith(".py"):
                    status = os.stat(os.path.join(folder, name))
                    if status.st_mtime_ns > IMPORTED - _IMPORTING:
                        return None
                    found.append((folder, name, status.st_size, status.st_mtime_ns))
    except OSError:
        return None
    return hashlib.sha256(repr(sorted(found)).encode()).hexdigest() if found else None
