"""Exception types of the engine, and the one sentence form that their messages share.

Every message reads ``<callable>: <what> must <rule>, got <value>; <remedy>``. The types derive from
``ValueError`` and ``TypeError``, so that a caller who knows nothing of this library catches them.
"""

from __future__ import annotations

import sys
from types import FrameType


class TreeMismatchError(ValueError):
    """Two trees that must have the same structure differ; the message names the first path."""


class ShapeError(ValueError):
    """Operands have shapes that do not fit the operation; the message shows each of them."""


class LeakedTracerError(TypeError):
    """A tracer was used after the transform that made it had returned."""


class ConcreteValueError(TypeError):
    """Python asked a tracer for a value (``float``, ``if``, ``np.asarray``) that it must not give."""


class RefusedError(TypeError):
    """A NumPy function that cannot be traced was called on a tracer; the message names a substitute."""


class NoRuleError(TypeError):
    """A primitive has no rule for the transform that needs one; the message gives the reason."""


def message(where: str, what: str, rule: str, got: object, remedy: str = "") -> str:
    """Return ``"<where>: <what> must <rule>, got <got>; <remedy>"``.

    >>> message("grad", "the output", "be a scalar", "shape (3,)", "sum it first")
    'grad: the output must be a scalar, got shape (3,); sum it first'
    """
    text = f"{where}: {what} must {rule}, got {got}"
    return f"{text}; {remedy}" if remedy else text


_LIBRARIES = ("transforms", "funcdl", "numpy", "scipy", "contextlib", "functools")


def user_line() -> str:
    """Return where the user's code is, as ``"file:line in function"``: the innermost frame of no library.

    >>> user_line()
    '<doctest ...user_line[0]>:1 in <module>'
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        in_doctest = frame.f_code.co_filename.startswith("<doctest")
        if in_doctest or module.partition(".")[0] not in _LIBRARIES:
            return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
        frame = frame.f_back
    return "an unknown place"
