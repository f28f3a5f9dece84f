import numpy as np
import optax
import pytest

from funcdl import optim

GRADS = {"w": np.array([3.0, -4.0], np.float32), "b": np.array([[12.0]], np.float32), "none": None}


def clipped(optimizer, grads):
    return optimizer.update(grads, optimizer.init(grads))[0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128])
def test_the_global_norm_is_that_of_all_elements(dtype):
    rng = np.random.default_rng(0)
    grads = [
        rng.normal(size=shape) * (1 + 2j if np.dtype(dtype).kind == "c" else 1)
        for shape in [(3, 4), (), (5,)]
    ]
    got = optim.global_norm([grad.astype(dtype) for grad in grads])
    expected = np.linalg.norm(np.concatenate([grad.ravel() for grad in grads]))
    assert got.dtype == dtype(0).real.dtype
    np.testing.assert_allclose(got, expected, rtol=5e-3 if dtype == np.float16 else 1e-6)


def test_the_global_norm_of_no_leaves_is_zero():
    assert optim.global_norm({"w": None}) == 0.0


def test_the_global_norm_is_that_of_optax():
    np.testing.assert_allclose(optim.global_norm(GRADS), optax.tree.norm(GRADS), rtol=1e-6)


def test_clip_by_global_norm_keeps_the_direction():
    got = clipped(optim.clip_by_global_norm(6.5), GRADS)
    np.testing.assert_allclose(got["w"], [1.5, -2.0], rtol=1e-6)
    np.testing.assert_allclose(got["b"], [[6.0]], rtol=1e-6)
    assert got["none"] is None


@pytest.mark.parametrize("max_norm", [13.1, 1e30, 0.1 * 131])
def test_gradients_within_the_norm_are_not_changed_at_all(max_norm):
    got = clipped(optim.clip_by_global_norm(max_norm), GRADS)
    np.testing.assert_array_equal(got["w"], GRADS["w"])
    got = clipped(optim.clip_by_norm(max_norm), GRADS)
    np.testing.assert_array_equal(got["w"], GRADS["w"])


@pytest.mark.parametrize("max_norm", [1e-6, 1e-3, 1.0, 7.0])
def test_clip_by_norm_limits_each_leaf(max_norm):
    got = clipped(optim.clip_by_norm(max_norm), GRADS)
    for leaf in ("w", "b"):
        # optax limits the root mean square, which is the norm over the root of the size.
        theirs = optax.clip_by_block_rms(max_norm / np.sqrt(GRADS[leaf].size))
        expected, _ = theirs.update(GRADS[leaf], theirs.init(GRADS[leaf]))
        np.testing.assert_allclose(got[leaf], expected, rtol=2e-6)


def test_not_a_number_is_not_hidden():
    grads = {"w": np.array([np.nan, 1.0])}
    assert np.all(np.isnan(clipped(optim.clip_by_global_norm(1.0), grads)["w"]))
    np.testing.assert_array_equal(np.isnan(clipped(optim.clip(0.5), grads)["w"]), [True, False])


def test_an_infinite_norm_leaves_no_infinite_step():
    with np.errstate(invalid="ignore"):
        got = clipped(optim.clip_by_global_norm(1.0), {"w": np.array([np.inf, 1.0])})
    np.testing.assert_array_equal(got["w"], [np.nan, 0.0])


def test_gradients_of_zero_stay_zero():
    grads = {"w": np.zeros(3, np.float32)}
    np.testing.assert_array_equal(clipped(optim.clip_by_global_norm(1.0), grads)["w"], 0.0)
    np.testing.assert_array_equal(clipped(optim.clip_by_norm(1.0), grads)["w"], 0.0)
