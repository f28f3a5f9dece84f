import dataclasses

import jax
import numpy as np
import pytest

from funcdl import random
from funcdl.data import batches, train_test_split
from transforms import tree

KEY = random.key(7)


def examples(size):
    """Data whose every row tells which example it is."""
    index = np.arange(size)
    return {"x": np.stack([index, -index], axis=1).astype(np.float32), "y": (index, None)}


def seen(iterator):
    return [batch["y"][0].tolist() for batch in iterator]


@pytest.mark.parametrize("key", [None, KEY], ids=["in order", "shuffled"])
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("size", "batch_size"), [(12, 4), (10, 4), (5, 1), (4, 4), (1, 1)])
def test_an_epoch_has_every_example_once(key, drop_last, size, batch_size):
    data = batches(examples(size), batch_size, key=key, drop_last=drop_last)
    epoch = list(data.epoch(3))
    assert len(epoch) == len(data)
    flat = [index for batch in seen(epoch) for index in batch]
    kept = size - size % batch_size if drop_last else size
    assert len(flat) == len(set(flat)) == kept
    assert set(flat) <= set(range(size))
    sizes = {len(batch["x"]) for batch in epoch[:-1]}
    assert sizes <= {batch_size}
    if key is None:
        assert flat == list(range(kept))


def test_rows_of_all_arrays_stay_together():
    for batch in batches(examples(10), 3, key=KEY):
        np.testing.assert_array_equal(batch["x"][:, 0], batch["y"][0])
        np.testing.assert_array_equal(batch["x"][:, 1], -batch["y"][0])
        assert batch["y"][1] is None
        assert batch["x"].dtype == np.float32


def test_the_order_depends_on_key_and_epoch_alone():
    data = batches(examples(10), 3, key=KEY)
    again = batches(examples(10), 3, key=KEY)
    assert seen(data.epoch(4)) == seen(again.epoch(4)) == seen(data.epoch(4))
    orders = [seen(data.epoch(epoch)) for epoch in range(5)]
    orders.append(seen(batches(examples(10), 3, key=random.key(8)).epoch(0)))
    assert len({str(order) for order in orders}) == len(orders)


def test_the_order_is_that_of_jax():
    order = jax.random.permutation(jax.random.fold_in(jax.random.PRNGKey(7), 2), 10).tolist()
    assert seen(batches(examples(10), 4, key=KEY).epoch(2)) == [order[:4], order[4:8], order[8:]]


def test_a_run_goes_on_where_it_left_off():
    data = batches(examples(20), 3, key=KEY)
    whole = seen(data.epoch(2))
    for start in range(len(data) + 1):
        assert seen(data.epoch(2, start=start)) == whole[start:]


def test_two_iterators_do_not_disturb_each_other():
    data = batches(examples(6), 2, key=KEY)
    first, second = data.epoch(0), iter(data)
    next(first)
    assert seen(second) == seen(data.epoch(0))


@pytest.mark.parametrize("key", [None, KEY], ids=["in order", "shuffled"])
def test_the_data_cannot_be_changed_through_a_batch(key):
    x = np.zeros((4, 2))
    batch = next(iter(batches(x, 2, key=key)))
    if batch.flags.writeable:
        batch += 1.0
    np.testing.assert_array_equal(x, 0.0)
    assert x.flags.writeable


def test_batches_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        batches(np.zeros(4), 2).batch_size = 3


def test_a_bare_array_and_other_arrays_are_data_too():
    (batch,) = batches(jax.numpy.arange(3), 5)
    np.testing.assert_array_equal(batch, [0, 1, 2])


def test_the_description_says_what_it_holds():
    assert repr(batches(examples(10), 4)) == "Batches(10 examples, in order, 3 batches of 4)"


