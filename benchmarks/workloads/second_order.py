"""Second derivatives of a small network with tanh: a Hessian-vector product, and a whole Hessian."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from benchmarks import with_jax, with_torch
from benchmarks.workload import Program, Step, Workload
from transforms import hessian, hvp
from transforms.lazy import lazy_module

autograd = lazy_module("autograd")
anp = lazy_module("autograd.numpy")
jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
torch = lazy_module("torch")


class Sizes(NamedTuple):
    """Examples, and the widths of the layers."""

    examples: int
    widths: tuple[int, ...]


def data(sizes: Sizes) -> tuple[Any, Any]:
    """Return inputs and what the network should give."""
    rng = np.random.default_rng(0)
    shapes = (sizes.examples, sizes.widths[0]), (sizes.examples, sizes.widths[-1])
    x, y = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    return x, y


def layers(sizes: Sizes, seed: int) -> list[tuple[Any, Any]]:
    """Return a kernel and a bias for each layer."""
    rng = np.random.default_rng(seed)
    pairs = zip(sizes.widths, sizes.widths[1:], strict=False)
    return [
        (rng.standard_normal((n, m)).astype(np.float32) / np.float32(n**0.5), np.zeros(m, np.float32))
        for n, m in pairs
    ]


def loss_with(xp: Any) -> Callable[..., Any]:
    """Return the mean squared error, in a library that has NumPy's names."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        *hidden, (kernel, bias) = params
        for inner, inner_bias in hidden:
            x = xp.tanh(xp.matmul(x, inner) + inner_bias)
        return xp.mean((xp.matmul(x, kernel) + bias - y) ** 2)

    return loss


def product_arguments(sizes: Sizes) -> tuple[Any, ...]:
    """Return parameters, a vector like them, inputs and targets."""
    return layers(sizes, 1), layers(sizes, 2), *data(sizes)


def product_in_funcdl(sizes: Sizes) -> Program:
    loss = loss_with(np)

    def product(params: Any, vector: Any, x: Any, y: Any) -> Any:
        return hvp(lambda params: loss(params, x, y), (params,), (vector,))

    return Program(product, product_arguments(sizes))


def product_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    loss = loss_with(torch)

    def product(params: Any, vector: Any, x: Any, y: Any) -> Any:
        gradient = torch.func.grad(lambda params: loss(params, x, y))
        return torch.func.jvp(gradient, (params,), (vector,))[1]

    return with_torch.repeating(product, *product_arguments(sizes), compiled=compiled)


def product_in_jax(sizes: Sizes) -> Step:
    loss = loss_with(jnp)

    def product(params: Any, vector: Any, x: Any, y: Any) -> Any:
        return jax.jvp(jax.grad(lambda params: loss(params, x, y)), (params,), (vector,))[1]

    return with_jax.jax_step(Program(product, product_arguments(sizes)))


def product_in_autograd(sizes: Sizes) -> Step:
    """Return the gradient of an inner product; autograd's own product takes single arrays only."""
    params, vector, x, y = product_arguments(sizes)
    gradient = autograd.grad(loss_with(anp))

    def inner(params: Any) -> Any:
        pairs = zip(gradient(params, x, y), vector, strict=True)
        return sum(anp.sum(g * v) for grads, parts in pairs for g, v in zip(grads, parts, strict=True))

    product = autograd.grad(inner)
    return lambda: product(params)


def flat_arguments(sizes: Sizes) -> tuple[Any, ...]:
    """Return all parameters as one vector, inputs and targets."""
    flat = np.concatenate([part.ravel() for layer in layers(sizes, 1) for part in layer])
    return flat, *data(sizes)


def flat_loss(loss: Callable[..., Any], sizes: Sizes) -> Callable[..., Any]:
    """Return a loss whose parameters are one vector."""

    def of_vector(vector: Any, x: Any, y: Any) -> Any:
        params, place = [], 0
        for n, m in zip(sizes.widths, sizes.widths[1:], strict=False):
            kernel = vector[place : place + n * m].reshape((n, m))
            params.append((kernel, vector[place + n * m : place + n * m + m]))
            place += n * m + m
        return loss(params, x, y)

    return of_vector


def hessian_in_funcdl(sizes: Sizes) -> Program:
    return Program(hessian(flat_loss(loss_with(np), sizes)), flat_arguments(sizes))


def hessian_in_torch(sizes: Sizes, *, compiled: bool = False) -> Step:
    matrix = torch.func.hessian(flat_loss(loss_with(torch), sizes))
    return with_torch.repeating(matrix, *flat_arguments(sizes), compiled=compiled)


def hessian_in_jax(sizes: Sizes) -> Step:
    matrix = jax.hessian(flat_loss(loss_with(jnp), sizes))
    return with_jax.jax_step(Program(matrix, flat_arguments(sizes)))


def hessian_in_autograd(sizes: Sizes) -> Step:
    arguments = flat_arguments(sizes)
    matrix = autograd.hessian(flat_loss(loss_with(anp), sizes))
    return lambda: matrix(*arguments)


ORDER = 8
WORKLOADS = (
    Workload(
        "hvp",
        "Hessian-vector product, 64-256-256-10, 128 examples",
        1.5,
        Sizes(examples=128, widths=(64, 256, 256, 10)),
        Sizes(examples=3, widths=(2, 4, 3)),
        product_in_funcdl,
        {
            "torch": product_in_torch,
            "torch.compile": lambda sizes: product_in_torch(sizes, compiled=True),
            "jax": product_in_jax,
            "autograd": product_in_autograd,
        },
    ),
    Workload(
        "hessian",
        "Hessian of 8-16-4 (212 parameters), 64 examples",
        1.5,
        Sizes(examples=64, widths=(8, 16, 4)),
        Sizes(examples=3, widths=(2, 3, 1)),
        hessian_in_funcdl,
        {
            "torch": hessian_in_torch,
            "torch.compile": lambda sizes: hessian_in_torch(sizes, compiled=True),
            "jax": hessian_in_jax,
            "autograd": hessian_in_autograd,
        },
    ),
)
