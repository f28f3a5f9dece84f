"""Values and derivatives of a function of one array, in this library, in JAX and in PyTorch.

Each gives ``(f(x), the gradient of sum(weights * f(x)))`` as NumPy arrays of the dtype of ``x``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from transforms import vjp

NO_TORCH = "PyTorch is in no extra, for its size; this comparison needs it: pip install torch"


def weights_like(y):
    """Different numbers, so that a derivative that ends up in a wrong place shows."""
    return np.linspace(0.5, 1.5, max(1, np.size(y)), dtype=y.dtype).reshape(np.shape(y))


def ours(f, x):
    y, pullback = vjp(f, x)
    return y, pullback(weights_like(y))[0]


def by_jax(f, x):
    return table_by_jax({"f": f}, x)["f"]


def table_by_jax(functions, x):
    """As `by_jax`, for a dict of functions: compiled together, which takes less time than one by one."""

    def value_and_gradient(f, x):
        y, pullback = jax.vjp(f, x)
        return y, pullback(jnp.asarray(weights_like(y)))[0]

    with jax.enable_x64(True):
        program = jax.jit(lambda x: {name: value_and_gradient(f, x) for name, f in functions.items()})
        return jax.tree.map(np.asarray, program(jnp.asarray(x)))


def by_torch(f, x):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    x = torch.tensor(x, requires_grad=True)
    y = f(x)
    y.backward(torch.tensor(weights_like(y.detach().numpy())))
    return y.detach().numpy(), x.grad.numpy()


def assert_same(got, expected, dtype, *, names=("value", "gradient"), tolerance=None):
    tolerance = tolerance or {"float32": 5e-6, "float64": 1e-12}[np.dtype(dtype).name]
    for name, mine, other in zip(names, got, expected, strict=True):
        assert mine.dtype == other.dtype == np.dtype(dtype), name
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance, err_msg=name)
