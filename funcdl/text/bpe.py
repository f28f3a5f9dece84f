"""Byte-pair encoding, by the package tokenizers: ``pip install "funcdl[text]"``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from funcdl import _extras
from funcdl.text.tokenizer import Tokenizer, checked_tokens
from transforms.errors import message
from transforms.types import Array

BYTES = 256


@dataclass(frozen=True)
class BPETokenizer(Tokenizer):
    """Frequent sequences of bytes as tokens; `train_bpe` makes one.

    Attributes:
        json: the tokenizer in the format of the package tokenizers. Any one in this format will do, such as
            the ``tokenizer.json`` of a published model.

    Raises:
        ImportError: the package is not installed.
        ValueError: the text is no tokenizer.
    """

    json: str

    def __post_init__(self) -> None:
        tokenizers = _extras.load("tokenizers", "text", "BPETokenizer")
        try:
            tokenizers.Tokenizer.from_str(self.json)
        except Exception as error:  # the package raises this very type
            rule = "be a tokenizer in the format of the package tokenizers"
            raise ValueError(message("BPETokenizer", "json", rule, f"{error}")) from error

    @cached_property
    def _tokenizer(self) -> Any:
        return _extras.load("tokenizers", "text", "BPETokenizer").Tokenizer.from_str(self.json)

    def __getstate__(self) -> dict[str, str]:
        return {"json": self.json}

    def __repr__(self) -> str:
        return f"BPETokenizer({len(self)} tokens)"

    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary."""
        size: int = self._tokenizer.get_vocab_size()
        return size

    def encode(self, text: str) -> Array:
        """Return the tokens of a text, int32 of shape (tokens,)."""
        return np.array(self._tokenizer.encode(text).ids, np.int32)

    def decode(self, tokens: Array) -> str:
        """Return the text of tokens; bytes that are no UTF-8 become the character U+FFFD.

        Raises:
            TypeError: they are not integers.
            ValueError: they have another shape, or one is not in the vocabulary.
        """
        checked = checked_tokens("BPETokenizer.decode", tokens, len(self))
        text: str = self._tokenizer.decode(checked, skip_special_tokens=False)
        return text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tokenizer to a file, usually named ``tokenizer.json``."""
        Path(path).write_text(self.json, encoding="utf-8")


def train_bpe(texts: str | Iterable[str], size: int) -> BPETokenizer:
    """Return a byte-pair encoding learned from texts.

    The vocabulary begins with the 256 bytes; then the two tokens that most often stand side by side in a
    word become one, again and again. A word has the space before it. No text is outside of the
    vocabulary.

    Args:
        texts: a text, or several.
        size: number of tokens to have, at least 256. There may be fewer if the texts are short.

    Raises:
        ImportError: the package tokenizers is not installed.
        ValueError: the size is too small.

    Source: Sennrich, Haddow and Birch, "Neural machine translation of rare words with subword units", 2015,
    arXiv:1508.07909; on bytes, Radford et al., "Language models are unsupervised multitask learners", 2019.

    >>> tokenizer = train_bpe("low lower lowest " * 9, 259)
    >>> tokenizer, len(tokenizer.encode("lowest"))
    (BPETokenizer(259 tokens), 4)
    >>> tokenizer.decode(tokenizer.encode("slow ☃"))
    'slow ☃'
    """
    if size < BYTES:
        raise ValueError(message("train_bpe", "size", f"be at least {BYTES}, the number of bytes", size))
    tokenizers = _extras.load("tokenizers", "text", "train_bpe")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([texts] if isinstance(texts, str) else texts, trainer)
    return BPETokenizer(tokenizer.to_str())


def load_bpe(path: str | os.PathLike[str]) -> BPETokenizer:
    """Read a tokenizer from a file in the format of the package tokenizers.

    Args:
        path: of the file, as `BPETokenizer.save` or the package writes it.

    Returns:
        The tokenizer.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: the package is not installed.
        ValueError: the file holds no tokenizer; names it and the reason.
    """
    try:
        return BPETokenizer(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        rule = "hold a tokenizer in the format of the package tokenizers"
        raise ValueError(message("load_bpe", f"the file {path}", rule, f"{error}")) from error
