"""Trees: walking, rebuilding, errors that name the path."""

from __future__ import annotations

import collections
import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from transforms import grad, tree
from transforms.errors import TreeMismatchError


class Pair(NamedTuple):
    left: object
    right: object


NEST = {"b": [1, (2, None)], "a": Pair(3, collections.OrderedDict(z=4, y=5))}


def test_flatten_and_unflatten_are_inverse():
    leaves, structure = tree.flatten(NEST)
    assert leaves == [3, 4, 5, 1, 2]
    assert tree.unflatten(structure, leaves) == NEST
    assert type(tree.unflatten(structure, leaves)["a"]) is Pair


def test_paths_name_keys_indices_and_fields():
    assert tree.paths(NEST) == ["a/left", "a/right/z", "a/right/y", "b/0", "b/1/0"]


def test_map_over_several_trees():
    assert tree.map(lambda x, y: x * y, NEST, NEST) == {
        "b": [1, (4, None)],
        "a": Pair(9, collections.OrderedDict(z=16, y=25)),
    }


def test_map_with_path():
    assert tree.map_with_path(lambda path, x, y: (path, x + y), {"a": [1]}, {"a": [2]}) == {"a": [("a/0", 3)]}


def test_reduce_and_all():
    assert tree.reduce(lambda total, x: total + x, NEST) == 15
    assert tree.all({"a": True, "b": [1]})
    assert not tree.all({"a": True, "b": [0]})


def test_transpose_turns_a_tree_of_pairs_into_a_pair_of_trees():
    outer, inner = tree.structure({"a": 0, "b": 0}), tree.structure((0, 0))
    assert tree.transpose(outer, inner, {"a": (1, 2), "b": (3, 4)}) == ({"a": 1, "b": 3}, {"a": 2, "b": 4})


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"a": [1]}, "the entry at 'b' must be present"),
        ({"a": [1], "b": 2, "c": 3}, "the entry at 'c' must be absent"),
        ({"a": 1, "b": 2}, "the entry at 'a' must be a list with 1 entries, got a leaf of type int"),
        ({"a": (1,), "b": 2}, "the entry at 'a' must be a list with 1 entries, got a tuple"),
        ([1, 2], "the tree must be a dict with 2 entries, got a list"),
        ({"a": [1, 2], "b": 2}, "the entry at 'a/1' must be absent"),
        ({"a": None, "b": 2}, "the entry at 'a' must be a list with 1 entries, got None"),
    ],
)
def test_mismatch_names_the_path(other, text):
    with pytest.raises(TreeMismatchError, match=text):
        tree.map(lambda x, y: x, {"a": [1], "b": 2}, other)


def test_check_same_structure_refuses_what_goes_on_below_a_leaf():
    with pytest.raises(TreeMismatchError, match=r"update: the entry at 'b' must be a leaf, got a list"):
        tree.check_same_structure({"a": 1, "b": 2}, {"a": 1, "b": [2]}, "update")
    tree.check_same_structure({"a": 1, "b": None}, {"a": 1, "b": None}, "update")


def test_ravel_restores_shapes_and_dtypes_and_differentiates():
    params = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7.0)}
    vector, unravel = tree.ravel(params)
    assert vector.dtype == np.float64
    assert vector.shape == (7,)
    back = unravel(vector)
    assert back["w"].dtype == np.float32
    np.testing.assert_array_equal(back["w"], params["w"])
    gradient = grad(lambda v: np.sum(unravel(v)["w"] ** 2) + unravel(v)["b"])(vector)
    np.testing.assert_allclose(gradient, [1, 0, 2, 4, 6, 8, 10])
    with pytest.raises(ValueError, match=r"the vector must have shape \(7,\), got \(6,\)"):
        unravel(np.zeros(6))


def test_ravel_of_an_empty_tree():
    vector, unravel = tree.ravel({})
    assert vector.shape == (0,)
    assert unravel(vector) == {}


def test_registered_type_is_a_container():
    class Box:
        def __init__(self, content, label):
            self.content, self.label = content, label

    tree.register(Box, lambda box: ((box.content,), box.label), lambda label, children: Box(*children, label))
    doubled = tree.map(lambda x: 2 * x, Box(np.ones(2), "kept"))
    np.testing.assert_array_equal(doubled.content, [2, 2])
    assert doubled.label == "kept"


def test_dataclass_is_a_container_with_static_fields():
    @tree.dataclass
    class Model:
        weight: object
        rate: float = dataclasses.field(metadata={"static": True})

    model = Model(np.array(2.0), rate=3.0)
    assert tree.paths(model) == ["weight"]
    gradient = grad(lambda m: m.weight**2 * m.rate)(model)
    assert gradient.rate == 3.0
    assert gradient.weight == 12.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.weight = 1.0
