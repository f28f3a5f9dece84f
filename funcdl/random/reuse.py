"""The check that no key is used twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from transforms.errors import message, user_line
from transforms.types import Array


class KeyReuseError(ValueError):
    """A key was used a second time; the message says where it was used before."""


class _Use(NamedTuple):
    """How a key was used up.

    Attributes:
        key: the key, so that its identity stays its own.
        call: the frame of the function that the user called, which may use the key in several steps.
        where: the function's name.
        line: of the user's code.
    """

    key: Any
    call: FrameType
    where: str
    line: str


_uses: ContextVar[dict[Any, _Use] | None] = ContextVar("what keys were used for", default=None)


@contextmanager
def check_key_reuse() -> Iterator[None]:
    """Check, for the time of a ``with`` block, that no key is drawn from or split twice.

    Two draws from one key are not independent. A key is known by its value, or, while it is traced by `vmap`
    or `jit`, as the object that it is; a compiled program is checked when it is traced. `fold_in` does not
    use a key up.

    Raises:
        KeyReuseError: in the block, by the second use.

    >>> from funcdl import random
    >>> key = random.key(0)
    >>> with check_key_reuse():
    ...     noise = random.normal(key, (3,))
    ...     mask = random.bernoulli(key, 0.5, (3,))
    Traceback (most recent call last):
    funcdl.random.reuse.KeyReuseError: random.bernoulli: key must be used once, got one that ...
    """
    token = _uses.set({})
    try:
        yield
    finally:
        _uses.reset(token)


def use_up(where: str, key: Array) -> None:
    """Note, while the check is on, that a key is used, and refuse one that was used before.

    Raises:
        KeyReuseError: it was.
    """
    uses = _uses.get()
    if uses is None:
        return
    identity = key.tobytes() if isinstance(key, np.ndarray) else id(key)
    call = _outermost_call()
    earlier = uses.get(identity)
    if earlier is None:
        uses[identity] = _Use(key, call, where, user_line())
    elif earlier.call is not call:
        got = f"one that {earlier.where} has used before, at {earlier.line}"
        remedy = "make new keys of it first: key, subkey = random.split(key)"
        raise KeyReuseError(message(where, "key", "be used once", got, remedy))


def _outermost_call() -> FrameType:
    """Return the frame of the random function that was called from outside."""
    call = frame = sys._getframe(1)
    while frame is not None and _is_ours(frame):
        call, frame = frame, frame.f_back  # type: ignore[assignment]
    return call


def _is_ours(frame: FrameType) -> bool:
    package = __name__.rpartition(".")[0]
    in_doctest = frame.f_code.co_filename.startswith("<doctest")
    return str(frame.f_globals.get("__name__", "")).startswith(package) and not in_doctest
