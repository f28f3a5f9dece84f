"""The IDX format of arrays, in which MNIST is published."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path

import numpy as np

from funcdl.datasets.files import contents, refusal
from transforms.types import Array

# The third byte of a file tells the type of its numbers, which are big-endian.
DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read an array from a file in the IDX format.

    The file begins with two zero bytes, the type of the numbers, and the number of axes; then come the
    sizes, and the numbers, the last axis first.

    Args:
        path: of the file; it is decompressed if it ends in ``.gz``.

    Returns:
        Array of the shape and type that the file states.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: the file is in another format, truncated, or too long.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
    """
    path, where = Path(path), "datasets.read_idx"
    data = contents(where, path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in DTYPES:
        rule = "begin with two zero bytes, the type of its numbers and the number of its axes"
        raise refusal(where, path, rule, f"the bytes {data[:4].hex(' ') or 'none'}")
    dtype, axes = np.dtype(DTYPES[data[2]]), data[3]
    start = 4 + 4 * axes
    if len(data) < start:
        raise refusal(where, path, f"have a head of {start} bytes", f"{len(data)}", "it is truncated")
    shape = struct.unpack(f">{axes}I", data[4:start])
    size = math.prod(shape) * dtype.itemsize
    if len(data) - start != size:
        remedy = "it is truncated" if len(data) - start < size else ""
        got = f"{len(data) - start} bytes"
        raise refusal(where, path, f"hold {size} bytes for the shape {shape}", got, remedy)
    numbers = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return numbers.astype(dtype.newbyteorder("="))
