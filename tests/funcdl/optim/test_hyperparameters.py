import numpy as np
import pytest

from funcdl import optim

WRONG_VALUES = [
    (lambda: optim.sgd(-0.1), "sgd: the learning rate must be in [0, inf), got -0.1"),
    (lambda: optim.sgd(float("nan")), "sgd: the learning rate must be in [0, inf), got nan"),
    (lambda: optim.sgd(0.1, momentum=1.0), "sgd: the momentum must be in [0, 1), got 1.0"),
    (lambda: optim.sgd(0.1, nesterov=True), "sgd: the momentum must be above 0 with nesterov=True, got 0.0"),
    (lambda: optim.trace(-0.5), "trace: the decay must be in [0, 1), got -0.5"),
    (lambda: optim.rmsprop(float("inf")), "rmsprop: the learning rate must be in [0, inf), got inf"),
    (lambda: optim.rmsprop(0.1, decay=1.5), "rmsprop: the decay must be in [0, 1), got 1.5"),
    (lambda: optim.rmsprop(0.1, eps=0.0), "rmsprop: eps must be in (0, inf), got 0.0"),
    (lambda: optim.rmsprop(0.1, initial_scale=-1), "rmsprop: initial_scale must be in [0, inf), got -1.0"),
    (lambda: optim.rmsprop(0.1, momentum=2), "rmsprop: the momentum must be in [0, 1), got 2.0"),
    (lambda: optim.adam(0.1, b1=1.0), "adam: b1 must be in [0, 1), got 1.0"),
    (lambda: optim.adam(0.1, b2=-0.1), "adam: b2 must be in [0, 1), got -0.1"),
    (lambda: optim.adam(0.1, eps=-1e-8), "adam: eps must be in (0, inf), got -1e-08"),
    (lambda: optim.adam(0.1, eps_root=-1e-8), "adam: eps_root must be in [0, inf), got -1e-08"),
    (lambda: optim.adamw(0.1, weight_decay=-1.0), "adamw: weight_decay must be in [0, inf), got -1.0"),
    (
        lambda: optim.add_decayed_weights(-1.0),
        "add_decayed_weights: weight_decay must be in [0, inf), got -1.0",
    ),
    (lambda: optim.clip(0.0), "clip: max_delta must be in (0, inf), got 0.0"),
    (lambda: optim.clip_by_norm(-1.0), "clip_by_norm: max_norm must be in (0, inf), got -1.0"),
    (
        lambda: optim.clip_by_global_norm(float("inf")),
        "clip_by_global_norm: max_norm must be in (0, inf), got inf",
    ),
    (lambda: optim.scale(float("inf")), "scale: the factor must be finite, got inf"),
]

WRONG_TYPES = [
    (lambda: optim.sgd("fast"), "sgd: the learning rate must be a real number, got 'fast'"),
    (lambda: optim.sgd(None), "sgd: the learning rate must be a real number, got None"),
    (lambda: optim.adam(1e-3, b1=0.9j), "adam: b1 must be a real number, got 0.9j"),
    (lambda: optim.adam(True), "adam: the learning rate must be a real number, got True"),
    (
        lambda: optim.sgd(np.array([0.1, 0.2])),
        "sgd: the learning rate must be a real number, got array([0.1, 0.2])",
    ),
    (
        lambda: optim.scale_by_schedule(0.1),
        "scale_by_schedule: the schedule must be a function of the count, got 0.1",
    ),
]


@pytest.mark.parametrize(("make", "text"), WRONG_VALUES, ids=[text for _, text in WRONG_VALUES])
def test_out_of_range(make, text):
    with pytest.raises(ValueError, match="must") as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize(("make", "text"), WRONG_TYPES, ids=[text for _, text in WRONG_TYPES])
def test_not_a_number(make, text):
    with pytest.raises(TypeError) as caught:
        make()
    assert str(caught.value) == text


@pytest.mark.parametrize("number", [0.1, np.float32(0.1), np.float64(0.1), np.array(0.1)])
def test_any_real_scalar_is_a_number(number):
    grads = {"w": np.ones(2, np.float32)}
    optimizer = optim.adam(number, b1=number)
    updates, _ = optimizer.update(grads, optimizer.init(grads))
    np.testing.assert_allclose(updates["w"], -0.1, rtol=1e-6)
    assert updates["w"].dtype == np.float32


def test_a_misspelt_option_is_refused():
    with pytest.raises(TypeError, match="momentun"):
        optim.sgd(0.1, momentun=0.9)
