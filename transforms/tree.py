"""Pytrees: nested containers of leaves, walked, mapped and rebuilt without being changed.

``dict``, ``list``, ``tuple``, ``NamedTuple``, ``OrderedDict``, ``defaultdict`` and ``deque`` are
containers, ``None`` is a container without leaves, a type passed to `register` or decorated with
`dataclass` is one too, and everything else is a leaf. A dict's children come in the order of its
sorted keys. The walking itself is optree's; this module fixes its options and names the path in
every error.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import optree

from transforms.errors import TreeMismatchError
from transforms.types import Array

Tree: TypeAlias = Any
Structure: TypeAlias = optree.PyTreeSpec
IsLeaf: TypeAlias = Callable[[Any], bool]

T = TypeVar("T")
NAMESPACE = "funcdl"


def flatten(tree: Tree, is_leaf: IsLeaf | None = None) -> tuple[list[Any], Structure]:
    """Return the leaves of a tree and its structure; `unflatten` is the inverse.

    Args:
        tree: any nest of containers.
        is_leaf: a predicate; where it is true of a node, the node counts as a leaf.

    >>> flatten({"b": 1, "a": (2, None)})[0]
    [2, 1]
    """
    return optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Tree:
    """Rebuild a tree of the given structure from its leaves.

    Args:
        structure: as `flatten` or `structure` gives it.
        leaves: as many as the structure has, in the order of `flatten`.

    Raises:
        ValueError: the number of leaves does not fit the structure.

    >>> unflatten(structure({"b": 0, "a": (0, None)}), [1, 2])
    {'b': 2, 'a': (1, None)}
    """
    return optree.tree_unflatten(structure, leaves)


def leaves(tree: Tree, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return the leaves of a tree, in order.

    >>> leaves([1, {"x": 2}])
    [1, 2]
    """
    return optree.tree_leaves(tree, is_leaf, namespace=NAMESPACE)


def structure(tree: Tree, is_leaf: IsLeaf | None = None) -> Structure:
    """Return the structure of a tree: what is left when the leaves are taken out. Hashable.

    >>> structure({"a": (1, 2)}) == structure({"a": ("x", 3.0)}), structure([1]) == structure((1,))
    (True, False)
    """
    return optree.tree_structure(tree, is_leaf, namespace=NAMESPACE)


def paths(tree: Tree, is_leaf: IsLeaf | None = None) -> list[str]:
    """Return the path of each leaf, its keys joined by ``/``.

    >>> paths({"encoder": [{"kernel": 1, "bias": 2}]})
    ['encoder/0/bias', 'encoder/0/kernel']
    """
    accessors = optree.tree_accessors(tree, is_leaf, namespace=NAMESPACE)
    return ["/".join(str(getattr(entry, "field", entry.entry)) for entry in path) for path in accessors]


def map(f: Callable[..., Any], tree: Tree, *rest: Tree, is_leaf: IsLeaf | None = None) -> Tree:
    """Return the tree of ``f(leaf, *leaves_of_rest)``.

    Each of ``rest`` has the structure of ``tree``, or goes on where ``tree`` has a leaf.

    Raises:
        TreeMismatchError: a tree of ``rest`` differs from ``tree``; names the first path.

    >>> map(lambda x, y: x + y, {"a": 1, "b": [2]}, {"a": 10, "b": [20]})
    {'a': 11, 'b': [22]}
    """
    if not rest:
        return optree.tree_map(f, tree, is_leaf=is_leaf, namespace=NAMESPACE)
    flat, spec = flatten(tree, is_leaf)
    others = [flatten_up_to(spec, other, "tree.map") for other in rest]
    return spec.unflatten(f(*args) for args in zip(flat, *others, strict=True))


def map_with_path(f: Callable[..., Any], tree: Tree, *rest: Tree, is_leaf: IsLeaf | None = None) -> Tree:
    """Like `map`, but ``f`` also gets the leaf's path first: ``f(path, leaf, ...)``.

    >>> map_with_path(lambda path, x: f"{path}={x}", {"a": [1]})
    {'a': ['a/0=1']}
    """
    names = unflatten(structure(tree, is_leaf), paths(tree, is_leaf))
    return map(f, names, tree, *rest)


def reduce(f: Callable[[Any, Any], Any], tree: Tree, *initial: Any) -> Any:
    """Fold the leaves with ``f``, from the left, starting with ``initial`` if it is given.

    >>> reduce(lambda total, x: total + x, {"a": 1, "b": (2, 3)}, 10)
    16
    """
    return functools.reduce(f, leaves(tree), *initial)