@pytest.mark.parametrize("test_fraction", [0.1, 0.25, 0.9])
def test_a_split_has_every_example_once(test_fraction):
    train, test = train_test_split(examples(40), test_fraction, key=KEY)
    train_index, test_index = train["y"][0], test["y"][0]
    assert len(test_index) == round(40 * test_fraction)
    assert sorted([*train_index, *test_index]) == list(range(40))
    assert list(test_index) != sorted(test_index)
    np.testing.assert_array_equal(train["x"][:, 0], train_index)
    assert tree.structure(train) == tree.structure(test) == tree.structure(examples(1))


def test_a_split_depends_on_the_key_alone():
    first, _ = train_test_split(np.arange(30), 0.3, key=KEY)
    second, _ = train_test_split(np.arange(30), 0.3, key=KEY)
    other, _ = train_test_split(np.arange(30), 0.3, key=random.key(8))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


WRONG_VALUES = {
    "no batches of none": (
        lambda: batches(np.zeros(3), 0),
        "batches: batch_size must be at least 1, got 0",
    ),
    "negative batch size": (
        lambda: batches(np.zeros(3), -2),
        "batches: batch_size must be at least 1, got -2",
    ),
    "no examples": (
        lambda: batches((np.zeros((0, 2)), np.zeros(0)), 1),
        "batches: the data must have at least one example, got none",
    ),
    "no arrays": (lambda: batches({}, 1), "batches: the data must have at least one example, got none"),
    "different lengths": (
        lambda: batches({"x": np.zeros((3, 2)), "y": np.zeros(4)}, 1),
        "batches: all arrays must have the same length, "
        "got 3 for the array at 'x' and 4 for the array at 'y'",
    ),
    "a list of numbers": (
        lambda: batches({"x": np.zeros(2), "y": [1, 2]}, 1),
        "batches: the array at 'y/0' must be an array with one entry per example, got 1; "
        "a list is a tree of its elements: make it an array",
    ),
    "no full batch": (
        lambda: batches(np.zeros(3), 4, drop_last=True),
        "batches: batch_size must be at most 3, the number of examples, with drop_last=True, got 4; "
        "there would be no batch",
    ),
    "negative epoch": (
        lambda: batches(np.zeros(3), 1).epoch(-1),
        "Batches.epoch: the epoch must be at least 0, got -1",
    ),
    "start past the end": (
        lambda: batches(np.zeros(3), 1).epoch(0, start=4),
        "Batches.epoch: start must be at most 3, the number of batches, got 4",
    ),
    "all for testing": (
        lambda: train_test_split(np.zeros(3), 1.0, key=KEY),
        "train_test_split: test_fraction must be in (0, 1), got 1.0",
    ),
    "nothing for testing": (
        lambda: train_test_split(np.zeros(3), 0.1, key=KEY),
        "train_test_split: both parts must have examples, got 3 and 0 of them with test_fraction=0.1",
    ),
    "a split of different lengths": (
        lambda: train_test_split((np.zeros(3), np.zeros(2)), 0.5, key=KEY),
        "train_test_split: all arrays must have the same length, "
        "got 3 for the array at '0' and 2 for the array at '1'",
    ),
}


@pytest.mark.parametrize("case", WRONG_VALUES)
def test_wrong_values(case):
    make, text = WRONG_VALUES[case]
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


WRONG_TYPES = {
    "fractional batch size": (
        lambda: batches(np.zeros(3), 1.5),
        "batches: batch_size must be an integer, got 1.5",
    ),
    "true batch size": (
        lambda: batches(np.zeros(3), True),
        "batches: batch_size must be an integer, got True",
    ),
    "fractional epoch": (
        lambda: batches(np.zeros(3), 1).epoch(0.5),
        "Batches.epoch: the epoch must be an integer, got 0.5",
    ),
}


@pytest.mark.parametrize("case", WRONG_TYPES)
def test_wrong_types(case):
    make, text = WRONG_TYPES[case]
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("key", [0, np.zeros(3, np.uint32)])
def test_a_wrong_key_is_refused_when_the_batches_are_made(key):
    with pytest.raises((TypeError, ValueError), match="key"):
        batches(np.zeros(3), 1, key=key)
