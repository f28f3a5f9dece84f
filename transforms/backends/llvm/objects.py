"""From Python's objects to addresses, in native code: what a call costs before and after the program runs.

`prepare` reads the heads of the arrays that a call is given, and picks for each result an array that nobody
refers to any more. It holds the interpreter's lock. Where an argument is something else than a contiguous
array or a scalar of the right type, or no array is free, it says so, and Python does the rest. What is
donated must be an array that owns its memory, and shares it with no other argument.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

from transforms.backends.llvm.overlap import claim_text
from transforms.backends.llvm.translation import engine_of, translated

KEPT = 8
"""How many arrays are kept for each result."""

# Fields of an object, and of NumPy's array, whose layout is part of its binary interface.
_TYPE = ctypes.sizeof(ctypes.c_void_p)
_HEAD = object.__basicsize__
_ITEMS = _HEAD + _TYPE  # of a list
_RANK, _LENGTHS, _DTYPE, _FLAGS = (_HEAD + _TYPE * k for k in (1, 2, 5, 6))

READY = 0x0001 | 0x0100
"""NumPy's flags of contiguous and aligned arrays."""
OWNED = READY | 0x0004
"""And of those whose memory is their own."""

RECORD = 5
"""How many numbers `prepare` reads of each input: the types of its scalars and elements, its shape, flags."""

# What `prepare` returns.
DONE, UNUSUAL, NONE_FREE = 0, 1, 2

_MODULE = f"""
; inputs: a list. control: number of inputs, number of results, address of the table of pointers, slot of
; the first input, slot of the first result, address of ndarray, address of what `claim` reads or 0; then for
; each input the addresses of the type of its scalars and of its dtype, the number of its axes, the address of
; their lengths, and the flags that it must have; and for each result the number of arrays, room for {KEPT} of
; them, and the place of the one that is picked.
define i64 @prepare(ptr %list, ptr %control) {{
entry:
  %il = getelementptr i8, ptr %list, i64 {_ITEMS}
  %items = load ptr, ptr %il
  %inputs = load i64, ptr %control
  %p1 = getelementptr i64, ptr %control, i64 1
  %results = load i64, ptr %p1
  %p2 = getelementptr i64, ptr %control, i64 2
  %table = load ptr, ptr %p2
  %p3 = getelementptr i64, ptr %control, i64 3
  %first = load i64, ptr %p3
  %p4 = getelementptr i64, ptr %control, i64 4
  %start = load i64, ptr %p4
  %p5 = getelementptr i64, ptr %control, i64 5
  %ndarray = load i64, ptr %p5
  %p6 = getelementptr i64, ptr %control, i64 6
  %ranges = load ptr, ptr %p6
  %records = getelementptr i64, ptr %control, i64 7
  %words = mul i64 %inputs, {RECORD}
  %pools = getelementptr i64, ptr %records, i64 %words
  %some = icmp ne i64 %inputs, 0
  br i1 %some, label %input, label %given
input:
  %i = phi i64 [0, %entry], [%i2, %stored]
  %ip = getelementptr ptr, ptr %items, i64 %i
  %object = load ptr, ptr %ip
  %ro0 = mul i64 %i, {RECORD}
  %record = getelementptr i64, ptr %records, i64 %ro0
  %tp = getelementptr i8, ptr %object, i64 {_TYPE}
  %type = load i64, ptr %tp
  %value = getelementptr i8, ptr %object, i64 {_HEAD}
  %isarray = icmp eq i64 %type, %ndarray
  br i1 %isarray, label %array, label %scalar
array:
  %fp = getelementptr i8, ptr %object, i64 {_FLAGS}
  %flags = load i32, ptr %fp
  %wfp = getelementptr i64, ptr %record, i64 4
  %wantedflags64 = load i64, ptr %wfp
  %wantedflags = trunc i64 %wantedflags64 to i32
  %both = and i32 %flags, %wantedflags
  %ready = icmp eq i32 %both, %wantedflags
  %dp = getelementptr i8, ptr %object, i64 {_DTYPE}
  %dtype = load i64, ptr %dp
  %wp = getelementptr i64, ptr %record, i64 1
  %wanteddtype = load i64, ptr %wp
  %samedtype = icmp eq i64 %dtype, %wanteddtype
  %rp = getelementptr i8, ptr %object, i64 {_RANK}
  %rank32 = load i32, ptr %rp
  %rank = zext i32 %rank32 to i64
  %wrp = getelementptr i64, ptr %record, i64 2
  %wantedrank = load i64, ptr %wrp
  %samerank = icmp eq i64 %rank, %wantedrank
  %ok1 = and i1 %ready, %samedtype
  %ok = and i1 %ok1, %samerank
  %data = load ptr, ptr %value
  %lp = getelementptr i8, ptr %object, i64 {_LENGTHS}
  %lengths = load ptr, ptr %lp
  %wlp = getelementptr i64, ptr %record, i64 3
  %wantedlengths = load ptr, ptr %wlp
  br i1 %ok, label %axes, label %unusual
axes:
  %axis = phi i64 [0, %array], [%axis2, %same]
  %within0 = icmp ult i64 %axis, %rank
  br i1 %within0, label %length, label %stored
length:
  %l1p = getelementptr i64, ptr %lengths, i64 %axis
  %l1 = load i64, ptr %l1p
  %l2p = getelementptr i64, ptr %wantedlengths, i64 %axis
  %l2 = load i64, ptr %l2p
  %samelength = icmp eq i64 %l1, %l2
  br i1 %samelength, label %same, label %unusual
same:
  %axis2 = add i64 %axis, 1
  br label %axes
scalar:
  %wanted = load i64, ptr %record
  %fits = icmp eq i64 %type, %wanted
  br i1 %fits, label %stored, label %unusual
unusual:
  ret i64 {UNUSUAL}
stored:
  %address = phi ptr [%data, %axes], [%value, %scalar]
  %is = add i64 %first, %i
  %it = getelementptr ptr, ptr %table, i64 %is
  store ptr %address, ptr %it
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, %inputs
  br i1 %more, label %input, label %given
given:
  %claims = icmp ne ptr %ranges, null
  br i1 %claims, label %claim, label %outputs
claim:
  %claimed = call i64 @claim(ptr %table, ptr %items, ptr %ranges)
  %alone = icmp ne i64 %claimed, 0
  br i1 %alone, label %outputs, label %unusual
outputs:
  %any = icmp ne i64 %results, 0
  br i1 %any, label %output, label %finish
finish:
  ret i64 {DONE}
output:
  %r = phi i64 [0, %outputs], [%r2, %next]
  %code = phi i64 [{DONE}, %outputs], [%code2, %next]
  %ro = mul i64 %r, {KEPT + 2}
  %pool = getelementptr i64, ptr %pools, i64 %ro
  %count = load i64, ptr %pool
  %arrays = getelementptr i64, ptr %pool, i64 1
  %pickp = getelementptr i64, ptr %pool, i64 {KEPT + 1}
  br label %look
look:
  %k = phi i64 [0, %output], [%k2, %taken]
  %within = icmp ult i64 %k, %count
  br i1 %within, label %try, label %none
try:
  %ap = getelementptr ptr, ptr %arrays, i64 %k
  %candidate = load ptr, ptr %ap
  %references = load i64, ptr %candidate
  %free = icmp eq i64 %references, 1
  br i1 %free, label %pick, label %taken
taken:
  %k2 = add i64 %k, 1
  br label %look
none:
  store i64 -1, ptr %pickp
  br label %next
pick:
  store i64 %k, ptr %pickp
  %cp = getelementptr i8, ptr %candidate, i64 {_HEAD}
  %memory = load ptr, ptr %cp
  %rs = add i64 %start, %r
  %rt = getelementptr ptr, ptr %table, i64 %rs
  store ptr %memory, ptr %rt
  br label %next
next:
  %code2 = phi i64 [{NONE_FREE}, %none], [%code, %pick]
  %r2 = add i64 %r, 1
  %again = icmp ult i64 %r2, %results
  br i1 %again, label %output, label %last
last:
  ret i64 %code2
}}
{claim_text(_FLAGS)}"""


