"""The functions of the C library that compiled code calls."""

from __future__ import annotations

import ctypes
import ctypes.util

_LIBRARY = ("sin", "cos", "tan", "fmod")


def library_addresses() -> dict[str, int]:
    """Return where the C library's functions are."""
    library = ctypes.CDLL(None)
    if not hasattr(library, _LIBRARY[0]):  # the process has it not loaded; to look for it takes time
        library = ctypes.CDLL(ctypes.util.find_library("m"))
    return {
        name: ctypes.cast(library[name], ctypes.c_void_p).value or 0
        for name in (*_LIBRARY, *(f"{name}f" for name in _LIBRARY))
    }
