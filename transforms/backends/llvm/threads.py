"""The pool of native threads that run the units of bands.

Its code is LLVM, compiled once: `parallel` hands out units one by one to the threads that are free. The
caller takes units, too, and never waits for a thread that has none: one that wakes late finds the job closed.
Idle threads spin for a moment and then sleep in the kernel. A job says how many threads may take part. While
one program uses the pool, another runs its units in turn.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading

from transforms.backends.llvm.processor import available_threads
from transforms.backends.llvm.translation import engine_of, translated
from transforms.errors import message

# The state: words, each on a cache line of its own.
_LINE = 64
_WORDS = ("epoch", "joined", "next", "busy", "asleep", "count", "function", "context", "stop", "limit")
_OFFSETS = {word: _LINE * place for place, word in enumerate(_WORDS)}
_FIELDS = "\n".join(
    f"  %{word} = getelementptr i8, ptr %state, i64 {offset}" for word, offset in _OFFSETS.items()
)
_SPINS = 1 << 13
_FUTEX = {"x86_64": 202, "aarch64": 98}
_PAUSE = {"x86_64": "call void @llvm.x86.sse2.pause()", "aarch64": "call void @llvm.aarch64.hint(i32 1)"}
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, private to the process


def _module() -> str:
    """Return the pool's text: its state, and what whoever takes units, the caller and a thread do."""
    pause = _PAUSE.get(platform.machine(), "")
    return f"""
@pool = global [{_LINE * len(_WORDS)} x i8] zeroinitializer, align {_LINE}

declare i64 @syscall(i64, ...)
{_declared(pause)}

define ptr @pool_state() {{
  ret ptr @pool
}}

{_TAKE}
{_parallel(pause)}
{_worker(pause)}"""


def _declared(call: str) -> str:
    """Return the declaration of the function that an instruction calls without using its result."""
    return call.replace("call", "declare").replace("i32 1", "i32")


def _futex(operation: int) -> str:
    """Return the first operands of a system call on the epoch."""
    return f"i64 {_FUTEX.get(platform.machine(), 0)}, ptr %epoch, i32 {operation}"


# Take units until there are none.
_TAKE = f"""define internal void @take(ptr %state, i64 %thread) {{
entry:
{_FIELDS}
  %f = load ptr, ptr %function
  %c = load ptr, ptr %context
  %n = load i64, ptr %count
  %l = load i64, ptr %limit
  %allowed = icmp ult i64 %thread, %l
  br i1 %allowed, label %again, label %done
again:
  %unit = atomicrmw add ptr %next, i64 1 seq_cst
  %more = icmp ult i64 %unit, %n
  br i1 %more, label %run, label %done
run:
  call void %f(ptr %c, i64 %unit, i64 %thread)
  br label %again
done:
  ret void
}}
"""


def _parallel(pause: str) -> str:
    """Return what the caller does: open a job, wake who sleeps, take units, close it, and wait for the rest.

    An odd epoch is a job that is open.
    """
    return f"""define void @funcdl_parallel(ptr %f, ptr %c, i64 %n, i64 %l) {{
entry:
  %state = getelementptr i8, ptr @pool, i64 0
{_FIELDS}
  %stopped = load atomic i32, ptr %stop seq_cst, align 4
  %alone = icmp ne i32 %stopped, 0
  br i1 %alone, label %serial, label %try
try:
  %was = cmpxchg ptr %busy, i32 0, i32 1 seq_cst seq_cst
  %free = extractvalue {{i32, i1}} %was, 1
  br i1 %free, label %open, label %serial
serial:
  br label %turn
turn:
  %i = phi i64 [0, %serial], [%i2, %turn]
  call void %f(ptr %c, i64 %i, i64 0)
  %i2 = add i64 %i, 1
  %more = icmp ult i64 %i2, %n
  br i1 %more, label %turn, label %out
out:
  ret void
open:
  store ptr %f, ptr %function
  store ptr %c, ptr %context
  store i64 %n, ptr %count
  store i64 %l, ptr %limit
  store atomic i64 0, ptr %next seq_cst, align 8
  %e0 = atomicrmw add ptr %epoch, i32 1 seq_cst
  %sleeping = load atomic i32, ptr %asleep seq_cst, align 4
  %wakes = icmp ne i32 %sleeping, 0
  br i1 %wakes, label %wake, label %work
wake:
  %w = call i64 (i64, ...) @syscall({_futex(_WAKE)}, i32 2147483647, i64 0, i64 0, i64 0)
  br label %work
work:
  call void @take(ptr %state, i64 0)
  %e1 = atomicrmw add ptr %epoch, i32 1 seq_cst
  br label %wait
wait:
  %others = load atomic i32, ptr %joined seq_cst, align 4
  %left = icmp ne i32 %others, 0
  br i1 %left, label %spin, label %close
spin:
  {pause}
  br label %wait
close:
  store atomic i32 0, ptr %busy seq_cst, align 4
  ret void
}}
"""


