"""From the text of modules to machine code in memory."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from llvmlite import binding

from transforms.backends.llvm.disk import cached
from transforms.backends.llvm.mathematics import library_addresses
from transforms.backends.llvm.module import Segments
from transforms.backends.llvm.processor import host_processor, initialize
from transforms.backends.llvm.steps import HostCall
from transforms.backends.llvm.threads import available_threads, pool_addresses


class Code:
    """Compiled modules that know each other; their functions live as long as this does."""

    def __init__(self, texts: Sequence[str]) -> None:
        _initialize()
        self._engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
        for code in _compile_all(texts):
            self._engine.add_object_file(binding.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def parts(self, written: Segments) -> list[HostCall | Callable[[int], int]]:
        """Return what a call runs, in order: functions, and calls of NumPy."""
        return [part if isinstance(part, HostCall) else self.segment(part) for part in written.parts]

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
def _initialize() -> None:
    initialize()
    for name, address in {**library_addresses(), **pool_addresses()}.items():
        binding.add_symbol(name, address)


def _target_machine() -> binding.TargetMachine:
    """Return a description of this machine; an engine takes it for its own, so that each has a new one."""
    return binding.Target.from_default_triple().create_target_machine(
        cpu=host_processor().name,
        features=host_processor().features,
        opt=3,
        jit=True,
    )


def _compile_all(texts: Sequence[str]) -> list[bytes]:
    """Compile modules, several at the same time; LLVM needs no lock of the interpreter."""
    key = (host_processor().name, host_processor().features, binding.llvm_version_info)
    compile_one = functools.partial(cached, key=str(key), make=_compile)
    if len(texts) == 1:
        return [compile_one(texts[0])]
    with ThreadPoolExecutor(available_threads()) as pool:
        return list(pool.map(compile_one, texts))


def _compile(text: str) -> bytes:
    machine = _target_machine()
    context = binding.create_context()  # one for each, because they are compiled at the same time
    module = binding.parse_assembly(text, context)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = binding.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code
