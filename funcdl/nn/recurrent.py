"""Recurrent networks: a cell folded over the places of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from funcdl import random
from funcdl.nn.arguments import with_mask
from funcdl.nn.cells import Cell, check_cell
from funcdl.nn.layer import Layer
from transforms import scan, tree, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def unroll(
    cell: Cell,
    params: Tree,
    x: Array,
    *,
    carry: Tree | None = None,
    mask: Array | None = None,
    reverse: bool = False,
) -> tuple[Tree, Array]:
    """Fold a cell over a sequence, and return the last carry and all outputs.

    Args:
        cell: the cell.
        params: its parameters.
        x: array of shape ``(batch, length, ...)``.
        carry: what the first step is given, such as the last carry of the part before; by default that
            with which the cell starts.
        mask: booleans of shape ``(batch, length)``: a place where they are False leaves the carry as it is,
            and its output is 0.
        reverse: whether to go from the last place to the first; outputs stand where their inputs stand.

    Returns:
        ``(carry, y)``: the last carry, and the outputs, of shape ``(batch, length, ...)``.

    Raises:
        ValueError: ``x`` or the mask has another shape.

    >>> from funcdl import nn
    >>> cell = nn.gru_cell(3)
    >>> x = np.ones((8, 5, 2), np.float32)
    >>> params = cell.init(random.key(0), x[:, 0])
    >>> carry, y = unroll(cell, params, x)
    >>> carry.shape, y.shape
    ((8, 3), (8, 5, 3))
    """
    _check_sequence("unroll", x)
    carry = cell.start(_step_type(x)) if carry is None else carry
    places = np.swapaxes(x, 0, 1)
    if mask is None:
        carry, y = scan(lambda carry, x: cell.step(params, carry, x), carry, places, reverse=reverse)
        return carry, np.swapaxes(y, 0, 1)
    if mask.shape != x.shape[:2] or mask.dtype != bool:
        raise ValueError(message("unroll", "mask", f"hold booleans of shape {x.shape[:2]}", type_of(mask)))

    def step(carry: Tree, place: tuple[Array, Array]) -> tuple[Tree, Array]:
        x, seen = place
        after, y = cell.step(params, carry, x)
        kept = tree.map(lambda new, old: np.where(_as_rank(seen, new), new, old), after, carry)
        return kept, np.where(_as_rank(seen, y), y, 0)

    carry, y = scan(step, carry, (places, np.swapaxes(mask, 0, 1)), reverse=reverse)
    return carry, np.swapaxes(y, 0, 1)


def recurrent(cell: Cell, *, reverse: bool = False) -> Layer:
    """A cell folded over a sequence; gives the outputs of all places.

    Params: those of the cell.

    Args:
        cell: the cell, such as ``nn.lstm_cell(64)``.
        reverse: whether to go from the last place to the first; outputs stand where their inputs stand.

    Returns:
        A `Layer` from shape ``(batch, length, inputs)`` to ``(batch, length, features)``. From a pair
        ``(x, mask)``, with booleans of shape ``(batch, length)`` that are False where there is nothing, it
        gives the pair ``(y, mask)``; there y is 0. `unroll` also takes and gives the carry.

    Raises:
        TypeError: ``cell`` is not a cell.
        ValueError: from the layer, ``x`` does not fit.

    >>> from funcdl import nn
    >>> layer = recurrent(nn.lstm_cell(3))
    >>> x = np.ones((8, 5, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 5, 3)
    """
    check_cell("recurrent", cell)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        return cell.init(key, _step_type(_check_sequence("recurrent", with_mask("recurrent", x)[0]))), ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        sequence, mask = with_mask("recurrent", x)
        _check_sequence("recurrent", sequence)
        _, y = unroll(cell, params, sequence, mask=mask, reverse=reverse)
        return (y if mask is None else (y, mask)), state

    return Layer(init, apply, "recurrent")


def recurrent_last(cell: Cell, *, reverse: bool = False) -> Layer:
    """A cell folded over a sequence; gives the output of the last step.

    Params: those of the cell.

    Args:
        cell: the cell, such as ``nn.lstm_cell(64)``.
        reverse: whether to go from the last place to the first, which then is the last step.

    Returns:
        A `Layer` from shape ``(batch, length, inputs)`` to ``(batch, features)``. The input may be a pair
        ``(x, mask)``, with booleans of shape ``(batch, length)`` that are False where there is nothing: the
        last step is then the last where there is something.

    Raises:
        TypeError: ``cell`` is not a cell.
        ValueError: from the layer, ``x`` does not fit.

    >>> from funcdl import nn
    >>> layer = recurrent_last(nn.lstm_cell(3))
    >>> x = np.ones((8, 5, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 3)
    """
    check_cell("recurrent_last", cell)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        sequence, _ = with_mask("recurrent_last", x)
        return cell.init(key, _step_type(_check_sequence("recurrent_last", sequence))), ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        sequence, mask = with_mask("recurrent_last", x)
        _check_sequence("recurrent_last", sequence)
        _, y = unroll(cell, params, sequence, mask=mask, reverse=reverse)
        if mask is None:
            return y[:, 0 if reverse else -1], state
        length = mask.shape[1]
        place = np.argmax(mask, axis=1) if reverse else length - 1 - np.argmax(mask[:, ::-1], axis=1)
        last = np.take_along_axis(y, np.reshape(place, (-1,) + (1,) * (y.ndim - 1)), axis=1)
        return last[:, 0], state

    return Layer(init, apply, "recurrent_last")


def bidirectional(forward: Cell, backward: Cell) -> Layer:
    """Two cells folded over a sequence, one from each end; gives their outputs side by side.

    Params: ``forward`` and ``backward``, those of the cells.

    Args:
        forward: the cell that goes from the first place to the last.
        backward: the cell that goes from the last place to the first.

    Returns:
        A `Layer` from shape ``(batch, length, inputs)`` to ``(batch, length, features of both)``; from a pair
        ``(x, mask)`` to a pair ``(y, mask)``, as `recurrent`.

    Raises:
        TypeError: an argument is not a cell.
        ValueError: from the layer, ``x`` does not fit.

    Source: Schuster and Paliwal, 1997, "Bidirectional recurrent neural networks".

    >>> from funcdl import nn
    >>> layer = bidirectional(nn.gru_cell(3), nn.gru_cell(3))
    >>> x = np.ones((8, 5, 2), np.float32)
    >>> params, state = layer.init(random.key(0), x)
    >>> layer(params, x).shape
    (8, 5, 6)
    """
    check_cell("bidirectional", forward)
    check_cell("bidirectional", backward)

    def init(key: Array, x: Any) -> tuple[Tree, Tree]:
        step_type = _step_type(_check_sequence("bidirectional", with_mask("bidirectional", x)[0]))
        forward_key, backward_key = random.split(key)
        params = {
            "forward": forward.init(forward_key, step_type),
            "backward": backward.init(backward_key, step_type),
        }
        return params, ()

    def apply(
        params: Tree, state: Tree, x: Any, *, key: Array | None = None, training: bool = False
    ) -> tuple[Any, Tree]:
        sequence, mask = with_mask("bidirectional", x)
        _check_sequence("bidirectional", sequence)
        _, ahead = unroll(forward, params["forward"], sequence, mask=mask)
        _, back = unroll(backward, params["backward"], sequence, mask=mask, reverse=True)
        y = np.concatenate([ahead, back], axis=-1)
        return (y if mask is None else (y, mask)), state

    return Layer(init, apply, "bidirectional")


def _check_sequence(where: str, x: Array | ArrayType) -> Array | ArrayType:
    if len(x.shape) < 3:
        raise ValueError(message(where, "x", "have the shape (batch, length, inputs)", f"shape {x.shape}"))
    return x


def _step_type(x: Array | ArrayType) -> ArrayType:
    x_type = type_of(x)
    return ArrayType((x_type.shape[0], *x_type.shape[2:]), x_type.dtype)


def _as_rank(mask: Array, x: Array) -> Array:
    return np.reshape(mask, (-1,) + (1,) * (x.ndim - 1))
