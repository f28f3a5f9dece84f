import numpy as np
import pytest

from funcdl import optim


@pytest.mark.parametrize("eps_in_sqrt", [True, False])
def test_a_constant_gradient_keeps_the_centered_update_finite(eps_in_sqrt):
    grads = np.linspace(0.1, 3.0, 50, dtype=np.float32)
    optimizer = optim.rmsprop(0.1, centered=True, eps_in_sqrt=eps_in_sqrt)
    state = optimizer.init(grads)
    for _ in range(300):  # long enough for the variance to be nothing but rounding
        updates, state = optimizer.update(grads, state)
    assert np.all(np.isfinite(updates))


def test_bias_correction_without_momentum_is_adam():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(5, 3))
    ours = optim.rmsprop(0.1, decay=0.99, eps_in_sqrt=False, bias_correction=True)
    adam = optim.adam(0.1, b1=0.0, b2=0.99)
    states = ours.init(gradients[0]), adam.init(gradients[0])
    for grads in gradients:
        updates, state = ours.update(grads, states[0])
        other_updates, other_state = adam.update(grads, states[1])
        states = state, other_state
        np.testing.assert_allclose(updates, other_updates, rtol=1e-12)
