import numpy as np
import pytest

from funcdl import functional, nn, random
from funcdl.functional import activations

PLAIN = sorted(name for name in dir(activations) if callable(getattr(activations, name)) and name != "prelu")


@pytest.mark.parametrize("name", [*PLAIN, "softmax", "log_softmax"])
def test_plain_activations_are_those_of_functional(name):
    assert getattr(nn, name) is getattr(functional, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prelu_has_a_slope_for_each_feature(dtype):
    x = np.array([[-1.0, -1.0, 2.0]], dtype)
    layer = nn.prelu()
    params, state = layer.init(random.key(0), x)
    assert (params["slope"].shape, params["slope"].dtype, state) == ((3,), dtype, ())
    np.testing.assert_array_equal(layer(params, x), [[-0.25, -0.25, 2]])
    np.testing.assert_array_equal(layer({"slope": np.array([0.5, 2, 3], dtype)}, x), [[-0.5, -2, 2]])
