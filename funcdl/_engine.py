"""The check that ``transforms`` is the engine that funcdl was installed with."""

from __future__ import annotations

import importlib.util
import os


def refuse_foreign_engine() -> None:
    """Raise unless the package ``transforms`` that Python finds lies beside this one.

    Python looks beside the running script first, so a user's own ``transforms.py`` hides the engine.
    The module is located without being run: what it would do or fail at is no part of the message.

    Raises:
        ImportError: names the file that hides the engine, and the remedy.
    """
    site = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    own = os.path.join(site, "transforms", "__init__.py")
    spec = importlib.util.find_spec("transforms")
    found = spec.origin if spec is not None else None
    if found is None or os.path.realpath(found) != own:
        raise ImportError(
            f"funcdl: the module 'transforms' must be the engine at {own}, got {found}; "
            "rename that file or folder, or take its folder off sys.path"
        )
