"""What to write instead, where an argument is turned into plain numbers before any protocol is asked.

NumPy's and SciPy's functions that do so call ``np.asarray`` or ``float`` on the argument, and all that
a tracer sees is its ``__array__`` or ``__float__``. Who called, the frames of the interpreter tell: the
outermost of those that belong to a library, or else the expression in the user's own source.
"""

from __future__ import annotations

import ast
import dis
import itertools
import linecache
import sys
from types import FrameType

import numpy as np

_LIST = "np.stack([t, u]) in the place of a list [t, u]"
_OTHERWISE = "it with NumPy functions, or give it rules with custom_jvp or custom_vjp"
_AT_SET = "x = transforms.at(x)[index].set(t)"

_NUMPY = {
    "array": "np.stack([t, u]), or transforms.numpy.array([t, u])",
    "asarray": "t itself, or transforms.numpy.asarray(t)",
    "full": "np.broadcast_to(t, shape), or transforms.numpy.full(shape, t)",
    "arange": "t * np.arange(n), or transforms.numpy.arange(t)",
    "pad": "np.where(np.pad(np.ones(x.shape, bool), width), np.pad(x, width), t)",
    "fromiter": "np.stack(list(values))",
    "take": "transforms.at(x)[t].get(), or np.take(x, t, axis) with a traced x",
    "vectorize.__call__": "vmap(function)(t), or transforms.numpy.vectorize(function)(t)",
    "as_strided": "np.lib.stride_tricks.sliding_window_view(t, window), or indexing",
    "AxisConcatenator.__getitem__": "np.concatenate or np.stack for np.r_, np.stack(..., axis=-1) for np.c_",
    "nd_grid.__getitem__": "np.meshgrid of np.linspace(start, stop, n), or of start + step * np.arange(n)",
    "poly1d": "np.polyval(coefficients, x), with the coefficients as one array",
    "matrix": "an array of two axes",
    "ndenumerate": "a loop over np.ndindex(t.shape)",
    "nditer": "a loop over np.ndindex(t.shape)",
    "polynomial.ABCPolyBase": "np.polyval(coefficients[::-1], x), with the coefficients as one array",
}
_NUMPY |= dict.fromkeys(("asanyarray", "ascontiguousarray", "asfortranarray", "require"), _NUMPY["asarray"])
_NUMPY |= dict.fromkeys(("asmatrix", "bmat"), _NUMPY["matrix"])
_NUMPY |= dict.fromkeys(("float16", "float32", "float64", "int32", "int64"), "t.astype(dtype)")

_METHODS = {
    "fill": "x = np.broadcast_to(t, x.shape)",
    "put": "x = transforms.at(x)[indices].set(t)",
}

_ANYTHING = (
    "np.stack([t, u]) for np.array([t, u]), t itself for np.asarray(t), transforms.at(x)[t].get() for x[t], "
    f"{_AT_SET} for x[index] = t, np.sin(t) for math.sin(t), or use the forms in transforms.numpy"
)

_PUBLIC_PARTS = ("fft", "linalg", "ma", "polynomial", "random")
_WRAPPED = ("f", "fun", "func", "function")


def explain_conversion() -> str:
    """Return the message for a tracer that is being turned into a plain array, for its ``__array__``."""
    caller = sys._getframe(2)
    where, remedy = _library_call(caller) or _user_code(caller) or ("np.asarray(t)", _ANYTHING)
    return (
        f"{where}: the arguments must stay traced, got a conversion to a plain array, which would drop "
        f"its derivative; write {remedy}"
    )


def explain_number(call: str, got: str, reason: str, otherwise: str) -> str:
    """Return the message for a tracer that is being turned into a Python number.

    Args:
        call: how Python asks for it, as in ``"float(t)"``.
        got: what the tracer is.
        reason: why that is refused.
        otherwise: what to do if no other code will do.
    """
    caller = sys._getframe(3)
    where, remedy = _library_call(caller) or _user_code(caller) or ("unknown code", _ANYTHING)
    return (
        f"{call}: the argument must be a plain number, got {got} in {where}; {reason}: "
        f"write {remedy}, or {otherwise}"
    )


