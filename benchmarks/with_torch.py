"""Steps in PyTorch."""

from __future__ import annotations

from typing import Any

from benchmarks.workload import Step
from transforms.lazy import lazy_module

torch = lazy_module("torch")


def sgd(module: Any, rate: float, momentum: float = 0.0) -> Any:
    """Return PyTorch's gradient descent, in its fused form."""
    chosen = [p for p in module.parameters() if p.requires_grad]
    return torch.optim.SGD(chosen, lr=rate, momentum=momentum, fused=True)


def adam(module: Any, rate: float) -> Any:
    """Return PyTorch's Adam, in its fused form."""
    return torch.optim.Adam(module.parameters(), lr=rate, fused=True)


def classification(module: Any, optimizer: Any, x: Any, labels: Any, *, compiled: bool = False) -> Step:
    """Return a training step; compiled, the model and its loss are one program."""
    inputs, targets = torch.tensor(x), torch.tensor(labels)

    def objective(inputs: Any, targets: Any) -> Any:
        logits = module(inputs)
        return torch.nn.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())

    objective = torch.compile(objective) if compiled else objective

    def step() -> Any:
        optimizer.zero_grad()
        loss = objective(inputs, targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def inference(module: Any, x: Any, *, compiled: bool = False) -> Step:
    """Return a call of a model without gradients."""
    module.eval()
    inputs = torch.tensor(x)
    forward = torch.compile(module) if compiled else module

    def step() -> Any:
        with torch.inference_mode():
            return forward(inputs)

    return step


def repeating(function: Any, *arguments: Any, compiled: bool = False) -> Step:
    """Return a call of a function of trees of tensors, given as NumPy arrays."""
    tensors = torch.utils._pytree.tree_map(torch.tensor, arguments)
    call = torch.compile(function) if compiled else function
    return lambda: call(*tensors)


def linear(params: Any) -> Any:
    """Return ``nn.Linear`` with the parameters of a dense layer."""
    inputs, features = params["kernel"].shape
    module = torch.nn.Linear(inputs, features)
    return filled(module, weight=params["kernel"].T, bias=params["bias"])


def conv(params: Any, *, strides: int = 1, padding: int = 1) -> Any:
    """Return ``nn.Conv2d`` with the parameters of a convolution, channels last."""
    kernel = params["kernel"]
    height, width, channels, features = kernel.shape
    bias = "bias" in params
    module = torch.nn.Conv2d(channels, features, (height, width), strides, padding, bias=bias)
    return filled(module, weight=kernel.transpose(3, 2, 0, 1), **({"bias": params["bias"]} if bias else {}))


def filled(module: Any, **values: Any) -> Any:
    """Return a module after setting its parameters to NumPy arrays."""
    with torch.no_grad():
        for name, value in values.items():
            getattr(module, name).copy_(torch.tensor(value))
    return module