@functools.cache
def _compiled() -> Any:
    """Return the compiled function, and what keeps it alive."""
    engine = engine_of(translated([_MODULE]))
    kind = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p)
    return kind(engine.get_function_address("prepare")), engine


def _layout_is_known() -> bool:
    """Say whether objects and arrays are laid out as `prepare` expects; not in a build without the lock."""
    array = np.zeros((3, 5))
    items = [array]
    read = ctypes.c_int64.from_address
    return (
        getattr(sys, "_is_gil_enabled", lambda: True)()
        and _HEAD == 2 * _TYPE
        and read(id(array) + _TYPE).value == id(np.ndarray)
        and read(id(array) + _HEAD).value == array.ctypes.data
        and read(read(id(items) + _ITEMS).value).value == id(array)
        and ctypes.c_int32.from_address(id(array) + _FLAGS).value == array.flags.num
        and ctypes.c_int32.from_address(id(array) + _RANK).value == 2
        and read(read(id(array) + _LENGTHS).value + 8).value == 5
        and read(id(array) + _DTYPE).value == id(array.dtype)
        and ctypes.c_double.from_address(id(np.float64(1.5)) + _HEAD).value == 1.5
    )


@functools.cache
def prepare_function() -> Any:
    """Return `prepare` as a function of two addresses; where it knows no objects, one that never succeeds."""
    return _compiled()[0] if _layout_is_known() else lambda inputs, control: UNUSUAL


def pointer(array: Any) -> int:
    """Return the address of an array's elements."""
    address: int = array.ctypes.data
    return address


class Results:
    """The arrays that a program's results are written to, each again once nobody else refers to it.

    Attributes:
        arrays: for each result those that are kept.
    """

    def __init__(self, control: Any, first: int, shapes: list[tuple[tuple[int, ...], Any]]) -> None:
        self.arrays: list[list[Any]] = [[] for _ in shapes]
        self._control = control
        self._first = first
        self._shapes = shapes

    def pick(self) -> list[Any]:
        """Return the arrays of a call that `prepare` has picked; new ones for those that it has not."""
        places = self._control[self._first + KEPT + 1 :: KEPT + 2]
        return [
            arrays[k] if k >= 0 else self._make(result, arrays)
            for result, (k, arrays) in enumerate(zip(places, self.arrays, strict=True))
        ]

    def forget(self) -> None:
        """Note that none is picked, where `prepare` has not come to it."""
        for result in range(len(self.arrays)):
            self._control[self._first + result * (KEPT + 2) + KEPT + 1] = -1

    def _make(self, result: int, arrays: list[Any]) -> Any:
        array = np.empty(*self._shapes[result])
        array.setflags(write=False)
        if len(arrays) < KEPT:
            place = self._first + result * (KEPT + 2)
            self._control[place + 1 + len(arrays)] = id(array)
            arrays.append(array)
            self._control[place] = len(arrays)
        return array
