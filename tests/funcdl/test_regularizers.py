"""Penalties against formulas written for two parameters, their gradients, and the choice of parameters."""

import numpy as np
import pytest

from funcdl import regularizers
from transforms import grad, value_and_grad

rng = np.random.default_rng(0)
A, B, BIAS = rng.normal(size=(4, 3)), rng.normal(size=(3, 5)), rng.normal(size=5)
PARAMS = ({"kernel": A}, (), {"kernel": B, "bias": BIAS})


def distance_from_orthogonal(w):
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    return np.linalg.norm(gram - np.eye(len(gram))) ** 2


def gradient_of_distance(w):
    tall = w if w.shape[0] >= w.shape[1] else w.T
    slope = 4 * tall @ (tall.T @ tall - np.eye(tall.shape[1]))
    return slope if w.shape[0] >= w.shape[1] else slope.T


CASES = {
    "l1": (regularizers.l1(0.3), lambda w: 0.3 * np.abs(w).sum(), lambda w: 0.3 * np.sign(w)),
    "l2": (regularizers.l2(0.3), lambda w: 0.3 * (w**2).sum(), lambda w: 0.6 * w),
    "l1_l2": (
        regularizers.l1_l2(0.3, 0.2),
        lambda w: 0.3 * np.abs(w).sum() + 0.2 * (w**2).sum(),
        lambda w: 0.3 * np.sign(w) + 0.4 * w,
    ),
    "orthogonal": (
        regularizers.orthogonal(0.3),
        lambda w: 0.3 * distance_from_orthogonal(w),
        lambda w: 0.3 * gradient_of_distance(w),
    ),
}
MAKERS = {
    "l1": regularizers.l1,
    "l2": regularizers.l2,
    "l1_l2": lambda strength, **options: regularizers.l1_l2(strength, strength, **options),
    "orthogonal": regularizers.orthogonal,
}


@pytest.mark.parametrize("name", CASES)
def test_penalizes_kernels_as_the_formula_says(name):
    regularizer, penalty, slope = CASES[name]
    value, gradient = value_and_grad(regularizer)(PARAMS)
    np.testing.assert_allclose(value, penalty(A) + penalty(B), rtol=1e-12)
    np.testing.assert_allclose(gradient[0]["kernel"], slope(A), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gradient[2]["kernel"], slope(B), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(gradient[2]["bias"], 0)


@pytest.mark.parametrize("name", MAKERS)
def test_float32_stays_float32(name):
    value = MAKERS[name](np.float64(0.3))({"kernel": A.astype(np.float32)})
    assert (value.shape, value.dtype) == ((), np.float32)


def test_l1_is_flat_at_zero():
    np.testing.assert_array_equal(grad(regularizers.l1(1.0, paths="w"))({"w": np.zeros(2)})["w"], [0, 0])


def test_orthogonal_kernels_of_any_rank_cost_nothing():
    q, _ = np.linalg.qr(rng.normal(size=(18, 4)))
    assert regularizers.orthogonal(1.0)({"kernel": q.reshape(3, 3, 2, 4)}) == pytest.approx(0, abs=1e-12)
    assert regularizers.orthogonal(1.0)({"kernel": q.T}) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("paths", "chosen"),
    [
        ("**", ["kernel", "encoder/0/kernel", "encoder/0/bias", "encoder/1/kernel_2"]),
        ("**/kernel", ["kernel", "encoder/0/kernel"]),
        ("kernel", ["kernel"]),
        ("encoder/**", ["encoder/0/kernel", "encoder/0/bias", "encoder/1/kernel_2"]),
        ("encoder/*/kernel*", ["encoder/0/kernel", "encoder/1/kernel_2"]),
        ("**/0/**", ["encoder/0/kernel", "encoder/0/bias"]),
        ("encoder/?/[ab]ias", ["encoder/0/bias"]),
        (("kernel", "**/bias"), ["kernel", "encoder/0/bias"]),
    ],
    ids=str,
)
def test_paths_choose_parameters(paths, chosen):
    weights = {"kernel": 1.0, "encoder/0/kernel": 10.0, "encoder/0/bias": 100.0, "encoder/1/kernel_2": 1000.0}
    params = {
        "kernel": np.array(weights["kernel"]),
        "encoder": (
            {"kernel": np.array(weights["encoder/0/kernel"]), "bias": np.array(weights["encoder/0/bias"])},
            {"kernel_2": np.array(weights["encoder/1/kernel_2"])},
        ),
    }
    assert regularizers.l1(1.0, paths=paths)(params) == sum(weights[name] for name in chosen)


@pytest.mark.parametrize("name", MAKERS)
def test_a_pattern_without_parameters_is_refused(name):
    text = rf"{name}: paths must match a parameter, got '\*\*/kernel' for the parameters \['b1', 'w1'\]"
    with pytest.raises(ValueError, match=text):
        MAKERS[name](0.1)({"w1": A, "b1": BIAS})


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("strength", [-0.1, np.nan])
def test_a_negative_strength_is_refused(name, strength):
    with pytest.raises(
        ValueError, match=rf"regularizers.{name}: \w*strength must be at least 0, got {strength}"
    ):
        MAKERS[name](strength)


def test_orthogonal_refuses_vectors():
    text = r"orthogonal: the parameter '2/bias' must have at least two axes, got float64\[5\]"
    with pytest.raises(ValueError, match=text):
        regularizers.orthogonal(0.1, paths="**")(PARAMS)