def all(tree: Tree) -> bool:
    """Whether every leaf is true.

    >>> all([True, {"x": 1}]), all([True, 0])
    (True, False)
    """
    return optree.tree_all(tree, namespace=NAMESPACE)


def transpose(outer: Structure, inner: Structure, tree: Tree) -> Tree:
    """Turn a tree of structure ``outer`` whose leaves are ``inner`` trees inside out.

    >>> pairs = {"mean": (1, 2), "scale": (3, 4)}
    >>> transpose(structure({"mean": 0, "scale": 0}), structure((0, 0)), pairs)
    ({'mean': 1, 'scale': 3}, {'mean': 2, 'scale': 4})
    """
    return optree.tree_transpose(outer, inner, tree)


def broadcast_prefix(prefix: Tree, tree: Tree, where: str, is_leaf: IsLeaf | None = None) -> list[Any]:
    """Return one leaf of ``prefix`` for each leaf of ``tree``.

    Args:
        prefix: a tree whose leaves stand where ``tree`` may go on.
        tree: the full tree.
        where: the callable to name if the two do not fit.
        is_leaf: as in `flatten`, applied to ``prefix``.

    Raises:
        TreeMismatchError: ``prefix`` is not a prefix of ``tree``; names the first path.

    >>> broadcast_prefix({"a": 0, "b": 1}, {"a": (7, 8), "b": 9}, "example")
    [0, 0, 1]
    """
    flat, spec = flatten(prefix, is_leaf)
    subtrees = flatten_up_to(spec, tree, where)
    return [value for value, sub in zip(flat, subtrees, strict=True) for _ in leaves(sub)]


def check_same_structure(expected: Tree, got: Tree, where: str, what: str = "") -> None:
    """Raise `TreeMismatchError`, naming the first path, unless two trees have one structure.

    Args:
        expected: the tree whose structure is right.
        got: the other tree.
        where: the callable to name in the error.
        what: what it calls the other tree.

    >>> check_same_structure({"a": 1}, {"a": (1, 2)}, "example", "the state")
    Traceback (most recent call last):
    transforms.errors.TreeMismatchError: example: the entry at 'a' of the state must be a leaf, got ...
    """
    spec = structure(expected)
    if structure(got) != spec:
        flatten_up_to(spec, got, where, what)
        # A prefix, but not the same: ``got`` goes on below a leaf of ``expected``.
        for path, sub in zip(paths(expected), spec.flatten_up_to(got), strict=True):
            if not optree.tree_is_leaf(sub, namespace=NAMESPACE):
                raise TreeMismatchError(_mismatch(where, what, path, "a leaf", _describe(sub)))


def flatten_up_to(spec: Structure, tree: Tree, where: str, what: str = "") -> list[Any]:
    """Return what stands in a tree at the leaves of a structure, which may be whole trees, or None.

    Args:
        spec: the structure.
        tree: a tree that goes at least as far.
        where: the callable to name in an error.
        what: what the error calls the tree.

    Raises:
        TreeMismatchError: the tree does not have the structure; names the first path.

    >>> flatten_up_to(structure({"a": 0, "b": 0}), {"a": (1, 2), "b": None}, "example")
    [(1, 2), None]
    """
    try:
        return spec.flatten_up_to(tree)
    except (ValueError, TypeError) as error:
        expected = spec.unflatten([_LEAF] * spec.num_leaves)
        raise TreeMismatchError(_first_difference(expected, tree, where, what, "")) from error


_LEAF = object()


def _first_difference(expected: Tree, got: Tree, where: str, what: str, path: str) -> str:
    """Describe the first place at which ``expected`` is no prefix of ``got``."""
    children, _, entries, _ = _one_level(expected)
    if children is None:
        return ""
    other_children, _, other_entries, _ = _one_level(got)
    if other_children is None or type(expected) is not type(got):
        return _mismatch(where, what, path, _describe(expected), _describe(got))
    missing = [key for key in entries if key not in other_entries]
    extra = [key for key in other_entries if key not in entries]
    if missing:
        return _mismatch(where, what, _join(path, missing[0]), "be present", "nothing there", verb="")
    if extra:
        return _mismatch(where, what, _join(path, extra[0]), "be absent", "an extra entry", verb="")
    for key, child, other in zip(entries, children, other_children, strict=True):
        found = _first_difference(child, other, where, what, _join(path, key))
        if found:
            return found
    return ""


