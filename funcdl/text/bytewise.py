"""A token for each byte: no text is outside of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from funcdl.text.tokenizer import Tokenizer, checked_tokens
from transforms.types import Array


@dataclass(frozen=True)
class ByteTokenizer(Tokenizer):
    """The bytes of a text in UTF-8, 256 tokens.

    >>> tokenizer = ByteTokenizer()
    >>> tokenizer.encode("né")
    array([110, 195, 169], dtype=int32)
    >>> tokenizer.decode(tokenizer.encode("né"))
    'né'
    """

    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary, 256."""
        return 256

    def encode(self, text: str) -> Array:
        """Return the bytes of a text, int32 of shape (bytes,)."""
        return np.frombuffer(text.encode(), np.uint8).astype(np.int32)

    def decode(self, tokens: Array) -> str:
        """Return the text of tokens; bytes that are no UTF-8 become the character U+FFFD.

        Raises:
            TypeError: they are not integers.
            ValueError: they have another shape, or one is not in the vocabulary.
        """
        return bytes(checked_tokens("ByteTokenizer.decode", tokens, 256)).decode(errors="replace")
