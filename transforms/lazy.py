"""Modules that are imported when first used, because importing them costs a noticeable time."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any


class LazyModule(ModuleType):
    """A stand-in for a module that imports it when the first attribute is read."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(importlib.import_module(self.__name__), name)
        setattr(self, name, value)
        return value


def lazy_module(name: str) -> Any:
    """Return the module of the given name, imported when its first attribute is read.

    >>> lazy_module("scipy.special").expit(0.0)
    np.float64(0.5)
    """
    return LazyModule(name)
