import numpy as np
import pytest

from funcdl import optim
from transforms.errors import TreeMismatchError

PARAMS = {"a": {"kernel": np.array([1.0]), "bias": np.array([1.0])}, "b": np.array([1.0])}
ZEROS = {"a": {"kernel": np.array([0.0]), "bias": np.array([0.0])}, "b": np.array([0.0])}


def decayed(mask):
    optimizer = optim.add_decayed_weights(0.5, mask=mask)
    updates, _ = optimizer.update(ZEROS, optimizer.init(PARAMS), PARAMS)
    return [float(leaf[0]) for leaf in (updates["a"]["kernel"], updates["a"]["bias"], updates["b"])]


def test_masks():
    assert decayed(None) == [0.5, 0.5, 0.5]
    assert decayed(False) == [0.0, 0.0, 0.0]
    assert decayed({"a": True, "b": False}) == [0.5, 0.5, 0.0]
    assert decayed({"a": {"kernel": True, "bias": np.False_}, "b": True}) == [0.5, 0.0, 0.5]
    assert decayed(lambda params: {"a": {"kernel": True, "bias": False}, "b": False}) == [0.5, 0.0, 0.0]


def test_classical_decay_is_that_of_pytorch_and_decoupled_decay_is_not():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle for SGD(weight_decay=...)")
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    theirs = torch.optim.SGD([weight], lr=0.1, momentum=0.9, weight_decay=0.2)
    classical = optim.chain(optim.add_decayed_weights(0.2), optim.sgd(0.1, momentum=0.9))
    decoupled = optim.chain(
        optim.trace(0.9), optim.add_decayed_weights(0.2), optim.scale_by_learning_rate(0.1)
    )
    results = [np.array([1.0, -2.0]), np.array([1.0, -2.0])]
    states = [classical.init(results[0]), decoupled.init(results[1])]
    for step in range(5):
        grads = np.array([0.5, 0.1]) * step
        weight.grad = torch.from_numpy(grads.copy())
        theirs.step()
        for index, optimizer in enumerate((classical, decoupled)):
            updates, states[index] = optimizer.update(grads, states[index], results[index])
            results[index] = optim.apply_updates(results[index], updates)
    np.testing.assert_allclose(results[0], weight.detach().numpy(), rtol=1e-12)
    assert not np.allclose(results[0], results[1], rtol=1e-2)


def test_adamw_is_that_of_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle for AdamW")
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    theirs = torch.optim.AdamW([weight], lr=0.1, weight_decay=0.2)
    optimizer = optim.adamw(0.1, weight_decay=0.2)
    params = np.array([1.0, -2.0])
    state = optimizer.init(params)
    for step in range(5):
        grads = np.array([0.5, 0.1]) * (step - 2)
        weight.grad = torch.from_numpy(grads.copy())
        theirs.step()
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    np.testing.assert_allclose(params, weight.detach().numpy(), rtol=1e-9)


def test_a_mask_of_another_structure_is_named_by_its_path():
    with pytest.raises(TreeMismatchError) as caught:
        decayed({"a": {"kernel": True}, "b": True})
    assert str(caught.value).startswith(
        "add_decayed_weights.update (mask): the entry at 'a/bias' must be absent"
    )


def test_a_mask_that_is_not_of_booleans_is_refused():
    with pytest.raises(TypeError) as caught:
        decayed({"a": True, "b": 1.0})
    assert str(caught.value) == (
        "add_decayed_weights.update (mask): the entry at 'b' must be True or False, got 1.0"
    )
