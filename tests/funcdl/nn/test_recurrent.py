import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import (
    assert_same,
    import_torch,
    ours,
    parameter_gradients,
    set_weights,
    value_and_gradients,
)
from tests.funcdl.nn.laws import normal
from transforms import grad, tree

KEY = random.key(0)
X = normal(3, 6, 4)
MASK = np.arange(6) < np.array([[6], [2], [4]])


def bias(key, shape, dtype):
    return random.normal(key, shape, dtype)


def make(name, features=5):
    return {"RNN": nn.simple_rnn_cell, "LSTM": nn.lstm_cell, "GRU": nn.gru_cell}[name](
        features, bias_init=bias
    )


def torch_weights(params, suffix="l0"):
    """The weights of a recurrent module of torch.nn, which has two biases for each gate."""
    kernel = params["recurrent_kernel"]
    second = np.zeros_like(params["bias"])
    if "recurrent_bias" in params:
        second[-kernel.shape[0] :] = params["recurrent_bias"]
    return {
        f"weight_ih_{suffix}": params["input_kernel"].T,
        f"weight_hh_{suffix}": kernel.T,
        f"bias_ih_{suffix}": params["bias"],
        f"bias_hh_{suffix}": second,
    }


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_outputs_and_carry_equal_torch(name):
    cell = make(name)
    params = cell.init(KEY, X[:, 0])
    module = getattr(import_torch().nn, name)(4, 5, batch_first=True)
    set_weights(module, **torch_weights(params))
    expected = value_and_gradients(lambda x: module(x)[0], X)
    assert_same(ours(lambda x: nn.recurrent(cell)(params, x), X), expected)

    theirs = module(import_torch().tensor(X))[1]
    theirs = theirs if name == "LSTM" else (theirs,)
    carry, y = nn.unroll(cell, params, X)
    for mine, other in zip(tree.leaves(carry), theirs, strict=True):
        np.testing.assert_allclose(mine, other[0].detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(nn.recurrent_last(cell)(params, X), y[:, -1])


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_gradients_of_the_parameters_equal_torch(name):
    torch = import_torch()
    cell = make(name)
    params = cell.init(KEY, X[:, 0])
    module = getattr(torch.nn, name)(4, 5, batch_first=True)
    set_weights(module, **torch_weights(params))
    theirs = parameter_gradients(module, lambda: module(torch.tensor(X))[0])
    grads = grad(lambda params: np.sum(np.square(nn.recurrent(cell)(params, X))))(params)
    expected = {
        "input_kernel": theirs["weight_ih_l0"].T,
        "recurrent_kernel": theirs["weight_hh_l0"].T,
        "bias": theirs["bias_ih_l0"],
        "recurrent_bias": theirs["bias_hh_l0"][-5:],
    }
    for part, mine in grads.items():
        np.testing.assert_allclose(mine, expected[part], rtol=1e-4, atol=1e-4, err_msg=part)


def test_bidirectional_equals_torch():
    layer = nn.bidirectional(make("LSTM"), make("LSTM"))
    params, _ = layer.init(KEY, X)
    module = import_torch().nn.LSTM(4, 5, batch_first=True, bidirectional=True)
    set_weights(
        module,
        **torch_weights(params["forward"]),
        **torch_weights(params["backward"], "l0_reverse"),
    )
    expected = value_and_gradients(lambda x: module(x)[0], X)
    assert_same(ours(lambda x: layer(params, x), X), expected)


def test_stacked_cells_equal_torch():
    cell = nn.stacked_cells(make("GRU"), make("GRU"))
    params = cell.init(KEY, X[:, 0])
    module = import_torch().nn.GRU(4, 5, num_layers=2, batch_first=True)
    set_weights(module, **torch_weights(params[0], "l0"), **torch_weights(params[1], "l1"))
    expected = value_and_gradients(lambda x: module(x)[0], X)
    assert_same(ours(lambda x: nn.recurrent(cell)(params, x), X), expected)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_masked_places_are_as_if_absent(name, reverse):
    cell = make(name)
    params = cell.init(KEY, X[:, 0])
    carry, y = nn.unroll(cell, params, X, mask=MASK, reverse=reverse)
    last = nn.recurrent_last(cell, reverse=reverse)(params, (X, MASK))
    for example, length in enumerate((6, 2, 4)):
        alone_carry, alone = nn.unroll(cell, params, X[example : example + 1, :length], reverse=reverse)
        np.testing.assert_allclose(y[example, :length], alone[0], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(y[example, length:], 0)
        np.testing.assert_allclose(last[example], alone[0, 0 if reverse else -1], rtol=1e-5, atol=1e-6)
        for mine, other in zip(tree.leaves(carry), tree.leaves(alone_carry), strict=True):
            np.testing.assert_allclose(mine[example], other[0], rtol=1e-5, atol=1e-6)


def test_a_sequence_can_be_continued():
    cell = nn.stacked_cells(make("LSTM", 3), make("GRU"))
    params = cell.init(KEY, X[:, 0])
    whole, y = nn.unroll(cell, params, X)
    carry, first = nn.unroll(cell, params, X[:, :2])
    carry, second = nn.unroll(cell, params, X[:, 2:], carry=carry)
    np.testing.assert_allclose(np.concatenate([first, second], 1), y, rtol=1e-5, atol=1e-6)
    for mine, other in zip(tree.leaves(carry), tree.leaves(whole), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


def test_masks_go_from_layer_to_layer():
    model = nn.serial(nn.recurrent(make("GRU")), nn.recurrent_last(make("LSTM")))
    params, _ = model.init(KEY, (X, MASK))
    y = model(params, (X, MASK))
    alone = model(params, X[1:2, :2])
    np.testing.assert_allclose(y[1], alone[0], rtol=1e-5, atol=1e-6)


def test_starts_orthogonal_and_without_forgetting():
    params = nn.lstm_cell(5).init(KEY, X[:, 0])
    for gate in np.split(params["recurrent_kernel"], 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(5), atol=1e-5)
    np.testing.assert_array_equal(params["bias"], np.repeat([0, 1, 0, 0], 5))


def test_misuse():
    with pytest.raises(
        TypeError, match=r"recurrent: cell must be a Cell, got a function; try nn.lstm_cell\(64\)"
    ):
        nn.recurrent(nn.lstm_cell)
    with pytest.raises(ValueError, match="stacked_cells: cells must be at least one, got none"):
        nn.stacked_cells()
    with pytest.raises(ValueError, match=r"recurrent: x must have the shape \(batch, length, inputs\), got"):
        nn.recurrent(nn.gru_cell(3)).init(KEY, X[0])
    with pytest.raises(
        ValueError, match=r"gru_cell: the input of a step must have the shape \(batch, inputs"
    ):
        nn.recurrent(nn.gru_cell(3)).init(KEY, normal(2, 3, 4, 5))
    params, _ = nn.recurrent(nn.gru_cell(3)).init(KEY, X)
    text = "gru_cell: the last axis of x must be as long as the first of the kernel, got x of shape"
    with pytest.raises(ValueError, match=text):
        nn.recurrent(nn.gru_cell(3))(params, X[..., :1])
    with pytest.raises(
        TypeError, match=r"bidirectional: the input must be x or \(x, mask\), got a tuple of length 3"
    ):
        nn.bidirectional(nn.gru_cell(3), nn.gru_cell(3)).init(KEY, (X, X, X))
    with pytest.raises(ValueError, match=r"unroll: mask must hold booleans of shape \(3, 6\), got float32"):
        nn.recurrent(nn.gru_cell(3))(params, (X, MASK.astype(np.float32)))
