"""Loops that apply an operation of the llvm backend to one element, or vector, after another."""

import ctypes
from typing import NamedTuple

import numpy as np
from llvmlite import binding

from transforms.backends.llvm.machine import Code
from transforms.backends.llvm.processor import initialize
from transforms.backends.llvm.translation import translated
from transforms.backends.llvm.writer import BOOL, Writer, memory_type

_BYTE = np.dtype(np.uint8)


class Loop(NamedTuple):
    """A loop: its name, lanes (0: single values), dtypes, and what writes the operation."""

    name: str
    lanes: int
    inputs: list
    output: np.dtype
    write: object  # (writer, *operands) -> result


def module(loops):
    """Return the text of a module of loops."""
    texts, declarations = [], set()
    for loop in loops:
        text, declared = _text(loop)
        texts.append(text)
        declarations |= declared
    attributes = 'attributes #0 = { noinline nounwind "prefer-vector-width"="512" }'
    return "\n".join([*texts, *sorted(declarations), attributes])


def optimized(loops, cpu):
    """Return the text of the function of each loop, by name, as it is optimized for a processor."""
    initialize()
    machine = binding.Target.from_default_triple().create_target_machine(cpu=cpu, opt=3)
    parsed = binding.parse_assembly(module(loops))
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = True
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return {loop.name: str(parsed.get_function(loop.name)) for loop in loops}


def compiled(loops):
    """Compile loops into one module; return a function of a loop's name and its operands."""
    code = Code(translated([module(loops)]))
    outputs = {loop.name: loop.output for loop in loops}

    def run(name, *operands):
        out = np.zeros(operands[0].size, outputs[name])
        pointers = [x.ctypes.data for x in (out, *operands)]
        types = [ctypes.c_void_p] * len(pointers)
        address = code._engine.get_function_address(name)
        ctypes.CFUNCTYPE(None, *types, ctypes.c_int64)(address)(*pointers, out.size)
        return out

    return run


def _text(loop):
    writer = Writer(loop.lanes)
    values = []
    for i, dtype in enumerate(loop.inputs):
        place = writer.emit(f"getelementptr {memory_type(dtype)}, ptr %a{i}, i64 %i")
        loaded = writer.emit(f"load {_memory(loop, dtype)}, ptr {place}, align 1")
        values.append(writer.compare(_BYTE, "ne", loaded, "0") if dtype == BOOL else loaded)
    result = writer.operand(loop.output, loop.write(writer, *values))
    if loop.output == BOOL:
        result = writer.convert("zext", BOOL, _BYTE, result)
    place = writer.emit(f"getelementptr {memory_type(loop.output)}, ptr %out, i64 %i")
    writer.line(f"store {_memory(loop, loop.output)} {result}, ptr {place}, align 1")
    pointers = ["%out", *(f"%a{i}" for i in range(len(values)))]
    arguments = ", ".join([*(f"ptr noalias {x}" for x in pointers), "i64 %count"])
    lines = [
        f"define void @{loop.name}({arguments}) #0 {{",
        "entry:",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%n, %loop]",
        *writer.lines,
        f"  %n = add nuw nsw i64 %i, {max(loop.lanes, 1)}",
        "  %c = icmp ult i64 %n, %count",
        "  br i1 %c, label %loop, label %end",
        "end:",
        "  ret void",
        "}",
    ]
    return "\n".join(lines), writer.declarations


def _memory(loop, dtype):
    kind = memory_type(dtype)
    return f"<{loop.lanes} x {kind}>" if loop.lanes else kind
