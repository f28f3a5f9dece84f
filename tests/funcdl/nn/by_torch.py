"""What a PyTorch module gives, for comparison with a layer."""

import numpy as np
import pytest

from tests.funcdl.functional.oracles import NO_TORCH
from transforms import vjp


def import_torch():
    return pytest.importorskip("torch", reason=NO_TORCH)


def set_weights(module, **weights):
    """Give a module's parameters and buffers values; names are those of its state_dict."""
    torch = import_torch()
    values = module.state_dict()
    for name, value in weights.items():
        values[name.replace("__", ".")] = torch.tensor(np.ascontiguousarray(value))
    module.load_state_dict(values)


def value_and_gradients(f, *arrays):
    """Values and gradients of ``sum(f(*arrays) ** 2)`` for a function of tensors."""
    torch = import_torch()
    tensors = [torch.tensor(np.ascontiguousarray(x), requires_grad=True) for x in arrays]
    y = f(*tensors)
    y.square().sum().backward()
    return [y.detach().numpy(), *(tensor.grad.numpy() for tensor in tensors)]


def parameter_gradients(module, f):
    """Gradients of ``sum(f() ** 2)`` in the parameters of a module that f applies, by their names."""
    module.zero_grad()
    f().square().sum().backward()
    return {name: parameter.grad.numpy() for name, parameter in module.named_parameters()}


def ours(f, *arrays):
    """The same for a function of arrays."""
    y, pullback = vjp(f, *arrays)
    return [y, *pullback(2 * y)]


def assert_same(got, expected, tolerance=1e-4):
    for mine, other in zip(got, expected, strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)
