"""What to write instead, where NumPy or SciPy turns an argument into a plain array before any protocol.

Such a function calls ``np.asarray`` on its argument, and that reaches a tracer as ``__array__``. Which
function it was, the frames of the interpreter tell: the outermost of those that belong to the library.
"""

from __future__ import annotations

import sys
from types import FrameType

_LIBRARIES = ("numpy", "scipy")

_SUBSTITUTES = {
    "numpy.full": "np.broadcast_to(t, shape), or transforms.numpy.full",
    "numpy.sum": "np.sum(np.stack([t, u]))",
    "numpy.mean": "np.mean(np.stack([t, u]))",
    "numpy.max": "np.max(np.stack([t, u]))",
    "numpy.min": "np.min(np.stack([t, u]))",
    "numpy.prod": "np.prod(np.stack([t, u]))",
    "numpy.vectorize.__call__": "vmap of the scalar function, or transforms.numpy.vectorize",
    "numpy.__getitem__": "np.concatenate for np.r_, np.stack(..., axis=-1) for np.c_",
    "numpy.as_strided": "indexing, or transforms.numpy.sliding_window_view",
    "numpy.matrix": "a two-dimensional array",
}


def explain_conversion() -> str:
    """Return the message for a tracer that is being turned into a plain array."""
    library, name = _library_function()
    rule = "the array must stay traced, got a conversion to a plain one, which would drop its derivative"
    if library is None:
        return (
            f"np.asarray(t): {rule}; write np.stack([t, u]) for np.array([t, u]), t itself for np.asarray(t), "
            "np.take(x, t, axis=0) for x[t], or use the forms in transforms.numpy"
        )
    substitute = _SUBSTITUTES.get(f"{library}.{name}")
    if substitute is None:
        substitute = (
            f"transforms.{library}.{name}"
            if _has_form(library, name)
            else ("functions that NumPy lets us trace, or give this one rules with custom_jvp or custom_vjp")
        )
    return f"{library}.{name}: {rule}; write {substitute}"


def _library_function() -> tuple[str | None, str]:
    frame: FrameType | None = sys._getframe(3)
    found: tuple[str | None, str] = (None, "")
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        library = module.partition(".")[0]
        if library not in _LIBRARIES:
            break
        public = module if library == "numpy" else ".".join(p for p in module.split(".") if p[0] != "_")
        found = (library, _public_name(library, public, frame.f_code.co_qualname))
        frame = frame.f_back
    return found


def _public_name(library: str, module: str, name: str) -> str:
    inner = ".".join(part for part in module.split(".")[1:] if not part.startswith("_"))
    return name if library == "numpy" or not inner else f"{inner}.{name}"


def _has_form(library: str, name: str) -> bool:
    module = sys.modules.get(f"transforms.{library}.{name}".rpartition(".")[0])
    return hasattr(module, name.rpartition(".")[2])
