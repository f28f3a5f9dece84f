"""Trees of arrays in files: written whole or not at all, refused where they do not fit.

A file is in the safetensors format: an array for each leaf, under its path, and a manifest of the leaves'
dtypes, shapes and order of axes in memory in the header. Nothing in it is ever executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from funcdl._extras import load as load_extra
from funcdl._files import write_whole
from funcdl.optim.masks import path_mask
from transforms import tree
from transforms.errors import TreeMismatchError, message
from transforms.lazy import lazy_module
from transforms.tree import Tree
from transforms.types import ArrayType, type_of

safetensors = lazy_module("safetensors")
safetensors_numpy = lazy_module("safetensors.numpy")

FORMAT = "funcdl.checkpoints"
VERSION = 1

# What the format stores as it is; the bytes of any other dtype are stored, and its name in the manifest.
INTEGERS = [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
NATIVE = frozenset(["bool", *INTEGERS, "float16", "float32", "float64"])

SHOWN_DIFFERENCES = 8


class CheckpointError(ValueError):
    """A file is no checkpoint that can be read: truncated, foreign, or of a later version."""


def save(path: str | os.PathLike[str], values: Tree, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write the leaves of a tree to a file.

    The file is written beside its place, flushed to the disk and renamed: whoever reads, at whatever time,
    finds the old file or the new one.

    Args:
        path: where; its folder must exist.
        values: a tree of arrays and Python numbers.
        metadata: further text to keep, by name.

    Raises:
        ValueError: two leaves have the same path.
        TypeError: a leaf is not an array of numbers.
        FileNotFoundError: the folder does not exist.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/a.safetensors", {"w": np.ones(2), "step": 3})
    ...     load(folder + "/a.safetensors", {"w": np.zeros(2), "step": 0})
    {'w': array([1., 1.]), 'step': 3}
    """
    paths = tree.paths(values)
    if len(set(paths)) != len(paths):
        twice = next(name for name in paths if paths.count(name) > 1)
        raise ValueError(message("checkpoints.save", "every leaf", "have a path of its own", repr(twice)))
    arrays = {name: _as_array(name, leaf) for name, leaf in zip(paths, tree.leaves(values), strict=True)}
    manifest = {
        name: {"dtype": array.dtype.name, "shape": list(array.shape), "order": _memory_order(array)}
        for name, array in arrays.items()
    }
    header = {"format": FORMAT, "version": str(VERSION), "manifest": json.dumps(manifest)}
    header |= {f"user/{name}": text for name, text in (metadata or {}).items()}
    stored = {name: _storable(array) for name, array in arrays.items()}
    write_whole("checkpoints.save", Path(path), safetensors_numpy.save(stored, header))


def load(path: str | os.PathLike[str], like: Tree) -> Tree:
    """Read a tree from a file.

    Args:
        path: of a file that `save` wrote.
        like: a tree of the same structure, with leaves of the same shapes and dtypes: arrays, their
            `ArrayType`, or Python numbers.

    Returns:
        A tree like ``like``, with NumPy arrays, and Python numbers where ``like`` has some.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read; names the file and the reason.
        TreeMismatchError: it holds another tree; names the paths that differ.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/a.safetensors", {"w": np.ones(2), "step": 3})
    ...     load(folder + "/a.safetensors", {"w": ArrayType((2,), np.dtype(float)), "step": 0})
    {'w': array([1., 1.]), 'step': 3}
    """
    arrays, _ = _read("checkpoints.load", Path(path))
    paths, leaves = tree.paths(like), tree.leaves(like)
    expected = dict(zip(paths, leaves, strict=True))
    differences = [f"{name!r} is missing in the file" for name in paths if name not in arrays]
    differences += [f"{name!r} is only in the file" for name in arrays if name not in expected]
    differences += _type_differences(arrays, expected)
    _refuse("checkpoints.load", path, differences)
    restored = [_like(arrays[name], leaf) for name, leaf in expected.items()]
    return tree.unflatten(tree.structure(like), restored)


def load_partial(path: str | os.PathLike[str], like: Tree, *patterns: str) -> Tree:
    """Read some leaves from a file; the others stay as they are.

    Args:
        path: of a file that `save` wrote. It may hold more, and less.
        like: the tree to fill.
        patterns: of the paths to read, as in `funcdl.optim.path_mask`: ``"encoder/**"``; at least one.

    Returns:
        The tree with the leaves whose path matches taken from the file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read; names the file and the reason.
        TreeMismatchError: a leaf to read is not in it, or of another shape or dtype; names the paths.
        ValueError: a pattern matches no path of ``like``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/a.safetensors", {"encoder": {"w": np.ones(2)}})
    ...     load_partial(folder + "/a.safetensors", {"encoder": {"w": np.zeros(2)}, "head": 5}, "encoder/**")
    {'encoder': {'w': array([1., 1.])}, 'head': 5}
    """
    where = "checkpoints.load_partial"
    flags = tree.leaves(path_mask(*patterns)(like))
    arrays, _ = _read(where, Path(path))
    named = list(zip(tree.paths(like), tree.leaves(like), flags, strict=True))
    wanted = {name: leaf for name, leaf, flag in named if flag}
    differences = [f"{name!r} is missing in the file" for name in wanted if name not in arrays]
    _refuse(where, path, differences + _type_differences(arrays, wanted))
    filled = [_like(arrays[name], leaf) if flag else leaf for name, leaf, flag in named]
    return tree.unflatten(tree.structure(like), filled)


