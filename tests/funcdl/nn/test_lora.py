import numpy as np
import pytest

from funcdl import nn, optim, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, value_and_gradients
from tests.funcdl.nn.laws import normal
from transforms import grad, tree

KEY = random.key(0)
X = normal(5, 4)


def with_up(params, seed=0):
    """Parameters whose second thin matrices are not 0, as after training."""
    adapters = {
        path: {**pair, "up": normal(*pair["up"].shape, seed=seed)}
        for path, pair in params["adapters"].items()
    }
    return {**params, "adapters": adapters}


@pytest.mark.parametrize(("alpha", "factor"), [(None, 1.0), (6.0, 3.0)])
def test_equals_torch(alpha, factor):
    torch = import_torch()
    layer = nn.lora(nn.dense(3), 2, alpha=alpha)
    params, _ = layer.init(KEY, X)
    kernel, bias = params["layer"]["kernel"], normal(3)
    down, up = params["adapters"]["kernel"]["down"], normal(2, 3, seed=1)

    def theirs(x, kernel, bias, down, up):
        # As in the paper: the change is applied to x, and never made into a matrix.
        return torch.nn.functional.linear(x, kernel.T, bias) + factor * (x @ down) @ up

    def mine(x, kernel, bias, down, up):
        adapters = {"kernel": {"down": down, "up": up}}
        return layer({"layer": {"kernel": kernel, "bias": bias}, "adapters": adapters}, x)

    arrays = (X, kernel, bias, down, up)
    assert_same(ours(mine, *arrays), value_and_gradients(theirs, *arrays))


def test_a_convolution_is_changed_as_a_matrix():
    x = normal(2, 5, 4, 3)
    inner = nn.conv(6, (3, 2))
    layer = nn.lora(inner, 2)
    params, _ = layer.init(KEY, x)
    params = with_up(params)
    pair = params["adapters"]["kernel"]
    assert (pair["down"].shape, pair["up"].shape) == ((18, 2), (2, 6))
    change = inner({"kernel": (pair["down"] @ pair["up"]).reshape(3, 2, 3, 6), "bias": np.zeros(6)}, x)
    expected = inner(params["layer"], x) + change
    np.testing.assert_allclose(layer(params, x), expected, rtol=1e-4, atol=1e-5)


def test_starts_as_the_layer_and_merges_into_it():
    x = normal(2, 5, 8)
    inner = nn.encoder_block(nn.self_attention(2), 16)
    layer = nn.lora(inner, 2, alpha=4.0)
    params, _ = layer.init(KEY, x)
    np.testing.assert_array_equal(layer(params, x), inner(params["layer"], x))
    params = with_up(params)
    assert not np.allclose(layer(params, x), inner(params["layer"], x), atol=1e-2)
    merged = nn.merge_lora(params, alpha=4.0)
    assert tree.structure(merged) == tree.structure(params["layer"])
    np.testing.assert_array_equal(layer(params, x), inner(merged, x))


def test_targets_are_chosen_by_path():
    x = normal(2, 5, 8)
    layer = nn.lora(nn.self_attention(2), 2, targets=lambda path: path.split("/")[0] in ("query", "value"))
    params, _ = layer.init(KEY, x)
    assert list(params["adapters"]) == ["query/kernel", "value/kernel"]
    with pytest.raises(
        ValueError, match=r"lora: targets must choose one of the kernels \['kernel'\], got none"
    ):
        nn.lora(nn.dense(3), 2, targets=lambda path: False).init(KEY, X)


def test_only_the_thin_matrices_are_trained():
    model = nn.serial(nn.lora(nn.dense(6), 2), nn.relu, nn.lora(nn.dense(2), 2))
    params, _ = model.init(KEY, X)
    optimizer = optim.partition({"**/adapters/**": optim.adam(0.1), "**": optim.set_to_zero()})
    state, start = optimizer.init(params), params
    assert {leaf.shape for leaf in tree.leaves(optim.find_state(state, optim.ScaleByAdamState).mean)} == {
        leaf.shape for part in (params[0], params[2]) for leaf in tree.leaves(part["adapters"])
    }
    values = []
    for _ in range(30):
        values.append(np.sum(np.square(model(params, X) - 1)))
        grads = grad(lambda params: np.sum(np.square(model(params, X) - 1)))(params)
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    for part in (0, 2):
        tree.map(np.testing.assert_array_equal, params[part]["layer"], start[part]["layer"])
    assert values[-1] < 0.2 * values[0]


def test_misuse():
    with pytest.raises(ValueError, match="lora: rank must be a positive integer, got 0"):
        nn.lora(nn.dense(3), 0)
    with pytest.raises(
        ValueError, match=r"lora: the layer must have a kernel, got relu with parameters \[\]"
    ):
        nn.lora(nn.relu, 2).init(KEY, X)
    with pytest.raises(
        TypeError, match=r"merge_lora: params must have the entries layer and adapters, got \['"
    ):
        nn.merge_lora(nn.dense(3).init(KEY, X)[0])
