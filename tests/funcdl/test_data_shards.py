"""Batches of one size, and parts of batches for several processes."""

import numpy as np
import pytest

from funcdl import nn, random
from funcdl.data import Masked, batches, mapped, pad, padded, sharded
from transforms import jit

KEY = random.key(7)
SIZES = [(12, 4), (10, 4), (9, 4), (1, 4), (4, 1)]


def examples(size):
    return {"x": np.arange(2.0 * size).reshape(size, 2), "y": np.arange(size)}


@pytest.mark.parametrize(("size", "batch_size"), SIZES)
@pytest.mark.parametrize("key", [None, KEY], ids=["in order", "shuffled"])
def test_what_is_not_masked_is_the_data(size, batch_size, key):
    plain = list(batches(examples(size), batch_size, key=key).epoch(1))
    full = list(padded(batches(examples(size), batch_size, key=key)).epoch(1))
    assert len(plain) == len(full)
    for batch, (filled, mask) in zip(plain, full, strict=True):
        assert mask.shape == (batch_size,)
        assert mask.dtype == np.float32
        assert filled["x"].shape == (batch_size, 2)
        for name in batch:
            np.testing.assert_array_equal(filled[name][mask == 1], batch[name])
            assert all(row in batch[name] for row in filled[name])


def test_a_compiled_step_is_traced_once():
    traced = []

    @jit
    def masked_mean(batch, mask):
        traced.append(batch["x"].shape)
        return np.sum(mask * batch["y"]) / np.sum(mask)

    means = [masked_mean(*masked) for masked in padded(batches(examples(10), 4))]
    np.testing.assert_allclose(means, [1.5, 5.5, 8.5])
    assert traced == [(4, 2)]


def test_copies_keep_what_is_computed_of_them_finite():
    rows = np.array([[3.0, 4.0]])
    batch, mask = pad(rows, 3)
    unit = batch / np.linalg.norm(batch, axis=-1, keepdims=True)
    np.testing.assert_allclose(mask[:, np.newaxis] * unit, [[0.6, 0.8], [0, 0], [0, 0]])


@pytest.mark.parametrize(("size", "batch_size", "count"), [(12, 4, 2), (12, 4, 4), (13, 6, 3), (12, 4, 1)])
@pytest.mark.parametrize("key", [None, KEY], ids=["in order", "shuffled"])
def test_the_shards_of_a_batch_are_that_batch(size, batch_size, count, key):
    whole = batches(examples(size), batch_size, key=key, drop_last=True)
    shards = [sharded(whole, index, count) for index in range(count)]
    assert {len(shard) for shard in shards} == {len(whole)}
    for batch, *parts in zip(whole.epoch(2), *(shard.epoch(2) for shard in shards), strict=True):
        assert {len(part["y"]) for part in parts} == {batch_size // count}
        for name in batch:
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), batch[name])


@pytest.mark.parametrize("size", range(1, 9))
def test_shards_of_a_padded_last_batch(size):
    whole = padded(batches(examples(size), 8, key=KEY))
    parts = [next(iter(sharded(whole, index, 4))) for index in range(4)]
    assert {part.mask.shape for part in parts} == {(2,)}
    assert {part.batch["x"].shape for part in parts} == {(2, 2)}
    mask = np.concatenate([part.mask for part in parts])
    rows = np.concatenate([part.batch["y"] for part in parts])
    (expected,) = batches(examples(size), 8, key=KEY)
    np.testing.assert_array_equal(rows[mask == 1], expected["y"])
    assert set(rows) <= set(range(size))


def test_training_on_all_shards_is_training_on_the_batch():
    layer = nn.dense(1)
    params, _ = layer.init(random.key(1), np.zeros((1, 2), np.float32))
    whole = batches(examples(12), 6, key=KEY)

    def total(batch):
        return np.sum(layer(params, batch["x"].astype(np.float32)))

    for batch, *parts in zip(whole, *(sharded(whole, index, 3) for index in range(3)), strict=True):
        np.testing.assert_allclose(sum(total(part) for part in parts), total(batch), rtol=1e-5)


def test_the_description_of_a_shard():
    text = repr(sharded(batches(examples(12), 4), 1, 2))
    assert text == "Batches(12 examples, in order, 3 batches of 4, shard 1 of 2)"


def test_a_full_batch_is_not_copied():
    rows = np.arange(4.0)
    masked = pad(rows, 4)
    assert isinstance(masked, Masked)
    assert np.shares_memory(masked.batch, rows)


WRONG_VALUES = {
    "too many examples": (
        lambda: pad(np.zeros(3), 2),
        "pad: size must be at least 3, the number of examples, got 2",
    ),
    "a short last batch": (
        lambda: sharded(batches(np.zeros(10), 4), 0, 2),
        "sharded: all batches must be of the same size, got 2 examples in the last batch of 4; "
        "use drop_last=True, or shard data.padded(batches)",
    ),
    "no divisor": (
        lambda: sharded(batches(np.zeros(8), 4), 0, 3),
        "sharded: count must divide the batch size 4, got 3",
    ),
    "index out of range": (
        lambda: sharded(batches(np.zeros(8), 4), 2, 2),
        "sharded: index must be below 2, the count, got 2",
    ),
    "a shard of a shard": (
        lambda: sharded(sharded(batches(np.zeros(8), 4), 0, 2), 0, 2),
        "sharded: batches must be whole, got Batches(8 examples, in order, 2 batches of 4, shard 0 of 2)",
    ),
}
WRONG_TYPES = {
    "shard what is mapped": (
        lambda: sharded(mapped(batches(np.zeros(8), 4), np.negative), 0, 2),
        "sharded: batches must be data.batches(...) or data.padded(...), got Mapped; "
        "shard first, then map and prefetch",
    ),
    "pad what is mapped": (
        lambda: padded(mapped(batches(np.zeros(8), 4), np.negative)),
        "padded: batches must be data.batches(...), got Mapped; pad first, then map and prefetch",
    ),
    "half a shard": (
        lambda: sharded(batches(np.zeros(8), 4), 0.5, 2),
        "sharded: index must be an integer, got 0.5",
    ),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_wrong_values(case):
    make, text = WRONG_VALUES[case]
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types(case):
    make, text = WRONG_TYPES[case]
    with pytest.raises(TypeError, match="must") as caught:
        make()
    assert str(caught.value) == text
