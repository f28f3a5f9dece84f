"""Object code in memory, linked with what it calls."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence

from llvmlite import binding

from transforms.backends.llvm.library import library_addresses
from transforms.backends.llvm.steps import HostCall
from transforms.backends.llvm.threads import pool_addresses
from transforms.backends.llvm.translation import engine_of


class Code:
    """Modules that know each other; their functions live as long as this does."""

    def __init__(self, objects: Sequence[bytes]) -> None:
        _add_symbols()
        self._engine = engine_of(objects)

    def parts(self, parts: Sequence[int | HostCall]) -> list[HostCall | Callable[[int], int]]:
        """Return what a call runs, in order: segments, and calls of NumPy."""
        return [part if isinstance(part, HostCall) else self.segment(part) for part in parts]

    def segment(self, number: int) -> Callable[[int], int]:
        """Return a segment as a function, during which other threads of Python may run."""
        address = self._engine.get_function_address(f"segment{number}")
        return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)

    def stamp(self) -> int:
        """Return the number of cycles since some time, in a module that counts them."""
        now: int = ctypes.CFUNCTYPE(ctypes.c_int64)(self._engine.get_function_address("stamp"))()
        return now

    def address(self, name: str) -> int:
        """Return where a global variable is."""
        address: int = self._engine.get_global_value_address(name)
        return address


@functools.cache
def _add_symbols() -> None:
    for name, address in {**library_addresses(), **pool_addresses()}.items():
        binding.add_symbol(name, address)
