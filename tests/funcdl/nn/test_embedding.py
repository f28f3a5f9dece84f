import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import import_torch
from transforms import grad, jit

KEY = random.key(0)
X = np.array([[1, 4, 1], [0, 0, 2]])


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
def test_equals_torch(wrap):
    torch = import_torch()
    layer = nn.embedding(5, 3)
    params, _ = layer.init(KEY, X)
    table = torch.tensor(np.array(params["embedding"]), requires_grad=True)
    y = torch.nn.functional.embedding(torch.tensor(X), table)
    y.square().sum().backward()
    np.testing.assert_array_equal(wrap(layer)(params, X), y.detach())
    grads = wrap(grad(lambda params: np.sum(np.square(layer(params, X)))))(params)
    np.testing.assert_allclose(grads["embedding"], table.grad, rtol=1e-6)


def test_starts_small():
    table = nn.embedding(100, 50).init(KEY, X)[0]["embedding"]
    assert table.dtype == np.float32
    assert np.std(table) == pytest.approx(0.02, rel=0.05)


def test_misuse():
    layer = nn.embedding(5, 3)
    params, _ = layer.init(KEY, X)
    with pytest.raises(TypeError, match=r"embedding: x must hold integers, got float32\[2\]; convert it"):
        layer(params, np.ones(2, np.float32))
    for index in (-1, 5):
        with pytest.raises(ValueError, match=rf"embedding: x must hold indices in \[0, 5\), got .*{index}"):
            layer(params, np.array([index]))
