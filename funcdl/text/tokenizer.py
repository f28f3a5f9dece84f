"""What all tokenizers have in common."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np

from transforms.errors import message
from transforms.types import Array


class Tokenizer(abc.ABC):
    """A correspondence between texts and sequences of whole numbers from 0 to ``len(tokenizer) - 1``.

    It is a value: made once, never changed, equal to another one of the same vocabulary, and it can be
    pickled.
    """

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary."""

    @abc.abstractmethod
    def encode(self, text: str) -> Array:
        """Return the tokens of a text, int32 of shape (tokens,)."""

    @abc.abstractmethod
    def decode(self, tokens: Array) -> str:
        """Return the text of tokens, integers of shape (tokens,).

        Raises:
            TypeError: they are not integers.
            ValueError: they have another shape, or one is not in the vocabulary.
        """


def checked_tokens(where: str, tokens: Any, size: int) -> list[int]:
    """Return tokens as a list.

    Raises:
        TypeError: they are not integers.
        ValueError: they have another shape, or one is not in the vocabulary.
    """
    array = np.asarray(tokens)
    if array.ndim != 1:
        raise ValueError(message(where, "tokens", "have the shape (tokens,)", f"shape {array.shape}"))
    if array.size == 0:
        return []
    if array.dtype.kind not in "iu":
        raise TypeError(message(where, "tokens", "be integers", f"dtype {array.dtype}"))
    outside = array[(array < 0) | (array >= size)]
    if outside.size:
        raise ValueError(message(where, "tokens", f"be from 0 to {size - 1}", outside[0]))
    whole: list[int] = array.tolist()
    return whole
