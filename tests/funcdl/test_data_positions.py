"""Positions are values: every source of batches goes on at one, wherever it was kept meanwhile."""

import pickle

import jax
import numpy as np
import pytest

from funcdl import checkpoints, random
from funcdl.data import Loader, Position, batches, mapped, padded, prefetched, sharded
from transforms import tree

KEY = random.key(7)


def noisy(key, batch):
    return batch + random.uniform(key, batch.shape)


def numbers(key=KEY):
    return batches(np.arange(10, dtype=np.float32), 4, key=key)


class Countdown(Loader):
    """The smallest source of one's own."""

    start = Position(0, 0, None)

    def __len__(self):
        return 3

    def next(self, position):
        after = Position(position.epoch, position.batch + 1, None)
        number = np.float32(3 - position.batch)
        return number, after if after.batch < 3 else Position(position.epoch + 1, 0, None)


LOADERS = {
    "in order": lambda: numbers(key=None),
    "shuffled": numbers,
    "padded": lambda: padded(numbers()),
    "a shard": lambda: sharded(padded(numbers()), 1, 2),
    "mapped": lambda: mapped(numbers(), lambda batch: -batch),
    "mapped with a key": lambda: mapped(numbers(), noisy, key=random.key(3)),
    "prefetched": lambda: prefetched(mapped(numbers(), noisy, key=random.key(3)), ahead=3),
    "one's own": Countdown,
}


def flat(values):
    return [leaf.tolist() for value in values for leaf in tree.leaves(value)]


@pytest.mark.parametrize("name", LOADERS)
def test_every_position_is_where_the_rest_begins(name):
    loader = LOADERS[name]()
    whole = list(loader.epoch(2))
    assert len(whole) == len(loader)
    with loader.epoch(2) as iterator:
        for taken in range(len(loader) + 1):
            position = iterator.position
            assert (position.epoch, position.batch) == ((2, taken) if taken < len(loader) else (3, 0))
            rest = whole[taken:] if taken < len(loader) else list(loader.epoch(3))
            assert flat(LOADERS[name]().at(position)) == flat(rest)
            assert flat(loader.epoch(2, start=taken)) == flat(whole[taken:])
            assert flat([next(iterator)] if taken < len(loader) else iterator) == flat(
                whole[taken : taken + 1]
            )


@pytest.mark.parametrize("name", LOADERS)
def test_the_pure_form_gives_the_epochs_one_after_the_other(name):
    loader = LOADERS[name]()
    position, taken = loader.start, []
    for _ in range(2 * len(loader)):
        batch, position = loader.next(position)
        taken.append(batch)
    assert flat(taken) == flat([*loader.epoch(0), *loader.epoch(1)])
    assert (position.epoch, position.batch) == (2, 0)
    np.testing.assert_array_equal(position.key, loader.start.key)


def kept_in_a_pickle(position, folder):
    return pickle.loads(pickle.dumps(position))


def kept_in_a_checkpoint(position, folder):
    checkpoints.save(folder / "position.safetensors", position)
    return checkpoints.load(folder / "position.safetensors", numbers().start)


def kept_as_arrays(position, folder):
    return tree.map(np.asarray, position)


@pytest.mark.parametrize("kept", [kept_in_a_pickle, kept_in_a_checkpoint, kept_as_arrays])
def test_a_position_survives_being_kept(kept, tmp_path):
    iterator = numbers().epoch(5)
    next(iterator)
    position = kept(iterator.position, tmp_path)
    assert isinstance(position, Position)
    assert flat(numbers().at(position)) == flat(numbers().epoch(5, start=1))


def test_the_key_of_the_position_tells_the_order():
    iterator = numbers().epoch(1)
    next(iterator)
    other = numbers(key=random.key(8))
    assert flat(other.at(iterator.position)) == flat(iterator)
    assert flat(other.epoch(1)) != flat(numbers().epoch(1))


def test_batches_survive_being_pickled():
    loader = numbers()
    copy = pickle.loads(pickle.dumps(loader))
    assert flat(copy.epoch(3)) == flat(loader.epoch(3))


def test_interleaved_epochs_have_the_order_of_jax():
    loader = numbers()
    iterators = [loader.epoch(epoch) for epoch in range(4)]
    taken = [np.concatenate(parts) for parts in zip(*zip(*iterators, strict=True), strict=True)]
    for epoch, order in enumerate(taken):
        key = jax.random.fold_in(jax.random.PRNGKey(7), epoch)
        np.testing.assert_array_equal(order, jax.random.permutation(key, 10))


def test_rows_of_a_view_that_is_not_contiguous():
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(20), 5)
    (batch,) = batches(windows, 16, key=KEY)
    order = random.permutation(random.fold_in(KEY, 0), 16)
    np.testing.assert_array_equal(batch, np.asarray(order)[:, np.newaxis] + np.arange(5))


def test_the_key_of_a_mapped_batch_follows_from_its_position():
    loader = mapped(batches(np.zeros(4, np.float32), 2), noisy, key=KEY)
    for epoch in range(2):
        for index, batch in enumerate(loader.epoch(epoch)):
            key = jax.random.fold_in(jax.random.fold_in(jax.random.PRNGKey(7), epoch), index)
            np.testing.assert_array_equal(batch, jax.random.uniform(key, (2,)))


WRONG = {
    "past the end": (
        lambda: numbers().at(Position(0, 4, None)),
        "Batches.at: the position's batch must be at most 3, the number of batches, got 4",
    ),
    "no batch there": (
        lambda: numbers().next(Position(0, 3, None)),
        "Batches.next: the position's batch must be below 3, the number of batches, got 3",
    ),
    "before the beginning": (
        lambda: padded(numbers()).at(Position(-1, 0, None)),
        "Padded.at: the position's epoch must be at least 0, got -1",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_positions_that_are_none(case):
    make, text = WRONG[case]
    with pytest.raises(ValueError, match="position") as caught:
        make()
    assert str(caught.value) == text


def test_a_position_counts_in_integers():
    with pytest.raises(TypeError) as caught:
        numbers().at(Position(0, 1.0, None))
    assert str(caught.value) == "Batches.at: the position's batch must be an integer, got 1.0"


def test_a_wrong_key_is_refused_when_the_batches_are_mapped():
    with pytest.raises(ValueError, match="key must be a uint32 array of shape"):
        mapped(numbers(), noisy, key=np.zeros(3, np.uint32))