def _worker(pause: str) -> str:
    """Return what a thread does: wait for another epoch, soon asleep, and join the job if it is open."""
    return f"""define void @pool_worker(i32 %seen0, i64 %thread) {{
entry:
  %state = getelementptr i8, ptr @pool, i64 0
{_FIELDS}
  br label %look
look:
  %seen = phi i32 [%seen0, %entry], [%seen, %spin], [%now, %leave], [%seen, %awake]
  %spins = phi i32 [0, %entry], [%spins2, %spin], [0, %leave], [0, %awake]
  %now = load atomic i32, ptr %epoch seq_cst, align 4
  %same = icmp eq i32 %now, %seen
  br i1 %same, label %idle, label %fresh
idle:
  %stopping = load atomic i32, ptr %stop seq_cst, align 4
  %stops = icmp ne i32 %stopping, 0
  br i1 %stops, label %finish, label %patience
finish:
  ret void
patience:
  %long = icmp ugt i32 %spins, {_SPINS}
  br i1 %long, label %sleep, label %spin
spin:
  {pause}
  %spins2 = add i32 %spins, 1
  br label %look
sleep:
  %s0 = atomicrmw add ptr %asleep, i32 1 seq_cst
  %r = call i64 (i64, ...) @syscall({_futex(_WAIT)}, i32 %seen, i64 0, i64 0, i64 0)
  %s1 = atomicrmw sub ptr %asleep, i32 1 seq_cst
  br label %awake
awake:
  br label %look
fresh:
  %odd = and i32 %now, 1
  %isopen = icmp ne i32 %odd, 0
  br i1 %isopen, label %enter, label %leave0
leave0:
  br label %leave
enter:
  %j0 = atomicrmw add ptr %joined, i32 1 seq_cst
  %still = load atomic i32, ptr %epoch seq_cst, align 4
  %current = icmp eq i32 %still, %now
  br i1 %current, label %help, label %withdraw
help:
  call void @take(ptr %state, i64 %thread)
  br label %withdraw
withdraw:
  %j1 = atomicrmw sub ptr %joined, i32 1 seq_cst
  br label %leave
leave:
  br label %look
}}
"""


class _Pool:
    """The compiled pool and its threads; one for the process."""

    def __init__(self) -> None:
        self._engine = engine_of(translated([_module()]))
        self.parallel = self._engine.get_function_address("funcdl_parallel")
        self._worker = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_int64)(
            self._engine.get_function_address("pool_worker")
        )
        self._state = self._engine.get_function_address("pool_state")
        self._base = ctypes.CFUNCTYPE(ctypes.c_void_p)(self._state)()
        self.threads = 1
        self._workers: list[threading.Thread] = []
        self._word("stop").value = 1
        os.register_at_fork(after_in_child=self._forget)

    def _word(self, word: str) -> ctypes.c_int32:
        return ctypes.c_int32.from_address(self._base + _OFFSETS[word])

    def resize(self, threads: int) -> None:
        """End the workers that there are, and start as many as are wanted beside the caller."""
        if platform.system() != "Linux" or platform.machine() not in _FUTEX:
            threads = 1  # nothing that a thread could sleep in is known there
        self._word("stop").value = 1
        epoch = self._word("epoch")
        while any(worker.is_alive() for worker in self._workers):
            self._wake()
            for worker in self._workers:
                worker.join(0.001)
        self._workers = [
            threading.Thread(target=self._worker, args=(epoch.value, i), daemon=True, name=f"funcdl-{i}")
            for i in range(1, threads)
        ]
        self.threads = threads
        self._word("stop").value = int(threads == 1)
        for worker in self._workers:
            worker.start()

    def _wake(self) -> None:
        """Wake all sleeping workers, by an epoch that opens no job."""
        self._word("epoch").value += 2
        ctypes.CDLL(None).syscall(
            _FUTEX[platform.machine()],
            ctypes.c_void_p(self._base + _OFFSETS["epoch"]),
            _WAKE,
            2**31 - 1,
            0,
            0,
            0,
        )

    def _forget(self) -> None:
        """After a fork: the child has no workers, whatever the words say."""
        for word in ("epoch", "joined", "busy", "asleep"):
            self._word(word).value = 0
        self._word("stop").value = 1
        self._workers, self.threads = [], 1


_pools: list[_Pool] = []
_making = threading.Lock()


def _pool() -> _Pool:
    with _making:
        if not _pools:
            _pools.append(_Pool())
            _pools[0].resize(available_threads())
    return _pools[0]


def pool_addresses() -> dict[str, int]:
    """Return where the function is that runs units, for compiled code; the pool is started if need be."""
    return {"funcdl_parallel": _pool().parallel}


def set_threads(count: int) -> None:
    """Set how many threads native programs run on, the calling one included.

    Without a call it is as many as the process may use processors. After a fork the child has one, until it
    calls this. Call it while no native program runs.

    Args:
        count: 1 or more.

    Raises:
        ValueError: ``count`` is not positive.

    >>> set_threads(get_threads())
    """
    if count < 1:
        raise ValueError(message("set_threads", "count", "be 1 or more", count))
    _pool().resize(count)


def get_threads() -> int:
    """Return how many threads native programs run on.

    >>> get_threads() >= 1
    True
    """
    return _pool().threads
