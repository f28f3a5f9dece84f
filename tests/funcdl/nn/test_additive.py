import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, value_and_gradients
from tests.funcdl.nn.laws import normal

KEY = random.key(0)
X, MEMORY = normal(2, 5, 8, seed=1), normal(2, 6, 3, seed=2)
MASK = np.array([[True] * 6, [True, False, True, True, False, True]])


@pytest.mark.parametrize("masked", [False, True])
def test_equals_torch(masked):
    torch = import_torch()
    layer = nn.additive_attention(4, bias_init=random.normal)
    params, _ = layer.init(KEY, (X, MEMORY))
    names = ("query", "key", "bias", "scale")

    def theirs(x, memory, query, key, bias, scale):
        network = torch.tanh((x @ query)[:, :, None] + (memory @ key)[:, None] + bias)
        scores = network @ scale
        if masked:
            scores = scores.masked_fill(~torch.tensor(MASK)[:, None], -torch.inf)
        return scores.softmax(-1) @ memory

    def mine(x, memory, *values):
        given = (x, memory, MASK) if masked else (x, memory)
        return layer(dict(zip(names, values, strict=True)), given)

    arrays = (X, MEMORY, *(params[name] for name in names))
    assert_same(ours(mine, *arrays), value_and_gradients(theirs, *arrays))


def test_queries_may_differ_in_what_they_see():
    layer = nn.additive_attention(4)
    params, _ = layer.init(KEY, (X, MEMORY))
    mask = np.zeros((2, 5, 6), bool)
    mask[:, np.arange(5), np.arange(5)] = True
    np.testing.assert_allclose(layer(params, (X, MEMORY, mask)), MEMORY[:, :5], rtol=1e-5)


def test_misuse():
    with pytest.raises(ValueError, match="additive_attention: features must be a positive integer, got 0"):
        nn.additive_attention(0)
    layer = nn.additive_attention(4)
    with pytest.raises(
        TypeError, match=r"additive_attention: the input must be \(x, memory\) or .*, got a nda"
    ):
        layer.init(KEY, X)
    params, _ = layer.init(KEY, (X, MEMORY))
    with pytest.raises(ValueError, match="additive_attention: the last axis of x must have length 3"):
        layer(params, (X, X))
    with pytest.raises(ValueError, match="additive_attention: mask must hold booleans"):
        layer(params, (X, MEMORY, MASK[0]))
