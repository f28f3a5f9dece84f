import numpy as np
import pytest

from funcdl import optim


def formula(gradients, learning_rate, b1, b2, eps):
    """The updates of Adam, written as its paper does, in float64."""
    mean = mean_square = 0.0
    updates = []
    for t, grad in enumerate(gradients.astype(np.float64), 1):
        mean = b1 * mean + (1 - b1) * grad
        mean_square = b2 * mean_square + (1 - b2) * grad**2
        denominator = np.sqrt(mean_square / (1 - b2**t)) + eps
        updates.append(-learning_rate * mean / (1 - b1**t) / denominator)
    return np.array(updates)


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_equals_the_formula(dtype, tolerance, scale):
    gradients = (scale * np.random.default_rng(0).normal(size=(20, 6))).astype(dtype)
    optimizer = optim.adam(0.1, eps=1e-8)
    state = optimizer.init(gradients[0])
    expected = formula(gradients, 0.1, 0.9, 0.999, 1e-8)
    for grads, update in zip(gradients, expected, strict=True):
        got, state = optimizer.update(grads, state)
        np.testing.assert_allclose(got, update, rtol=tolerance, atol=tolerance)


def test_the_first_step_has_the_length_of_the_learning_rate():
    # In float32 a bias correction computed in float32 would be off by a part in 30 000.
    grads = np.array([1e-3, 1.0, -1e3], np.float32)
    optimizer = optim.adam(0.1)
    updates, _ = optimizer.update(grads, optimizer.init(grads))
    np.testing.assert_allclose(updates, [-0.1, -0.1, 0.1], rtol=2e-5)
    np.testing.assert_allclose(updates[1:], [-0.1, 0.1], rtol=5e-7)


def test_a_gradient_of_zero_is_no_step():
    optimizer = optim.adam(0.1)
    grads = {"w": np.zeros(3, np.float32)}
    updates, _ = optimizer.update(grads, optimizer.init(grads))
    np.testing.assert_array_equal(updates["w"], 0.0)


def test_adamw_decays_by_a_fraction_whatever_the_gradients():
    params = {"w": np.array([2.0, -4.0])}
    optimizer = optim.adamw(0.1, weight_decay=0.5)
    updates, _ = optimizer.update({"w": np.zeros(2)}, optimizer.init(params), params)
    np.testing.assert_allclose(updates["w"], -0.1 * 0.5 * params["w"])


def test_adamw_needs_the_parameters():
    grads = {"w": np.zeros(2)}
    optimizer = optim.adamw(0.1)
    with pytest.raises(ValueError, match="params") as caught:
        optimizer.update(grads, optimizer.init(grads))
    assert str(caught.value) == (
        "adamw.update: params must be given for weight decay, got None; call update(grads, state, params)"
    )
