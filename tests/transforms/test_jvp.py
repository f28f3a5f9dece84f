"""`jvp`: trees of tangents, zeros, aux, errors."""

from __future__ import annotations

import numpy as np
import pytest

from transforms import jvp
from transforms.errors import TreeMismatchError


def test_tangents_are_trees_like_the_primals():
    out, tangent = jvp(
        lambda p, x: {"y": p["w"] * x},
        ({"w": np.array([1.0, 2.0])}, 3.0),
        ({"w": np.array([1.0, 0.0])}, 0.5),
    )
    np.testing.assert_array_equal(out["y"], [3.0, 6.0])
    np.testing.assert_array_equal(tangent["y"], [3.5, 1.0])


def test_none_is_a_zero_tangent():
    assert jvp(lambda x, y: x * y, (2.0, 3.0), (None, 1.0)) == (6.0, 2.0)


def test_output_without_influence_has_a_zero_tangent():
    _, tangent = jvp(lambda x: (x, np.ones(2), 3), (1.0,), (1.0,))
    assert tangent[0] == 1.0
    np.testing.assert_array_equal(tangent[1], [0, 0])


def test_integer_primals_are_passed_on():
    out, tangent = jvp(lambda n, x: n * x, (np.array(3), 2.0), (None, 1.0))
    assert (out, tangent) == (6.0, 3.0)


def test_aux():
    assert jvp(lambda x: (x * x, x + 1), (3.0,), (1.0,), has_aux=True) == (9.0, 6.0, 4.0)


def test_tangent_has_the_dtype_of_its_primal():
    _, tangent = jvp(np.sin, (np.float32(0.5),), (1.0,))
    assert tangent.dtype == np.float32


def test_misuse_is_refused():
    with pytest.raises(
        TypeError, match=r"primals must be a tuple of arguments, got float; write \(primals,\)"
    ):
        jvp(np.sin, 1.0, (1.0,))
    with pytest.raises(TreeMismatchError, match="'0/w' must be present"):
        jvp(lambda p: p["w"], ({"w": 1.0},), ({},))
    with pytest.raises(ValueError, match=r"a tangent must have its primal's shape \(2,\), got \(3,\)"):
        jvp(np.sin, (np.ones(2),), (np.ones(3),))
    with pytest.raises(TypeError, match="must return an array, got None"):
        jvp(lambda x: None, (1.0,), (1.0,))
    with pytest.raises(TypeError, match=r"jvp: .* must return \(out, aux\) where has_aux .* got an array"):
        jvp(np.sin, (1.0,), (1.0,), has_aux=True)
    with pytest.raises(TypeError, match="jvp: f must be a function, got a float"):
        jvp(1.0, (1.0,), (1.0,))
