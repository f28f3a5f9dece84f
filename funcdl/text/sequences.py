"""Tokens as arrays of one size: windows over a long text, or many short texts side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from transforms.errors import message
from transforms.types import Array


class Windows(NamedTuple):
    """Pieces of a text, and what comes after each of their tokens.

    Attributes:
        inputs: shape (windows, length).
        targets: the same, one token further on.
    """

    inputs: Array
    targets: Array


def windows(tokens: Array, length: int, *, stride: int | None = None) -> Windows:
    """Return windows of fixed length over a corpus, for learning to predict the next token.

    Nothing is copied: both arrays are views of the tokens, which may be a memory map. As examples for
    `funcdl.data.batches` they are a tree of two arrays.

    Args:
        tokens: shape (tokens,).
        length: tokens in a window, at least 1; there must be at least ``length + 1`` tokens.
        stride: tokens from the beginning of a window to that of the next, at least 1; ``length`` by
            default, so that no token is a target twice.

    Returns:
        ``1 + (tokens - 1 - length) // stride`` windows. What does not fill a last one is left out.

    Raises:
        ValueError: the tokens have another shape, there are too few, or a number is below 1.

    >>> windows(np.arange(8), 3)
    Windows(inputs=array([[0, 1, 2],
           [3, 4, 5]]), targets=array([[1, 2, 3],
           [4, 5, 6]]))
    """
    tokens = np.asarray(tokens)
    stride = length if stride is None else stride
    for name, value in (("length", length), ("stride", stride)):
        if value < 1:
            raise ValueError(message("windows", name, "be at least 1", value))
    if tokens.ndim != 1 or len(tokens) <= length:
        rule = f"have the shape (tokens,), with at least {length + 1} of them"
        raise ValueError(message("windows", "tokens", rule, f"shape {tokens.shape}"))
    views = np.lib.stride_tricks.sliding_window_view(tokens, length)
    return Windows(views[:-1:stride], views[1::stride])


class Sequences(NamedTuple):
    """Texts of different lengths in one array.

    Attributes:
        tokens: int32, shape (texts, length); a text's tokens come first in its row.
        mask: true where there is a token, boolean, shape (texts, length).
    """

    tokens: Array
    mask: Array


def pad_sequences(sequences: Sequence[Array], *, length: int | None = None, fill: int = 0) -> Sequences:
    """Put texts of different lengths into one array.

    Args:
        sequences: the tokens of each text, integers of shape (tokens,); at least one.
        length: of a row, at least 1; that of the longest text by default. Longer texts are cut at their end.
        fill: what comes after a text.

    Returns:
        The tokens and a mask.

    Raises:
        ValueError: there is no text, or the length is below 1.

    >>> pad_sequences([[5, 6, 7], [8]])
    Sequences(tokens=array([[5, 6, 7],
           [8, 0, 0]], dtype=int32), mask=array([[ True,  True,  True],
           [ True, False, False]]))
    """
    if len(sequences) == 0:
        raise ValueError(message("pad_sequences", "sequences", "have at least one", "none"))
    length = max(1, *(len(sequence) for sequence in sequences)) if length is None else length
    if length < 1:
        raise ValueError(message("pad_sequences", "length", "be at least 1", length))
    tokens = np.full((len(sequences), length), fill, np.int32)
    mask = np.zeros((len(sequences), length), bool)
    for row, sequence in enumerate(sequences):
        kept = min(len(sequence), length)
        tokens[row, :kept], mask[row, :kept] = sequence[:kept], True
    return Sequences(tokens, mask)
