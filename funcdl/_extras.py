"""Packages that only a part of the library needs, imported when that part is first used."""

from __future__ import annotations

import importlib
from typing import Any

from transforms.errors import message


def load(module: str, extra: str, where: str) -> Any:
    """Return a module of an optional package.

    Args:
        module: its name.
        extra: the extra of this distribution that brings the package.
        where: the callable that needs it, for the error.

    Raises:
        ImportError: it is not installed; the message has the line to run.

    >>> load("no_such_package", "xla", "example")
    Traceback (most recent call last):
        ...
    ImportError: example: no_such_package must be installed, got no such module; run pip install "funcdl[xla]"
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        if error.name != package:
            raise
        remedy = f'run pip install "funcdl[{extra}]"'
        raise ImportError(message(where, package, "be installed", "no such module", remedy)) from error
