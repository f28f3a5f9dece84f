"""A token for each character that a text has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from funcdl.text.tokenizer import Tokenizer, checked_tokens
from transforms.errors import message
from transforms.types import Array


@dataclass(frozen=True)
class CharacterTokenizer(Tokenizer):
    """A token for each character of a vocabulary; `character_tokenizer` makes one from a text.

    Attributes:
        characters: the vocabulary in the order of the tokens, each character once.
        unknown: a character of the vocabulary that stands for all others, or None: others are refused.

    Raises:
        ValueError: the vocabulary is empty or has a character twice, or ``unknown`` is not in it.
    """

    characters: str
    unknown: str | None = None

    def __post_init__(self) -> None:
        if not self.characters:
            raise ValueError(message("CharacterTokenizer", "characters", "have a character", "none"))
        if len(self._token_of) != len(self.characters):
            twice = next(each for each in self.characters if self.characters.count(each) > 1)
            rule = "have every character once"
            raise ValueError(message("CharacterTokenizer", "characters", rule, f"{twice!r} twice"))
        if self.unknown is not None and self.unknown not in self._token_of:
            rule = "be a character of the vocabulary"
            raise ValueError(message("CharacterTokenizer", "unknown", rule, repr(self.unknown)))

    @cached_property
    def _token_of(self) -> dict[str, int]:
        return {character: token for token, character in enumerate(self.characters)}

    def __len__(self) -> int:
        """Return the number of tokens in the vocabulary."""
        return len(self.characters)

    def encode(self, text: str) -> Array:
        """Return the tokens of a text, int32 of shape (characters,).

        Raises:
            ValueError: a character is not in the vocabulary, and no other stands for it.
        """
        if self.unknown is not None:
            other = self._token_of[self.unknown]
            return np.array([self._token_of.get(character, other) for character in text], np.int32)
        try:
            return np.array([self._token_of[character] for character in text], np.int32)
        except KeyError as error:
            character = error.args[0]
            got = f"{character!r} at {text.index(character)}"
            remedy = "make the vocabulary of all texts, or name a character for others with unknown="
            raise ValueError(
                message("CharacterTokenizer.encode", "every character", "be in the vocabulary", got, remedy)
            ) from None

    def decode(self, tokens: Array) -> str:
        """Return the text of tokens.

        Raises:
            TypeError: they are not integers.
            ValueError: they have another shape, or one is not in the vocabulary.
        """
        checked = checked_tokens("CharacterTokenizer.decode", tokens, len(self))
        return "".join([self.characters[token] for token in checked])


def character_tokenizer(text: str, *, unknown: str | None = None) -> CharacterTokenizer:
    """Return the tokenizer whose vocabulary is the characters of a text, in the order of Unicode.

    Args:
        text: at least one character.
        unknown: a character that stands for all that the text has not; it is added to the vocabulary.
            Without it they are refused.

    Raises:
        ValueError: the text is empty, or ``unknown`` is not one character.

    >>> tokenizer = character_tokenizer("hello")
    >>> tokenizer.characters, tokenizer.encode("hole"), tokenizer.decode([0, 1, 2, 2, 3])
    ('ehlo', array([1, 3, 2, 0], dtype=int32), 'ehllo')
    """
    if not text:
        raise ValueError(message("character_tokenizer", "the text", "have a character", "none"))
    if unknown is not None and len(unknown) != 1:
        raise ValueError(message("character_tokenizer", "unknown", "be one character", repr(unknown)))
    return CharacterTokenizer("".join(sorted({*text, *(unknown or "")})), unknown)
