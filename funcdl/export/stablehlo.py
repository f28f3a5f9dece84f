"""StableHLO files, which JAX and other users of XLA read."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from funcdl._extras import load
from funcdl._files import write_whole
from transforms import jit, tree, type_of
from transforms.errors import message


def save_stablehlo(
    path: str | os.PathLike[str],
    f: Callable[..., Any],
    *args: Any,
    platforms: Sequence[str] | None = None,
) -> None:
    """Write a function's program to a file, as StableHLO with its calling convention.

    The file is what ``jax.export`` serializes: JAX of the same or a somewhat later version runs it, on the
    platforms that it is lowered for, without this library.

    Args:
        path: the file to write.
        f: a function of trees of arrays that returns a tree of arrays. The trees are of dicts, lists and
            tuples. A jitted function is one, whatever its backend.
        *args: its arguments, with arrays or `ArrayType` for leaves.
        platforms: such as "cpu", "cuda" and "tpu"; that of this process if None.

    Raises:
        ValueError: the program calls the host: XLA has no operation for one of its primitives.
        ImportError: JAX is not installed.
    """
    jax = load("jax", "xla", "export.save_stablehlo")
    export = load("jax.export", "xla", "export.save_stablehlo")
    compiled = jit(f, backend="xla")
    with jax.enable_x64(True):
        types = tree.map(lambda x: jax.ShapeDtypeStruct(type_of(x).shape, type_of(x).dtype), args)
        try:
            exported = export.export(jax.jit(lambda *arrays: compiled(*arrays)), platforms=platforms)(*types)
            data = exported.serialize()
        except NotImplementedError as error:
            rule = "have an operation of XLA for each primitive"
            raise ValueError(message("export.save_stablehlo", "the program", rule, error)) from error
    write_whole("export.save_stablehlo", Path(path), bytes(data))


def load_stablehlo(path: str | os.PathLike[str]) -> Callable[..., Any]:
    """Return the function of a file that `save_stablehlo`, or ``jax.export``, wrote.

    Args:
        path: the file.

    Returns:
        A function of arrays of the types that the file was written for. It returns JAX arrays.

    Raises:
        ValueError: the file holds no such program; the message has its path and the reason.
        ImportError: JAX is not installed.

    >>> import os, tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "square.stablehlo")
    ...     save_stablehlo(path, np.square, np.zeros(3, np.float32))
    ...     square = load_stablehlo(path)
    >>> np.asarray(square(np.arange(3, dtype=np.float32)))
    array([0., 1., 4.], dtype=float32)
    """
    jax = load("jax", "xla", "export.load_stablehlo")
    export = load("jax.export", "xla", "export.load_stablehlo")
    data = bytearray(Path(path).read_bytes())
    with jax.enable_x64(True):
        try:
            exported = export.deserialize(data)
        except Exception as error:  # whatever the reader of a foreign format stumbles over
            rule = "hold a program that jax.export wrote"
            raise ValueError(message("export.load_stablehlo", f"the file {path}", rule, error)) from error
    run = jax.jit(exported.call)

    def loaded(*args: Any) -> Any:
        with jax.enable_x64(True):
            return run(*args)

    return loaded
