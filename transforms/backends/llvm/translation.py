"""From the text of modules to object code, from the disk where it is there, and to machine code in memory."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

from llvmlite import binding
from llvmlite.binding.newpassmanagers import NewPassManager

from transforms.backends.llvm.disk import cached, entry_name
from transforms.backends.llvm.heap import in_threads
from transforms.backends.llvm.processor import available_threads, host_processor, initialize
from transforms.backends.llvm.unlocked import object_code, run_passes


def translated(texts: Sequence[str]) -> list[bytes]:
    """Return the object code of modules, several of which are made at the same time."""
    initialize()
    one = functools.partial(cached, key=_key(), make=_compile)
    made: dict[str, bytes] = {}
    left = iter(texts)

    def make_some() -> None:
        for text in left:
            made[text] = one(text)

    if texts:
        in_threads(min(available_threads(), len(texts)), make_some)
    return [made[text] if text in made else one(text) for text in texts]  # what failed, fails here


def names_of(texts: Iterable[str]) -> list[str]:
    """Return the names of modules' entries on disk."""
    return [entry_name(text, _key()) for text in texts]


def engine_of(objects: Iterable[bytes]) -> Any:
    """Return an engine that holds object code; its functions live as long as it does."""
    initialize()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine())
    for code in objects:
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return engine


def _key() -> str:
    return str((host_processor().name, host_processor().features, binding.llvm_version_info))


def _target_machine() -> binding.TargetMachine:
    """Return a description of this machine; an engine takes it for its own, so that each has a new one."""
    return binding.Target.from_default_triple().create_target_machine(
        cpu=host_processor().name,
        features=host_processor().features,
        opt=3,
        jit=True,
    )


def _compile(text: str) -> bytes:
    machine = _target_machine()
    context = binding.create_context()  # one for each, because they are compiled at the same time
    module = binding.parse_assembly(text, context)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = True
    builder = binding.create_pass_builder(machine, options)
    passes = builder.getModulePassManager()
    run_passes(passes, module, builder)
    # llvmlite leaves its 100 kB where they are: of its two bases the one that does not comes first.
    NewPassManager._dispose(passes)
    passes.detach()
    return object_code(machine, module)