def manifest(path: str | os.PathLike[str]) -> dict[str, ArrayType]:
    """Return the type of each leaf in a file, by its path. It reads the header alone.

    Args:
        path: of a file that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read; names the file and the reason.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/a.safetensors", {"w": [np.ones(2)], "step": 3})
    ...     manifest(folder + "/a.safetensors")
    {'step': int64[], 'w/0': float64[2]}
    """
    header, _ = _open("checkpoints.manifest", Path(path), with_arrays=False)
    entries = json.loads(header["manifest"]).items()
    return {name: ArrayType(tuple(entry["shape"]), _dtype(entry["dtype"])) for name, entry in entries}


def metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return the text that was given to `save`, by name.

    Args:
        path: of a file that `save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it cannot be read; names the file and the reason.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(folder + "/a.safetensors", {"w": np.ones(2)}, metadata={"model": "spiral"})
    ...     metadata(folder + "/a.safetensors")
    {'model': 'spiral'}
    """
    header, _ = _open("checkpoints.metadata", Path(path), with_arrays=False)
    return {name.removeprefix("user/"): text for name, text in header.items() if name.startswith("user/")}


def _as_array(name: str, leaf: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(leaf)
    if array.dtype.kind in "OSUmM" or array.dtype.names is not None:
        got = f"{type(leaf).__name__} of dtype {array.dtype}"
        raise TypeError(message("checkpoints.save", f"the leaf at {name!r}", "be an array of numbers", got))
    return array


def _memory_order(array: np.ndarray[Any, Any]) -> list[int]:
    # A product of matrices may round otherwise if one of them lies transposed: to go on bit for bit takes
    # the array's order in memory, too.
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def _storable(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    # The format's writer takes the memory as it lies there.
    contiguous: np.ndarray[Any, Any] = np.ascontiguousarray(array).reshape(array.shape)
    return contiguous if array.dtype.name in NATIVE else np.frombuffer(array.tobytes(), np.uint8)


def _read(where: str, path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]:
    header, stored = _open(where, path, with_arrays=True)
    entries = json.loads(header["manifest"])
    if entries.keys() != stored.keys():
        raise _unreadable(where, path, "arrays that are not those of its manifest")
    return {name: _restored(stored[name], entry) for name, entry in entries.items()}, header


def _open(
    where: str, path: Path, *, with_arrays: bool
) -> tuple[dict[str, str], dict[str, np.ndarray[Any, Any]]]:
    """Return the header of a file of ours and, if asked, its arrays as they are stored."""
    if not path.exists():
        raise FileNotFoundError(message(where, "the checkpoint", "exist", f"no file at {path}"))
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            names = list(file.keys()) if with_arrays and header.get("format") == FORMAT else []
            stored = {name: file.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError) as error:
        raise _unreadable(where, path, f"a truncated or damaged file ({error})") from error
    if header.get("format") != FORMAT:
        raise _unreadable(where, path, "a safetensors file of another origin")
    if header.get("version") != str(VERSION):
        raise _unreadable(where, path, f"version {header.get('version')}, where {VERSION} is known")
    return header, stored


def _restored(stored: np.ndarray[Any, Any], entry: dict[str, Any]) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = stored
    if entry["dtype"] not in NATIVE:
        values = stored.view(_dtype(entry["dtype"])).reshape(entry["shape"])
    order = entry["order"]
    # A copy, in memory that NumPy has aligned.
    return values.transpose(order).copy().transpose(np.argsort(order))


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        # NumPy knows bfloat16 and its like by name only once their package has been imported.
        found: np.dtype[Any] = np.dtype(getattr(load_extra("ml_dtypes", "half", "checkpoints.load"), name))
        return found


def _unreadable(where: str, path: Path, reason: str) -> CheckpointError:
    rule = f"be a file that checkpoints.save wrote, at {path}"
    return CheckpointError(message(where, "the checkpoint", rule, reason))


def _type_differences(arrays: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    types = {name: (type_of(arrays[name]), leaf) for name, leaf in expected.items() if name in arrays}
    return [
        f"{name!r} is {found} in the file, not {type_of(leaf)}"
        for name, (found, leaf) in types.items()
        if found != type_of(leaf)
    ]


def _refuse(where: str, path: str | os.PathLike[str], differences: list[str]) -> None:
    if not differences:
        return
    shown = "; ".join(differences[:SHOWN_DIFFERENCES])
    more = len(differences) - SHOWN_DIFFERENCES
    got = shown + (f"; and {more} more" if more > 0 else "")
    rule = f"have the tree of the file {os.fspath(path)}"
    raise TreeMismatchError(message(where, "the tree to fill", rule, got))


def _like(array: np.ndarray[Any, Any], leaf: Any) -> Any:
    """Return a number or a NumPy scalar where the tree to fill has one."""
    if isinstance(leaf, (bool, int, float, complex)) and not isinstance(leaf, np.generic):
        return type(leaf)(array.item())
    return array[()] if isinstance(leaf, np.generic) else array
