"""The two calls of LLVM that take long, without the lock that llvmlite holds during each call.

LLVM compiles modules of different contexts at the same time. Where llvmlite keeps its functions in another
way than is known here, its lock is held, and modules are compiled in turn.
"""

from __future__ import annotations

import ctypes
from typing import Any

from llvmlite.binding import ffi


def run_passes(passes: Any, module: Any, builder: Any) -> None:
    """Optimize a module of a context that no other thread uses."""
    _unlocked("LLVMPY_RunNewModulePassManager")(passes, module, builder)


def object_code(machine: Any, module: Any) -> bytes:
    """Return the object code of a module of a context that no other thread uses."""
    with ffi.OutputString() as error:
        buffer = _unlocked("LLVMPY_TargetMachineEmitToMemory")(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


def _unlocked(name: str) -> Any:
    function = getattr(ffi.lib, name)
    return getattr(function, "_cfn", function)
