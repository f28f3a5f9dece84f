"""The state of one part of an optimizer, wherever it lies in the state of the whole."""

from __future__ import annotations

from typing import Any, TypeVar

from funcdl.optim.optimizer import State
from transforms import tree
from transforms.errors import message

T = TypeVar("T")


def find_state(state: State, kind: type[T]) -> T:
    """Return the only part of a state that is of a type.

    Args:
        state: the state of an optimizer.
        kind: the type of the state looked for, such as `ScaleByAdamState`.

    Raises:
        ValueError: there is none, or more than one; names their paths.

    >>> import numpy as np
    >>> from funcdl import optim
    >>> state = optim.adam(0.1).init(np.zeros(2))
    >>> find_state(state, optim.ScaleByAdamState).mean
    array([0., 0.])
    """
    found = _of_kind(state, kind)
    if len(found) != 1:
        got = f"{len(found)} at {', '.join(map(repr, found))}" if found else "none"
        raise ValueError(message("find_state", "the state", f"hold one {kind.__name__}", got))
    part: T = next(iter(found.values()))
    return part


def replace_state(state: State, part: Any) -> State:
    """Return a state in which a part takes the place of the only one of its type.

    Args:
        state: the state of an optimizer. It is not changed.
        part: what to put in, such as ``find_state(state, EmaState)._replace(count=np.int32(0))``.

    Raises:
        ValueError: the state holds none of that type, or more than one.

    >>> import numpy as np
    >>> from funcdl import optim
    >>> state = optim.adam(0.1).init(np.zeros(2))
    >>> moments = find_state(state, optim.ScaleByAdamState)
    >>> state = replace_state(state, moments._replace(count=np.int32(7)))
    >>> int(find_state(state, optim.ScaleByAdamState).count)
    7
    """
    kind = type(part)
    find_state(state, kind)
    return tree.map(
        lambda node: part if isinstance(node, kind) else node,
        state,
        is_leaf=lambda node: isinstance(node, kind),
    )


def _of_kind(state: State, kind: type[Any]) -> dict[str, Any]:
    def is_kind(node: Any) -> bool:
        return isinstance(node, kind)

    nodes = zip(tree.paths(state, is_kind), tree.leaves(state, is_kind), strict=True)
    return {path: node for path, node in nodes if is_kind(node)}
