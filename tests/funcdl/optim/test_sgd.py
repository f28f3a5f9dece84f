import numpy as np

from funcdl import optim


def steps(optimizer, gradients):
    state = optimizer.init(gradients[0])
    updates = []
    for grad in gradients:
        update, state = optimizer.update(grad, state)
        updates.append(update)
    return updates


def test_momentum_accumulates():
    updates = steps(optim.sgd(0.1, momentum=0.9), [np.ones(1)] * 200)
    np.testing.assert_allclose(updates[-1], -0.1 / (1 - 0.9), rtol=1e-6)


def test_nesterov_looks_one_step_ahead():
    updates = steps(optim.sgd(1.0, momentum=0.5, nesterov=True), [np.array([8.0]), np.array([0.0])])
    np.testing.assert_array_equal(updates, [[-12.0], [-2.0]])


def test_without_momentum_nothing_is_accumulated():
    params = {"w": np.ones(3)}
    (state,) = optim.sgd(0.1).init(params)
    assert state == optim.ScaleByScheduleState(np.int32(0))


def test_momentum_minimizes_an_ill_conditioned_quadratic():
    curvature = np.array([1.0, 100.0])
    optimizer = optim.sgd(0.01, momentum=0.8)
    params = np.array([1.0, 1.0])
    state = optimizer.init(params)
    for _ in range(300):
        updates, state = optimizer.update(curvature * params, state, params)
        params = optim.apply_updates(params, updates)
    np.testing.assert_allclose(params, 0.0, atol=1e-4)