# --- calls from inside of a library


def _library_call(caller: FrameType) -> tuple[str, str] | None:
    """Return the library's function that the user called, and what to write for it."""
    names = [name for frame in _library_frames(caller) if (name := _public_name(frame))]
    if not names:
        return None
    name = names[-1]
    library, _, function = name.partition(".")
    if library == "numpy":
        return name, _NUMPY.get(function, _LIST)
    if _has_form(name):
        return name, f"transforms.{name}"
    return name, _OTHERWISE


def _library_frames(frame: FrameType | None) -> list[FrameType]:
    """Return the frames of NumPy and SciPy that lead to a call, the innermost first."""
    frames: list[FrameType] = []
    while frame is not None and _module(frame).partition(".")[0] in ("numpy", "scipy"):
        frames.append(frame)
        frame = frame.f_back
    return frames


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _public_name(frame: FrameType) -> str:
    """Return the name by which users know the function of a frame; nothing if it is a helper."""
    module, name = _module(frame), frame.f_code.co_qualname
    if "<locals>" in name:
        # The wrapper that a decorator puts around a function keeps the function in a variable.
        variables = (frame.f_locals.get(key) for key in _WRAPPED)
        function = next((value for value in variables if hasattr(value, "__qualname__")), None)
        if function is None:
            return ""
        module, name = function.__module__, function.__qualname__
    library, *inner = module.split(".")
    if library == "numpy":
        public = [part for part in inner if part in _PUBLIC_PARTS]
    else:
        public = [part for part in inner[:1] if not part.startswith("_")]
    return ".".join([library, *public, name.removesuffix(".__init__")])


def _has_form(name: str) -> bool:
    """Whether `transforms` offers a working form of a function."""
    module, _, function = f"transforms.{name}".rpartition(".")
    return module in sys.modules and hasattr(sys.modules[module], function)


# --- calls from the user's own code, into functions that are not written in Python


def _user_code(frame: FrameType) -> tuple[str, str] | None:
    """Return the expression that the user's line is evaluating, and what to write for it."""
    text = _expression(frame)
    if text is None:
        return None
    operation = dis.opname[frame.f_code.co_code[frame.f_lasti]]
    if operation.startswith("STORE"):
        return f"{text} = ...", _AT_SET
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.Subscript):
        return text, f"transforms.at({ast.unparse(tree.value)})[{ast.unparse(tree.slice)}].get()"
    if not isinstance(tree, ast.Call):
        return text, _LIST
    return text, _for_call(tree)


def _for_call(call: ast.Call) -> str:
    """Return what to write for a call, by the name of what is called."""
    module, _, name = ast.unparse(call.func).rpartition(".")
    if module in ("math", "cmath"):
        return f"np.{name}(t), not {module}.{name}(t)"
    if name in ("float", "int", "complex", "item", "tolist"):
        return "t itself, which stays an array"
    of_numpy = module in ("np", "numpy")
    substitutes = _NUMPY if of_numpy or not module else _METHODS
    if name in substitutes:
        return substitutes[name]
    if any(isinstance(argument, (ast.List, ast.Tuple)) for argument in call.args):
        return _LIST
    return f"np.{name}(x, t)" if hasattr(np, name) and not of_numpy else _OTHERWISE


def _expression(frame: FrameType) -> str | None:
    """Return the source text of what a frame is evaluating, if it is on one line and known."""
    positions = next(itertools.islice(frame.f_code.co_positions(), frame.f_lasti // 2, None), None)
    if positions is None:
        return None
    line, end_line, column, end_column = positions
    if line is None or line != end_line or column is None:
        return None
    source = linecache.getline(frame.f_code.co_filename, line, frame.f_globals)
    # Positions count bytes.
    return source.encode()[column:end_column].decode() or None
