"""Where a program's arrays are, for the backends that run on more than this process's memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from transforms import tree
from transforms.errors import message


class Placement(NamedTuple):
    """What a device backend has to know besides the graph.

    Attributes:
        donated: positions of inputs that the program may write its results over.
        in_shardings: one for each input, None for wherever it is; or None for all.
        out_shardings: one for each output, None for wherever the compiler puts it; or None for all.
    """

    donated: tuple[int, ...] = ()
    in_shardings: tuple[Any, ...] | None = None
    out_shardings: tuple[Any, ...] | None = None


def place(
    args: Mapping[int, Any],
    kwargs: Mapping[str, Any],
    donated: Collection[int],
    in_shardings: Any,
    structure: tree.Structure,
    out_shardings: Any,
) -> Placement:
    """Return the placement of a program's inputs, the leaves of ``(args, kwargs)``, and of its outputs.

    Args:
        args: the traced positional arguments, in order, by their positions in a call.
        kwargs: the traced keyword arguments.
        donated: positions of arguments.
        in_shardings: None, one sharding for all inputs, or a tuple with a tree of shardings for each traced
            positional argument, whose leaves stand for whole subtrees.
        structure: of the output.
        out_shardings: None, or a tree of shardings whose leaves stand for whole subtrees of the output.

    Raises:
        ValueError: ``in_shardings`` is a tuple of another length.
        TreeMismatchError: a tree of shardings does not fit; the message names the path.
    """
    counts = [(position, len(tree.leaves(x))) for position, x in args.items()]
    owners = [position for position, count in counts for _ in range(count)]
    outputs = structure.unflatten([0] * structure.num_leaves)
    return Placement(
        tuple(leaf for leaf, position in enumerate(owners) if position in donated),
        None if in_shardings is None else _of_inputs(in_shardings, tuple(args.values()), dict(kwargs)),
        None if out_shardings is None else _spread("out_shardings", out_shardings, outputs),
    )


def _of_inputs(in_shardings: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    if type(in_shardings) is not tuple:
        return (in_shardings,) * len(tree.leaves((args, kwargs)))
    if len(in_shardings) != len(args):
        raise ValueError(
            message(
                "jit",
                "in_shardings",
                f"have an entry for each of {len(args)} traced positional arguments",
                len(in_shardings),
            )
        )
    of_args = _spread("in_shardings", in_shardings, args)
    return (*of_args, *(None for _ in tree.leaves(kwargs)))


def _spread(what: str, shardings: Any, arrays: Any) -> tuple[Any, ...]:
    return tuple(tree.broadcast_prefix(shardings, arrays, f"jit {what}", is_leaf=lambda x: x is None))
