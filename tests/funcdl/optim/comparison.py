"""Runs an optimizer beside its counterpart in optax, on the same random gradients."""

import jax
import numpy as np
import optax

from funcdl import optim
from transforms import tree

STEPS = 20


def random_tree(rng):
    """Leaves of both precisions and of rank 0 to 3, in every kind of container."""

    def draw(shape, dtype):
        return rng.normal(size=shape).astype(dtype)

    return {
        "encoder": [{"kernel": draw((3, 4), np.float32)}, None],
        "decoder": (draw((2, 1, 3), np.float64), {"scale": draw((4,), np.float32)}),
        "gain": draw((), np.float64),
    }


def complex_tree(rng):
    return {"w": (rng.normal(size=3) + 1j * rng.normal(size=3)).astype(np.complex64)}


def assert_steps_equal_optax(ours, theirs, make_tree=random_tree):
    """Compare the updates and the parameters of `STEPS` steps, in value, dtype and structure."""
    rng = np.random.default_rng(0)
    params = make_tree(rng)
    gradients = [make_tree(rng) for _ in range(STEPS)]
    # In JAX's 64-bit mode optax computes bias corrections and schedules in float64, as we do.
    with jax.enable_x64(True):
        their_params = tree.map(jax.numpy.asarray, params)
        their_state = theirs.init(their_params)
        their_update = theirs.update
        state = ours.init(params)
        for grads in gradients:
            updates, state = ours.update(grads, state, params)
            params = optim.apply_updates(params, updates)
            their_updates, their_state = their_update(grads, their_state, their_params)
            their_params = optax.apply_updates(their_params, their_updates)
            assert_trees_close(updates, their_updates)
            assert_trees_close(params, their_params)


def assert_trees_close(got, expected):
    """Compare leaves, to a millionth of the element or of the largest one of the tree.

    An element near 0 is what rounding leaves of a difference.
    """
    assert tree.structure(got) == tree.structure(expected)
    expected_leaves = [np.asarray(leaf) for leaf in tree.leaves(expected)]
    atol = 1e-6 * max(np.max(np.abs(leaf)) for leaf in expected_leaves)
    for path, leaf, other in zip(tree.paths(got), tree.leaves(got), expected_leaves, strict=True):
        assert leaf.dtype == other.dtype, path
        np.testing.assert_allclose(leaf, other, rtol=1e-6, atol=atol, err_msg=path)