def _one_level(tree: Tree) -> tuple[list[Any] | None, Any, tuple[Any, ...], Any]:
    if optree.tree_is_leaf(tree, namespace=NAMESPACE):
        return None, None, (), None
    children, metadata, entries, rebuild = optree.tree_flatten_one_level(tree, namespace=NAMESPACE)
    return list(children), metadata, tuple(entries), rebuild


def _join(path: str, key: object) -> str:
    return f"{path}/{key}" if path else str(key)


def _describe(tree: Tree) -> str:
    if tree is None:
        return "None"
    if isinstance(tree, (dict, list, tuple)):
        return f"a {type(tree).__name__} with {len(tree)} entries"
    return f"a leaf of type {type(tree).__name__}"


def _mismatch(where: str, what: str, path: str, expected: str, got: str, verb: str = "be ") -> str:
    place = f"the entry at {path!r}" + (f" of {what}" if what else "") if path else what or "the tree"
    return f"{where}: {place} must {verb}{expected}, got {got}; both trees need the same structure"


def ravel(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """Return all leaves as one vector, and the function that turns such a vector back.

    The vector has the dtype to which NumPy promotes the leaves' dtypes; the inverse gives each leaf
    its own shape and dtype again. Both can be differentiated.

    Args:
        tree: a tree of arrays.

    Returns:
        The vector, and the inverse, which raises ValueError for a vector of another length.

    >>> vector, unravel = ravel({"a": np.ones(2), "b": np.zeros((1, 2))})
    >>> vector
    array([1., 1., 0., 0.])
    >>> unravel(vector)["b"].shape
    (1, 2)
    """
    flat, spec = flatten(tree)
    shapes = [np.shape(leaf) for leaf in flat]
    dtypes = [getattr(leaf, "dtype", np.result_type(type(leaf))) for leaf in flat]
    sizes = [int(np.prod(shape)) for shape in shapes]
    ends = np.cumsum(sizes, dtype=int).tolist()
    vector = np.concatenate([np.reshape(leaf, -1) for leaf in flat]) if flat else np.zeros(0)

    def unravel(vector: Array) -> Tree:
        if np.shape(vector) != (sum(sizes),):
            raise ValueError(f"unravel: the vector must have shape ({sum(sizes)},), got {np.shape(vector)}")
        parts = [vector[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return spec.unflatten(
            np.reshape(part, shape).astype(dtype)
            for part, shape, dtype in zip(parts, shapes, dtypes, strict=True)
        )

    return vector, unravel


def register(
    cls: type[T],
    flatten: Callable[[T], tuple[Sequence[Any], Any]],
    unflatten: Callable[[Any, Sequence[Any]], T],
) -> None:
    """Make instances of ``cls`` containers.

    Args:
        cls: the type.
        flatten: gives the children of an instance and what else it needs (hashable).
        unflatten: ``unflatten(rest, children)`` makes the instance again.
    """
    optree.register_pytree_node(
        cls,  # type: ignore[arg-type]
        flatten,  # type: ignore[arg-type]
        unflatten,  # type: ignore[arg-type]
        namespace=NAMESPACE,
    )


def dataclass(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass and a container of its fields.

    A field made with ``dataclasses.field(metadata={"static": True})`` is part of the structure
    instead: it must be hashable, and no transform touches it.

    >>> @dataclass
    ... class Point:
    ...     x: float
    ...     y: float
    >>> map(lambda value: 2 * value, Point(1.0, 2.0))
    Point(x=2.0, y=4.0)
    """
    cls = dataclasses.dataclass(frozen=True)(cls)
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    children = tuple(f.name for f in fields if not f.metadata.get("static", False))
    static = tuple(f.name for f in fields if f.metadata.get("static", False))

    def flatten_instance(instance: T) -> tuple[Sequence[Any], Any, Sequence[Any]]:
        values = tuple(getattr(instance, name) for name in children)
        return values, tuple(getattr(instance, name) for name in static), children

    def unflatten_instance(rest: Any, values: Sequence[Any]) -> T:
        instance = object.__new__(cls)
        for name, value in zip((*children, *static), (*values, *rest), strict=True):
            object.__setattr__(instance, name, value)
        return instance

    register(cls, flatten_instance, unflatten_instance)  # type: ignore[arg-type]
    return cls
