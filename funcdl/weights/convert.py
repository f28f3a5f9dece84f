"""Parameters from and to other libraries, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from funcdl.weights.rules import Place, Rule
from funcdl.weights.tables import FLAX, KERAS, TORCH
from transforms import tree, type_of
from transforms.errors import message
from transforms.tree import Tree


def from_torch(params: Tree, arrays: Mapping[str, Any], layers: Mapping[str, Place]) -> Tree:
    """Fill parameters with the weights of a PyTorch model.

    Kinds: dense (``Linear``), conv (``Conv1d`` to ``Conv3d``, depthwise as well), embedding, batch_norm,
    batch_norm_state (for the model's state), layer_norm, group_norm, instance_norm, rms_norm, lstm and gru
    (one layer, one direction), attention (``MultiheadAttention``).

    Args:
        params: the parameters, or the state, of the model to fill.
        arrays: a ``state_dict``, of tensors on the CPU or arrays.
        layers: for the path of each layer in ``params``, its `Place` in the PyTorch model.

    Returns:
        A tree like ``params``, in its dtypes; the layers that are not named are as they were.

    Raises:
        ValueError: a path, a kind or a name is not there, a shape does not fit, or only one of the two
            layers has a bias; names it.

    >>> from funcdl import nn, random
    >>> params, _ = nn.serial(nn.dense(3)).init(random.key(0), np.ones((1, 2), np.float32))
    >>> arrays = {"fc.weight": np.ones((3, 2)), "fc.bias": np.zeros(3)}
    >>> from_torch(params, arrays, {"0": Place("dense", "fc")})[0]["kernel"].shape
    (2, 3)
    """
    return _fill("weights.from_torch", params, dict(arrays), layers, TORCH, ".")


def to_torch(params: Tree, layers: Mapping[str, Place]) -> dict[str, np.ndarray[Any, Any]]:
    """Return parameters under PyTorch's names and in its layouts; the inverse of `from_torch`.

    Args:
        params: the parameters, or the state, of a model.
        layers: for the path of each layer, its `Place` in the PyTorch model.

    Returns:
        Arrays for ``load_state_dict``, after ``torch.tensor``. Of two biases that add up the second is 0.

    Raises:
        ValueError: a path or a kind is not there.
    """
    return _write("weights.to_torch", params, layers, TORCH, ".")


def from_flax(params: Tree, arrays: Tree, layers: Mapping[str, Place]) -> Tree:
    """Fill parameters with the weights of a Flax model.

    Kinds: those of `from_torch`; lstm and gru are its cells, attention is ``MultiHeadDotProductAttention``.

    Args:
        params: the parameters, or the state, of the model to fill.
        arrays: the nested dict ``variables["params"]``, or ``variables["batch_stats"]`` for the state.
        layers: for the path of each layer in ``params``, its `Place` in the Flax model, where the names of
            nested modules are joined by ``/``.

    Returns:
        A tree like ``params``, in its dtypes; the layers that are not named are as they were.

    Raises:
        ValueError: as of `from_torch`.
    """
    flat = dict(zip(tree.paths(arrays), tree.leaves(arrays), strict=True))
    return _fill("weights.from_flax", params, flat, layers, FLAX, "/")


def to_flax(params: Tree, layers: Mapping[str, Place]) -> dict[str, Any]:
    """Return parameters as the nested dict of a Flax model; the inverse of `from_flax`.

    Args:
        params: the parameters, or the state, of a model.
        layers: for the path of each layer, its `Place` in the Flax model; of attention with its heads.

    Raises:
        ValueError: a path or a kind is not there.
    """
    nested: dict[str, Any] = {}
    for name, array in _write("weights.to_flax", params, layers, FLAX, "/").items():
        *outer, last = name.split("/")
        inner = nested
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = array
    return nested


def from_keras(params: Tree, arrays: Mapping[str, Any], layers: Mapping[str, Place]) -> Tree:
    """Fill parameters with the weights of a Keras model.

    Kinds: dense, conv, embedding, batch_norm, batch_norm_state, layer_norm, group_norm, rms_norm, lstm,
    attention (``MultiHeadAttention``).

    Args:
        params: the parameters, or the state, of the model to fill.
        arrays: by the path of each variable: ``{v.path: v.numpy() for v in model.variables}``.
        layers: for the path of each layer in ``params``, its `Place` in the Keras model, such as
            ``Place("dense", "sequential/dense_1")``.

    Returns:
        A tree like ``params``, in its dtypes; the layers that are not named are as they were.

    Raises:
        ValueError: as of `from_torch`.
    """
    return _fill("weights.from_keras", params, dict(arrays), layers, KERAS, "/")


def to_keras(params: Tree, layers: Mapping[str, Place]) -> dict[str, np.ndarray[Any, Any]]:
    """Return parameters under Keras' names and in its layouts; the inverse of `from_keras`.

    Args:
        params: the parameters, or the state, of a model.
        layers: for the path of each layer, its `Place` in the Keras model; of attention with its heads.

    Raises:
        ValueError: a path or a kind is not there.
    """
    return _write("weights.to_keras", params, layers, KERAS, "/")


def _fill(
    where: str,
    params: Tree,
    arrays: dict[str, Any],
    layers: Mapping[str, Place],
    table: Mapping[str, tuple[Rule, ...]],
    separator: str,
) -> Tree:
    leaves = dict(zip(tree.paths(params), tree.leaves(params), strict=True))
    for path, place in layers.items():
        for rule, ours, theirs in _named_rules(where, leaves, path, place, table, separator):
            if not any(name in leaves for name in ours) and not any(name in arrays for name in theirs):
                continue
            _check_present(where, "the parameters", ours, leaves)
            _check_present(where, "the arrays", theirs, arrays)
            given = rule.read([np.asarray(arrays[name]) for name in theirs])
            for name, value in zip(ours, given, strict=True):
                leaves[name] = _fitted(where, name, value, leaves[name], theirs)
    return tree.unflatten(tree.structure(params), leaves.values())


def _write(
    where: str,
    params: Tree,
    layers: Mapping[str, Place],
    table: Mapping[str, tuple[Rule, ...]],
    separator: str,
) -> dict[str, np.ndarray[Any, Any]]:
    leaves = dict(zip(tree.paths(params), tree.leaves(params), strict=True))
    written: dict[str, np.ndarray[Any, Any]] = {}
    for path, place in layers.items():
        for rule, ours, theirs in _named_rules(where, leaves, path, place, table, separator):
            if any(name in leaves for name in ours):
                _check_present(where, "the parameters", ours, leaves)
                given = rule.write([np.asarray(leaves[name]) for name in ours], place)
                written.update(zip(theirs, map(np.ascontiguousarray, given), strict=True))
    return written


def _named_rules(
    where: str,
    leaves: Mapping[str, Any],
    path: str,
    place: Place,
    table: Mapping[str, tuple[Rule, ...]],
    separator: str,
) -> list[tuple[Rule, list[str], list[str]]]:
    """Return the rules of a layer, each with the whole names of ours and theirs."""
    if place.kind not in table:
        raise ValueError(message(where, "the kind", f"be one of {', '.join(table)}", repr(place.kind)))
    if path and not any(name.startswith(f"{path}/") for name in leaves):
        raise ValueError(message(where, "a path", "lead to a layer with parameters", repr(path)))
    before, start = f"{path}/" if path else "", f"{place.name}{separator}" if place.name else ""
    return [
        (rule, [before + name for name in rule.ours], [start + name for name in rule.theirs])
        for rule in table[place.kind]
    ]


def _check_present(where: str, what: str, names: list[str], there: Mapping[str, Any]) -> None:
    for name in names:
        if name not in there:
            got = ", ".join(there) or "none"
            raise ValueError(message(where, what, f"have {name!r}", got))


def _fitted(where: str, name: str, value: Any, like: Any, theirs: list[str]) -> np.ndarray[Any, Any]:
    shape, dtype = type_of(like)
    if value.shape != shape:
        got = f"{value.shape} from {', '.join(map(repr, theirs))}"
        raise ValueError(message(where, f"{name!r}", f"have shape {shape}", got))
    fitted: np.ndarray[Any, Any] = np.ascontiguousarray(value).astype(dtype)
    return fitted
