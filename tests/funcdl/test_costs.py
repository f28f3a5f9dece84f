"""Operations counted from programs, against PyTorch's counter of products, XLA's, and sums by hand."""

import jax
import numpy as np
import pytest

from funcdl import count_flops, functional, nn, random
from tests.funcdl.functional.oracles import NO_TORCH
from transforms import ArrayType, checkpoint, cond, custom_vjp, fori_loop, grad, jit, scan, while_loop

X = np.ones((2, 9, 8, 6), np.float32)


def products_by_torch(f, *arrays):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    flop_counter = pytest.importorskip("torch.utils.flop_counter", reason=NO_TORCH)
    with flop_counter.FlopCounterMode(display=False) as counter:
        f(torch, *(torch.tensor(x) for x in arrays))
    return counter.get_total_flops()


def zeros(*shape):
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize(
    ("ours", "theirs", "arrays"),
    [
        (np.matmul, lambda torch, a, b: a @ b, (zeros(4, 5), zeros(5, 6))),
        (np.matmul, lambda torch, a, b: a @ b, (zeros(3, 4, 5), zeros(3, 5, 6))),
        (
            lambda a, b, c: np.einsum("bij,bjk,kl->bil", a, b, c),
            lambda torch, a, b, c: (a @ b) @ c,
            (zeros(3, 4, 5), zeros(3, 5, 6), zeros(6, 2)),
        ),
        (
            lambda x, k: functional.conv(x, k, strides=2, padding=1, groups=2),
            lambda torch, x, k: torch.conv2d(
                x.movedim(-1, 1), k.movedim((-1, -2), (0, 1)), stride=2, padding=1, groups=2
            ),
            (X, zeros(3, 2, 3, 4)),
        ),
        (
            lambda x, k: functional.conv_transpose(x, k, strides=(2, 3), padding="SAME"),
            lambda torch, x, k: torch.conv_transpose2d(
                x.movedim(-1, 1), k.movedim(2, 0).movedim(-1, 1), stride=(2, 3)
            ),
            (X, zeros(2, 3, 6, 4)),
        ),
    ],
    ids=["matmul", "batches", "einsum", "conv", "conv_transpose"],
)
def test_products_equal_torch(ours, theirs, arrays):
    assert count_flops(ours)(*arrays) == products_by_torch(theirs, *arrays)


def test_a_gradient_equals_torch():
    def objective(weights, x):
        first, second = weights
        return np.sum((x @ first) @ second)

    weights = zeros(6, 4), zeros(4, 5)

    def theirs(torch, x, first, second):
        first.requires_grad = second.requires_grad = True
        ((x @ first) @ second).sum().backward()

    x = zeros(7, 6)
    # The products, and the sum of 7 times 5 values.
    assert count_flops(grad(objective))(weights, x) == products_by_torch(theirs, x, *weights) + 35


def test_a_network_equals_the_count_of_xla():
    def network(params, x):
        for kernel, bias in params:
            x = np.tanh(x @ kernel + bias)
        return np.sum(x * x)

    params = [(zeros(7, 20), zeros(20)), (zeros(20, 3), zeros(3))]
    theirs = jax.jit(lambda params, x: jax.numpy.tanh(x @ params[0][0] + params[0][1]) @ params[1][0])
    cost = theirs.lower(params, zeros(5, 7)).compile().cost_analysis()
    products = 2 * 5 * (7 * 20 + 20 * 3)
    assert cost["flops"] + cost.get("transcendentals", 0) == products + 2 * 5 * 20
    # Besides the products: bias and tanh of both layers, the square, and the sum.
    assert count_flops(network)(params, zeros(5, 7)) == products + 2 * 5 * (20 + 3) + 2 * 5 * 3


@pytest.mark.parametrize(
    ("f", "flops"),
    [
        (lambda x: x[1:] + x[:-1], 9),
        (lambda x: np.where(x > 0, np.exp(x), 2 * x), 30),
        (lambda x: np.sum(np.square(x)), 20),
        (lambda x: np.mean(x), 11),
        (lambda x: np.concatenate([x, x]).reshape(4, 5).T.astype(np.float64), 0),
        (lambda x: scan(lambda c, e: (c + x * e, c), x, zeros(7))[0], 7 * 20),
        (lambda x: fori_loop(0, 3, lambda _, c: np.sin(c), x), 3 * 10),
        (lambda x: cond(x[0] > 0, np.sin, lambda x: np.sin(np.cos(x)), x), 20 + 2),
        (lambda x: while_loop(lambda c: c[0] > 0, lambda c: c - x, x), 11),
        (lambda x: jit(lambda x: x * x)(x), 10),
        (lambda x: checkpoint(lambda x: np.exp(x) * x)(x), 20),
        (lambda x: custom(x), 10),
        (lambda x: functional.max_pool(x[None, :, None], 2), 5 * 2),
    ],
)
def test_by_hand(f, flops):
    assert count_flops(f)(ArrayType((10,), "float32")) == flops


@custom_vjp
def custom(x):
    return np.sin(x)


custom.defvjp(lambda x: (np.sin(x), x), lambda x, g: (g * np.cos(x),))


def test_types_serve_as_arrays():
    model = nn.serial(nn.dense(300), nn.relu)
    params, _ = model.init(random.key(0), ArrayType((50, 100), "float32"))
    flops = count_flops(lambda params, x: model(params, x))(params, ArrayType((50, 100), "float32"))
    assert flops == 50 * (2 * 100 * 300 + 300 + 300)
