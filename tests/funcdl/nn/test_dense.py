import numpy as np
import pytest

from funcdl import initializers, nn, random
from tests.funcdl.functional.oracles import NO_TORCH
from transforms import ArrayType, grad

KEY = random.key(0)
X = np.linspace(-1, 1, 8 * 4, dtype=np.float32).reshape(8, 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(4,), (8, 4), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
def test_equals_torch(use_bias, shape, dtype):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    layer = nn.dense(
        3, use_bias=use_bias, bias_init=lambda key, shape, dtype: random.normal(key, shape, dtype)
    )
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=dtype).reshape(shape)
    params, _ = layer.init(KEY, x)
    grads = grad(lambda params: np.sum(np.square(layer(params, x))))(params)

    theirs = {name: torch.tensor(np.asarray(v), requires_grad=True) for name, v in params.items()}
    y = torch.nn.functional.linear(torch.tensor(x), theirs["kernel"].T, theirs.get("bias"))
    y.square().sum().backward()
    np.testing.assert_allclose(layer(params, x), y.detach(), rtol=1e-5, atol=1e-6)
    for name, got in grads.items():
        assert got.dtype == dtype
        np.testing.assert_allclose(got, theirs[name].grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("x_dtype", "dtype"),
    [("float32", "float32"), ("float64", "float64"), ("int64", "float32"), ("bool", "float32")],
)
def test_dtype_follows_the_input(x_dtype, dtype):
    layer = nn.dense(3)
    x = X.astype(x_dtype)
    params, _ = layer.init(KEY, ArrayType(x.shape, x.dtype))
    assert {v.dtype for v in params.values()} == {np.dtype(dtype)}
    assert layer(params, x).dtype == dtype


def test_initializers_can_be_chosen():
    layer = nn.dense(
        3,
        kernel_init=initializers.constant(2.0),
        bias_init=initializers.ones,
    )
    params, _ = layer.init(KEY, X)
    np.testing.assert_array_equal(params["kernel"], np.full((4, 3), 2))
    np.testing.assert_array_equal(params["bias"], np.ones(3))


def test_starts_with_a_bias_of_zero():
    np.testing.assert_array_equal(nn.dense(3).init(KEY, X)[0]["bias"], np.zeros(3))


@pytest.mark.parametrize("x", [np.ones((8, 3)), np.float64(1.0)], ids=["short", "scalar"])
def test_an_axis_that_does_not_fit_shows_both_shapes(x):
    layer = nn.dense(2)
    params, _ = layer.init(KEY, X)
    text = (
        r"dense: the last axis of x must be as long as the first of the kernel, got x of shape "
        rf"\({', '.join(map(str, x.shape))}\) and a kernel of shape \(4, 2\); init with"
    )
    with pytest.raises(ValueError, match=text):
        layer(params, x)


def test_a_scalar_example_is_refused():
    with pytest.raises(ValueError, match=r"dense: x must have at least one axis, got float64\[\]; add one"):
        nn.dense(2).init(KEY, np.float64(1.0))


@pytest.mark.parametrize("features", [0, -1])
def test_features_out_of_range(features):
    with pytest.raises(ValueError, match=f"dense: features must be a positive integer, got {features}"):
        nn.dense(features)


@pytest.mark.parametrize("features", [2.0, True, "3"])
def test_features_of_another_type(features):
    with pytest.raises(TypeError, match=f"dense: features must be a positive integer, got {features!r}"):
        nn.dense(features)
