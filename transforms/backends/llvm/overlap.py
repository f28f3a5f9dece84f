"""Whether memory that a program writes over is only in one of the arrays that it is given, in native code.

The arrays are sorted by their addresses; in the steady state of a training these are the same in each call,
so that they are in order already. Then one sweep compares each with the furthest end of those before it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

from transforms.types import Array

_ENTRY = 3  # numbers of each array
_READ_ONLY = ~0x0400  # all of NumPy's flags but that of arrays that can be written to


class Range(NamedTuple):
    """An array that a program is given.

    Attributes:
        slot: of its address in the table of pointers.
        size: its bytes.
        place: in the list of inputs if it is written over, else -1.
    """

    slot: int
    size: int
    place: int


def ranges(arrays: Sequence[Range]) -> Any:
    """Return what the function `claim` reads: how many arrays there are, their order, and what they are."""
    count = len(arrays)
    entries = [number for x in arrays for number in x]
    return (ctypes.c_int64 * (1 + len(entries) + count))(count, *range(count), *entries)


def separate(written: Sequence[Array], read: Sequence[Array]) -> list[bool]:
    """Say for each contiguous array whether it can be written over: of arrays that overlap the first can.

    Args:
        written: those to write over.
        read: others, none of which may change.
    """
    pairs = [*((x, i) for i, x in enumerate(written)), *((x, -1) for x in read)]
    found = [True] * len(written)
    end, written_end, last = 0, 0, -1
    for begin, size, place in sorted((x.ctypes.data, x.nbytes, place) for x, place in pairs):
        if place >= 0 and begin < end:
            found[place] = False
        elif place >= 0:
            written_end, last = begin + size, place
        elif begin < written_end:
            found[last] = False
        end = max(end, begin + size)
    return found


def claim_text(flags: int) -> str:
    """Return the LLVM function ``claim`` of the table of pointers, the inputs and their ranges.

    It makes the arrays that are written over read-only, as results are, and returns 1; or, if one of them
    shares memory with another array, it does nothing and returns 0.

    Args:
        flags: the offset of an array's flags in the object.
    """
    return f"""
define internal i64 @claim(ptr %table, ptr %items, ptr %ranges) {{
entry:
  %count = load i64, ptr %ranges
  %order = getelementptr i64, ptr %ranges, i64 1
  %entries = getelementptr i64, ptr %order, i64 %count
  call void @sort(ptr %table, i64 %count, ptr %order, ptr %entries)
  %apart = call i1 @are_apart(ptr %table, i64 %count, ptr %order, ptr %entries)
  br i1 %apart, label %lock, label %shared
shared:
  ret i64 0
lock:
  call void @lock(ptr %items, i64 %count, ptr %entries)
  ret i64 1
}}
{_SORT}
{_ARE_APART}
{_lock_text(flags)}
{_ADDRESS}"""


# Sort by insertion, which takes one look at each array where all are in order already.
_SORT = """
define internal void @sort(ptr %table, i64 %count, ptr %order, ptr %entries) {
entry:
  br label %next
next:
  %k = phi i64 [0, %entry], [%k2, %put]
  %sorting = icmp ult i64 %k, %count
  br i1 %sorting, label %take, label %sorted
take:
  %kp = getelementptr i64, ptr %order, i64 %k
  %moved = load i64, ptr %kp
  %address = call i64 @address(ptr %table, ptr %entries, i64 %moved)
  br label %before
before:
  %j = phi i64 [%k, %take], [%j2, %shift]
  %first = icmp eq i64 %j, 0
  br i1 %first, label %put, label %compare
compare:
  %j2 = sub i64 %j, 1
  %jp = getelementptr i64, ptr %order, i64 %j2
  %other = load i64, ptr %jp
  %otheraddress = call i64 @address(ptr %table, ptr %entries, i64 %other)
  %above = icmp ugt i64 %otheraddress, %address
  br i1 %above, label %shift, label %put
shift:
  %up = getelementptr i64, ptr %order, i64 %j
  store i64 %other, ptr %up
  br label %before
put:
  %pp = getelementptr i64, ptr %order, i64 %j
  store i64 %moved, ptr %pp
  %k2 = add i64 %k, 1
  br label %next
sorted:
  ret void
}"""

# Sweep over the sorted arrays: one that is written begins behind all others before it, and one that is only
# read behind those that are written.
_ARE_APART = f"""
define internal i1 @are_apart(ptr %table, i64 %count, ptr %order, ptr %entries) {{
entry:
  br label %sweep
sweep:
  %i = phi i64 [0, %entry], [%i2, %apart]
  %end = phi i64 [0, %entry], [%end2, %apart]
  %writtenend = phi i64 [0, %entry], [%writtenend2, %apart]
  %within = icmp ult i64 %i, %count
  br i1 %within, label %look, label %all
look:
  %ip = getelementptr i64, ptr %order, i64 %i
  %which = load i64, ptr %ip
  %begin = call i64 @address(ptr %table, ptr %entries, i64 %which)
  %e = mul i64 %which, {_ENTRY}
  %entryp = getelementptr i64, ptr %entries, i64 %e
  %sizep = getelementptr i64, ptr %entryp, i64 1
  %size = load i64, ptr %sizep
  %placep = getelementptr i64, ptr %entryp, i64 2
  %place = load i64, ptr %placep
  %written = icmp sge i64 %place, 0
  %limit = select i1 %written, i64 %end, i64 %writtenend
  %free = icmp uge i64 %begin, %limit
  %stop = add i64 %begin, %size
  %further = icmp ugt i64 %stop, %end
  %end2 = select i1 %further, i64 %stop, i64 %end
  %writtenfurther = icmp ugt i64 %stop, %writtenend
  %both = and i1 %written, %writtenfurther
  %writtenend2 = select i1 %both, i64 %stop, i64 %writtenend
  br i1 %free, label %apart, label %shared
apart:
  %i2 = add i64 %i, 1
  br label %sweep
shared:
  ret i1 false
all:
  ret i1 true
}}"""

_ADDRESS = f"""
define internal i64 @address(ptr %table, ptr %entries, i64 %number) {{
  %e = mul i64 %number, {_ENTRY}
  %p = getelementptr i64, ptr %entries, i64 %e
  %slot = load i64, ptr %p
  %t = getelementptr ptr, ptr %table, i64 %slot
  %address = load i64, ptr %t
  ret i64 %address
}}
"""


def _lock_text(flags: int) -> str:
    return f"""
define internal void @lock(ptr %items, i64 %count, ptr %entries) {{
entry:
  br label %each
each:
  %l = phi i64 [0, %entry], [%l2, %unlocked]
  %more = icmp ult i64 %l, %count
  br i1 %more, label %mark, label %done
mark:
  %me = mul i64 %l, {_ENTRY}
  %mep = getelementptr i64, ptr %entries, i64 %me
  %mpp = getelementptr i64, ptr %mep, i64 2
  %mp = load i64, ptr %mpp
  %iswritten = icmp sge i64 %mp, 0
  br i1 %iswritten, label %set, label %unlocked
set:
  %op = getelementptr ptr, ptr %items, i64 %mp
  %object = load ptr, ptr %op
  %fp = getelementptr i8, ptr %object, i64 {flags}
  %flags = load i32, ptr %fp
  %readonly = and i32 %flags, {_READ_ONLY}
  store i32 %readonly, ptr %fp
  br label %unlocked
unlocked:
  %l2 = add i64 %l, 1
  br label %each
done:
  ret void
}}"""
