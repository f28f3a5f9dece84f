"""ONNX files, for inference wherever there is a runtime for them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from funcdl._files import write_whole
from funcdl.export import onnx_control as onnx_control
from funcdl.export import onnx_elementwise as onnx_elementwise
from funcdl.export import onnx_layers as onnx_layers
from funcdl.export import onnx_structure as onnx_structure
from funcdl.export.onnx_writer import Writer, output_type
from transforms import jit


def save_onnx(path: str | os.PathLike[str], f: Callable[..., Any], *args: Any) -> None:
    """Write a function's program to a file, as an ONNX model.

    The model's inputs are the leaves of the arguments, ``input0``, ``input1`` and so on, and its outputs
    those of the result, ``output0`` and so on, of fixed shapes. Arrays that the function closes over are in
    the file. A file holds at most 2 GB.

    Args:
        path: the file to write.
        f: a function of trees of arrays that returns a tree of arrays, as ``lambda x: model(params, x)``.
        *args: its arguments, with arrays or `ArrayType` for leaves.

    Raises:
        ValueError: the program has an operation or a dtype that ONNX has not; the message names it.
        ImportError: the package onnx is not installed.
    """
    graph = jit(f).lower(*args).graph
    write = Writer(itertools.count())
    inputs = [f"input{i}" for i in range(len(graph.inputs))]
    results = write.program(graph, inputs)
    outputs = [f"output{i}" for i in range(len(results))]
    write.nodes += [
        write.onnx.helper.make_node("Identity", [name], [output])
        for name, output in zip(results, outputs, strict=True)
    ]
    declared = [write.typed(name, v.type) for name, v in zip(inputs, graph.inputs, strict=True)]
    types = [write.typed(name, output_type(x)) for name, x in zip(outputs, graph.outputs, strict=True)]
    model = write.model(write.graph(getattr(f, "__name__", "program"), declared, types))
    write_whole("export.save_onnx", Path(path), model.SerializeToString())
