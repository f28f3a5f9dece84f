import numpy as np
import pytest

from funcdl import optim

GRADS = {"w": np.array([1.0, -2.0])}


@pytest.mark.parametrize("value", [0.5, 1, np.float64(0.5), np.float32(0.5), np.array(0.5), np.int64(2)])
def test_what_a_schedule_returns_does_not_promote(value):
    grads = {"w": np.ones(3, np.float32)}
    optimizer = optim.scale_by_schedule(lambda count: value)
    updates, _ = optimizer.update(grads, optimizer.init(grads))
    assert updates["w"].dtype == np.float32
    np.testing.assert_array_equal(updates["w"], np.float32(value))


def test_a_schedule_sees_the_number_of_updates_before():
    seen = []
    optimizer = optim.sgd(lambda count: seen.append(count) or 0.1)
    state = optimizer.init(GRADS)
    for _ in range(3):
        _, state = optimizer.update(GRADS, state)
    assert seen == [0, 1, 2]
    assert {count.dtype for count in seen} == {np.dtype(np.int32)}


def test_a_schedule_can_take_over_from_a_number():
    constant, decaying = optim.adam(0.1), optim.adam(optim.schedules.linear(0.1, 0.0, 4))
    _, state = constant.update(GRADS, constant.init(GRADS))
    updates, _ = decaying.update(GRADS, state)
    np.testing.assert_allclose(updates["w"], [-0.075, 0.075], rtol=1e-6)
