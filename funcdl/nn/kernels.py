"""The kernels among the parameters of a layer, for layers that change those of another layer."""

from __future__ import annotations

from collections.abc import Mapping

from funcdl.nn.layer import Layer
from transforms import tree
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array


def kernels(where: str, layer: Layer | None, params: Tree) -> dict[str, Array]:
    """Return the parameters named ``kernel``, at any depth, by their paths.

    Args:
        where: the callable to name in an error.
        layer: the layer whose parameters they are, for the error, if it is known.
        params: its parameters.

    Raises:
        ValueError: there are none.
    """
    paths = tree.paths(params)
    leaves = dict(zip(paths, tree.leaves(params), strict=True))
    found = {path: leaf for path, leaf in leaves.items() if path.rsplit("/", 1)[-1] == "kernel"}
    if not found:
        name = "one" if layer is None else layer.name
        raise ValueError(message(where, "the layer", "have a kernel", f"{name} with parameters {paths}"))
    return found


def with_kernels(params: Tree, replaced: Mapping[str, Array]) -> Tree:
    """Return the parameters with others in the places of those of which a path is given."""
    leaves, structure = tree.flatten(params)
    changed = [replaced.get(path, leaf) for path, leaf in zip(tree.paths(params), leaves, strict=True)]
    return tree.unflatten(structure, changed)
