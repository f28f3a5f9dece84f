from typing import NamedTuple

import numpy as np
import pytest

from funcdl import optim
from funcdl.optim.optimizer import LARGEST_COUNT, increment
from transforms import tree
from transforms.errors import TreeMismatchError

PARAMS = {"layer": {"kernel": np.ones((2, 3), np.float32), "bias": np.zeros(3, np.float32)}}

# Name of the optimizer in messages, and the optimizer, with state or without it.
OPTIMIZERS = {
    "sgd": optim.sgd(0.1, momentum=0.9),
    "rmsprop": optim.rmsprop(0.1, centered=True),
    "adam": optim.adam(0.1),
    "adamw": optim.adamw(0.1),
    "add_decayed_weights": optim.add_decayed_weights(0.1),
    "scale": optim.scale(0.1),
    "scale_by_learning_rate": optim.scale_by_learning_rate(0.1),
}


class Layer(NamedTuple):
    kernel: np.ndarray
    bias: np.ndarray


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_are_kept_whatever_the_hyperparameters_are(name, dtype):
    params = {"w": np.ones(3, dtype)}
    makers = {
        "sgd": lambda x: optim.sgd(x, momentum=x),
        "rmsprop": lambda x: optim.rmsprop(x, decay=x, eps=x, initial_scale=x, momentum=x),
        "adam": lambda x: optim.adam(x, b1=x, b2=x, eps=x, eps_root=x),
        "adamw": lambda x: optim.adamw(x, weight_decay=x),
        "add_decayed_weights": lambda x: optim.add_decayed_weights(x),
        "scale": lambda x: optim.scale(x),
        "scale_by_learning_rate": lambda x: optim.scale_by_learning_rate(lambda count: x),
    }
    optimizer = makers[name](np.float64(0.5))
    state = optimizer.init(params)
    for _ in range(2):
        updates, state = optimizer.update({"w": np.ones(3, dtype)}, state, params)
        floats = [leaf.dtype for leaf in tree.leaves((updates, state)) if leaf.dtype.kind == "f"]
        assert set(floats) == {np.dtype(dtype)}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_counts_are_int32_and_nothing_is_changed_in_place(name):
    optimizer = OPTIMIZERS[name]
    state = optimizer.init(PARAMS)
    for leaf in tree.leaves((PARAMS, state)):
        leaf.setflags(write=False)  # a write would raise
    _, new_state = optimizer.update(PARAMS, state, PARAMS)
    types = [(leaf.shape, leaf.dtype) for leaf in tree.leaves(state)]
    assert [(leaf.shape, leaf.dtype) for leaf in tree.leaves(new_state)] == types
    assert {dtype for _, dtype in types} <= {np.dtype(np.int32), np.dtype(np.float32)}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("params", [{}, {"w": None}, ()], ids=str)
def test_trees_without_leaves(name, params):
    optimizer = OPTIMIZERS[name]
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates == params
    assert optim.apply_updates(params, updates) == params


def test_a_bare_array_and_a_named_tuple_are_trees_too():
    optimizer = optim.adam(0.1)
    for params in (np.ones(3), Layer(np.ones((2, 2)), np.ones(2))):
        updates, _ = optimizer.update(params, optimizer.init(params), params)
        assert type(optim.apply_updates(params, updates)) is type(params)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    ("grads", "problem"),
    [
        (
            {"layer": {"bias": np.zeros(3, np.float32)}},
            "the entry at 'layer/kernel' must be present, got nothing there; "
            "both trees need the same structure",
        ),
        (
            {"layer": {**PARAMS["layer"], "scale": np.ones(3)}},
            "the entry at 'layer/scale' must be absent, got an extra entry; "
            "both trees need the same structure",
        ),
        (
            {"layer": {**PARAMS["layer"], "kernel": [np.ones((2, 3)), np.ones((2, 3))]}},
            "the entry at 'layer/kernel' must be a leaf, got a list with 2 entries; "
            "both trees need the same structure",
        ),
        (
            {"layer": {**PARAMS["layer"], "bias": None}},
            "the entry at 'layer/bias' must be a leaf, got None; both trees need the same structure",
        ),
        (
            {"layer": {**PARAMS["layer"], "bias": np.zeros((3, 1), np.float32)}},
            "the entry at 'layer/bias' must have shape (3,), got (3, 1); "
            "gradients and updates have the shapes of the parameters",
        ),
    ],
)
def test_gradients_that_do_not_fit_are_named_by_their_path(name, grads, problem):
    optimizer = OPTIMIZERS[name]
    with pytest.raises(ValueError, match="entry") as caught:
        optimizer.update(grads, optimizer.init(PARAMS), PARAMS)
    assert str(caught.value) == f"{name}.update: {problem}"


