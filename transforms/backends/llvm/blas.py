"""Matrix products by the BLAS that SciPy brings."""

from __future__ import annotations

import ctypes
import importlib

import numpy as np

from transforms.backends.llvm.steps import DType
from transforms.backends.llvm.writer import constant, register_type

_PREFIX = {np.dtype(np.float32): "s", np.dtype(np.float64): "d"}

PRODUCTS = frozenset(_PREFIX)
"""The dtypes of which BLAS multiplies matrices."""


def product_name(dtype: DType) -> str:
    """Return the name, in a module, of the function that `product_function` writes."""
    return f"product_{dtype}"


def product_function(dtype: DType) -> str:
    """Write the function that multiplies two matrices in C order.

    BLAS takes columns first, so that it sees all three matrices transposed: the operands change places.
    It takes numbers by address. The function's arguments are left, right, out, whether left and right are
    transposed, rows, inner, columns, and the leading lengths of left and right.
    """
    kind = register_type(dtype)
    numbers = {
        **dict.fromkeys(("left_flag", "right_flag"), "i8"),
        **dict.fromkeys(("rows", "inner", "columns", "left_leading", "right_leading", "out_leading"), "i32"),
    }
    lines = [
        f"define internal void @{product_name(dtype)}(ptr %left, ptr %right, ptr %out, i8 %left_flag, "
        "i8 %right_flag, i32 %rows, i32 %inner, i32 %columns, i32 %left_leading, i32 %right_leading) {",
        "  %out_leading = call i32 @llvm.umax.i32(i32 %columns, i32 1)",
    ]
    for name, number in numbers.items():
        lines += [f"  %p_{name} = alloca {number}", f"  store {number} %{name}, ptr %p_{name}"]
    for name, value in (("one", 1.0), ("zero", 0.0)):
        lines += [f"  %p_{name} = alloca {kind}", f"  store {kind} {constant(dtype, value)}, ptr %p_{name}"]
    order = (
        *("p_right_flag", "p_left_flag", "p_columns", "p_rows", "p_inner", "p_one"),
        *("right", "p_right_leading", "left", "p_left_leading", "p_zero", "out", "p_out_leading"),
    )
    arguments = ", ".join(f"ptr %{name}" for name in order)
    return "\n".join([*lines, f"  call void @{_gemm(dtype)}({arguments})", "  ret void", "}"])


def product_declarations(dtype: DType) -> tuple[str, str]:
    """Return the declarations of the functions that `product_function` calls."""
    return f"declare void @{_gemm(dtype)}({', '.join(['ptr'] * 13)})", "declare i32 @llvm.umax.i32(i32, i32)"


def _gemm(dtype: DType) -> str:
    return f"{_PREFIX[dtype]}gemm"


def blas_addresses() -> dict[str, int]:
    """Return where the BLAS functions are."""
    capsules = importlib.import_module("scipy.linalg.cython_blas").__pyx_capi__
    return {name: _address(capsules[name]) for name in ("sgemm", "dgemm")}


def _address(capsule: object) -> int:
    """Return the pointer in a capsule, whose name is the function's signature in C."""
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address: int = get_pointer(capsule, get_name(capsule))
    return address
