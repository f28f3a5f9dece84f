"""Patterns of the paths of parameters."""

from __future__ import annotations

import fnmatch


def matches(pattern: str, path: str) -> bool:
    """Whether a path, keys joined by ``/``, matches a pattern.

    In a pattern ``**`` stands for any number of keys, none included; within one key, ``*``, ``?`` and
    ``[...]`` are those of file names.

    >>> matches("**/bias", "bias"), matches("*/bias", "bias")
    (True, False)
    """
    return _match(pattern.split("/"), path.split("/"))


def _match(pattern: list[str], keys: list[str]) -> bool:
    if not pattern:
        return not keys
    if pattern[0] == "**":
        return any(_match(pattern[1:], keys[skipped:]) for skipped in range(len(keys) + 1))
    return bool(keys) and fnmatch.fnmatchcase(keys[0], pattern[0]) and _match(pattern[1:], keys[1:])