def test_plain_sgd_compares_gradients_with_the_parameters():
    optimizer = optim.sgd(0.1)
    with pytest.raises(TreeMismatchError, match=r"^sgd\.update: the entry at 'layer/bias' must be present"):
        optimizer.update({"layer": {"kernel": np.ones((2, 3))}}, optimizer.init(PARAMS), PARAMS)


def test_apply_updates_keeps_the_dtypes_of_the_parameters():
    params = {"half": np.ones(2, np.float16), "single": np.ones(2, np.float32)}
    new = optim.apply_updates(params, {"half": np.full(2, 0.5), "single": np.full(2, 0.5)})
    assert new["half"].dtype == np.float16
    assert new["single"].dtype == np.float32
    np.testing.assert_array_equal(new["half"], [1.5, 1.5])


def test_apply_updates_takes_python_numbers():
    assert optim.apply_updates({"w": 1.0}, {"w": 0.5}) == {"w": 1.5}


def test_apply_updates_does_not_broadcast():
    with pytest.raises(ValueError, match="must have shape") as caught:
        optim.apply_updates(np.ones(3), np.ones(1))
    assert str(caught.value) == (
        "apply_updates: the tree must have shape (3,), got (1,); "
        "gradients and updates have the shapes of the parameters"
    )


def test_chain_is_associative():
    parts = [optim.clip(0.5), optim.trace(0.9), optim.scale(-0.1)]
    flat, nested = optim.chain(*parts), optim.chain(optim.chain(*parts[:2]), parts[2])
    grads = {"layer": {"kernel": np.full((2, 3), 0.3), "bias": np.full(3, -2.0)}}
    states = flat.init(PARAMS), nested.init(PARAMS)
    for _ in range(3):
        updates, state = flat.update(grads, states[0])
        other_updates, other_state = nested.update(grads, states[1])
        states = state, other_state
        assert tree.all(tree.map(np.array_equal, updates, other_updates))


def test_chain_refuses_what_is_no_optimizer():
    with pytest.raises(
        TypeError, match=r"^chain: argument 1 must be an Optimizer, got <function adam at .*>; call"
    ):
        optim.chain(optim.clip(1.0), optim.adam)


@pytest.mark.parametrize(("state", "got"), [({"w": 1}, "dict with 1 entries"), ((), "tuple with 0 entries")])
def test_a_state_of_another_optimizer_is_refused(state, got):
    with pytest.raises(ValueError, match="the state") as caught:
        optim.adam(0.1).update(PARAMS, state)
    assert str(caught.value) == (
        f"adam.update: the state must be a tuple with 2 entries, got {got}; "
        "call update(grads, state, params) with the state from init or from the last update"
    )


def test_the_count_stays_at_its_largest_value():
    assert increment(np.int32(LARGEST_COUNT)) == LARGEST_COUNT
    assert increment(np.int32(LARGEST_COUNT)).dtype == np.int32


def test_counting_works_on_arrays_as_on_scalars():
    counts = increment(np.array([0, 5], np.int32))
    np.testing.assert_array_equal(counts, [1, 6])
    assert counts.dtype == np.int32
