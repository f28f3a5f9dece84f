"""Prefetched batches are the same batches, and their thread ends whenever they are no longer wanted."""

import gc
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from funcdl import random, training
from funcdl.data import batches, mapped, prefetched

KEY = random.key(7)


def numbers(size=40, batch_size=4):
    return batches(np.arange(size), batch_size, key=KEY)


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("funcdl-prefetch")]


def no_thread_remains():
    deadline = time.monotonic() + 10
    while threads() and time.monotonic() < deadline:
        time.sleep(0.001)
    return not threads()


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    assert no_thread_remains()
    yield
    gc.collect()
    assert no_thread_remains()


@pytest.mark.parametrize("ahead", [1, 2, 7, 100])
def test_order_and_content_are_those_of_the_batches(ahead):
    slow_at_random = mapped(numbers(), lambda batch: (time.sleep(batch[0] % 3 / 1000), batch)[1])
    for epoch in range(2):
        taken = [batch.tolist() for batch in prefetched(slow_at_random, ahead=ahead).epoch(epoch)]
        assert taken == [batch.tolist() for batch in numbers().epoch(epoch)]
    assert no_thread_remains()


def test_batches_are_made_on_another_thread_ahead_of_their_use():
    made, two_more = [], threading.Event()

    def note(batch):
        made.append(threading.current_thread().name)
        if len(made) == 3:
            two_more.set()
        return batch

    with prefetched(mapped(numbers(), note), ahead=2).epoch(0) as iterator:
        next(iterator)
        assert two_more.wait(10)
        time.sleep(0.02)
        assert len(made) == 3
        assert iterator.position.batch == 1
    assert all(name.startswith("funcdl-prefetch") for name in made)
    assert not threads()


def test_the_thread_ends_with_the_epoch():
    iterator = iter(prefetched(numbers()))
    assert len(list(iterator)) == 10
    assert not threads()
    with pytest.raises(StopIteration):
        next(iterator)


def test_the_thread_ends_when_the_consumer_stops_early():
    for batch in prefetched(numbers()).epoch(0):
        assert len(batch) == 4
        break
    gc.collect()
    assert no_thread_remains()


def test_the_thread_ends_when_the_consumer_raises():
    def consume():
        for _ in prefetched(numbers()).epoch(0):
            raise RuntimeError("the consumer's own")

    with pytest.raises(RuntimeError, match="the consumer's own"):
        consume()
    gc.collect()
    assert no_thread_remains()


def test_a_with_block_ends_the_thread_whatever_happens():
    iterator = prefetched(numbers()).epoch(0)

    def consume():
        with iterator:
            next(iterator)
            raise KeyError("the consumer's own")

    with pytest.raises(KeyError, match="the consumer's own"):
        consume()
    assert not threads()
    with pytest.raises(StopIteration):
        next(iterator)


def test_an_error_is_raised_where_its_batch_would_have_come():
    def fail(batch):
        if 17 in batch:
            raise ValueError("seventeen")
        return batch

    plain = [batch.tolist() for batch in numbers()]
    before = next(index for index, batch in enumerate(plain) if 17 in batch)
    assert before > 0
    iterator = iter(prefetched(mapped(numbers(), fail), ahead=3))
    taken = [next(iterator).tolist() for _ in range(before)]
    assert taken == plain[:before]
    with pytest.raises(ValueError, match="seventeen"):
        next(iterator)
    assert not threads()
    assert (iterator.position.epoch, iterator.position.batch) == (0, before)
    assert [batch.tolist() for batch in numbers().at(iterator.position)] == plain[before:]
    with pytest.raises(StopIteration):
        next(iterator)


def test_two_iterators_do_not_disturb_each_other():
    loader = prefetched(numbers())
    first, second = loader.epoch(0), loader.epoch(1)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(first, second, strict=True)]
    plain = zip(numbers().epoch(0), numbers().epoch(1), strict=True)
    assert pairs == [(a.tolist(), b.tolist()) for a, b in plain]


def test_fit_takes_prefetched_batches():
    def step(total, batch):
        return total * 3 + batch.sum(), {"loss": batch.mean()}

    plain = training.fit(step, 0.0, numbers(), epochs=2, progress=False)
    ahead = training.fit(step, 0.0, prefetched(numbers()), epochs=2, progress=False)
    assert plain == ahead
    assert no_thread_remains()


def test_an_interpreter_ends_with_an_iterator_in_use():
    code = (
        "import numpy as np\n"
        "from funcdl.data import batches, prefetched\n"
        "iterator = prefetched(batches(np.arange(1000), 1)).epoch(0)\n"
        "print(next(iterator))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[0]\n", "")


@pytest.mark.parametrize(("ahead", "error"), [(0, ValueError), (1.5, TypeError)])
def test_a_wrong_number_of_batches(ahead, error):
    rule = "be at least 1" if error is ValueError else "be an integer"
    with pytest.raises(error) as caught:
        prefetched(numbers(), ahead=ahead)
    assert str(caught.value) == f"prefetched: ahead must {rule}, got {ahead}"
