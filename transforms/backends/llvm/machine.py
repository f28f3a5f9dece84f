"""From the text of a module to machine code in memory."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

from llvmlite import binding

from transforms.backends.llvm.blas import blas_addresses
from transforms.backends.llvm.mathematics import library_addresses


class Code:
    """A compiled module; its functions live as long as it does."""

    def __init__(self, text: str) -> None:
        machine = _target_machine()
        module = binding.parse_assembly(text)
        module.verify()
        options = binding.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
        builder = binding.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        self._engine = binding.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()

    def segment(self, number: int) -> Callable[[int], None]:
        """Return a segment as a function, during which other threads of Python may run."""
        address = self._engine.get_function_address(f"segment{number}")
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p)(address)


@functools.cache
def _initialize() -> None:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    for name, address in {**library_addresses(), **blas_addresses()}.items():
        binding.add_symbol(name, address)


def _target_machine() -> binding.TargetMachine:
    """Return a description of this machine; an engine takes it for its own, so that each has a new one."""
    _initialize()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        opt=3,
        jit=True,
    )
