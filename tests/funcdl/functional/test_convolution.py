import jax
import numpy as np
import pytest

from funcdl import functional
from tests.funcdl.functional.oracles import NO_TORCH
from tests.funcdl.nn.laws import normal
from transforms import vjp


def channels_first(x):
    return np.moveaxis(x, -1, 1)


def by_torch(x, kernel, **options):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    function = [torch.conv1d, torch.conv2d, torch.conv3d][x.ndim - 3]
    x, kernel = (torch.tensor(np.ascontiguousarray(a)) for a in (x, kernel))
    x.requires_grad = kernel.requires_grad = True
    y = function(x.movedim(-1, 1), kernel.movedim((-1, -2), (0, 1)), **options).movedim(1, -1)
    y.square().sum().backward()
    return y.detach().numpy(), x.grad.numpy(), kernel.grad.numpy()


@pytest.mark.parametrize(
    ("x", "kernel", "ours", "theirs"),
    [
        (normal(2, 9, 4), normal(3, 4, 5), {}, {}),
        (normal(2, 9, 4), normal(3, 2, 6), {"groups": 2, "strides": 2}, {"groups": 2, "stride": 2}),
        (normal(2, 8, 7, 3), normal(3, 3, 3, 4), {"padding": "SAME"}, {"padding": "same"}),
        (
            normal(2, 8, 7, 3),
            normal(3, 2, 3, 4),
            {"padding": (2, 1), "strides": (2, 1), "dilation": (1, 3)},
            {"padding": (2, 1), "stride": (2, 1), "dilation": (1, 3)},
        ),
        (normal(1, 5, 4, 5, 2), normal(2, 2, 3, 2, 3), {"padding": 1}, {"padding": 1}),
    ],
    ids=["sequence", "groups", "image", "options", "volume"],
)
def test_conv_equals_torch(x, kernel, ours, theirs):
    y, pullback = vjp(lambda x, kernel: functional.conv(x, kernel, **ours), x, kernel)
    for got, expected in zip((y, *pullback(2 * y)), by_torch(x, kernel, **theirs), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_causal_windows_do_not_look_ahead():
    x, kernel = normal(1, 8, 2), normal(3, 2, 2)
    y = functional.conv(x, kernel, padding="CAUSAL", dilation=2)
    changed = x.copy()
    changed[:, 5:] = 0
    np.testing.assert_array_equal(
        functional.conv(changed, kernel, padding="CAUSAL", dilation=2)[:, :5], y[:, :5]
    )
    np.testing.assert_allclose(y[0, 0], x[0, 0] @ kernel[2], rtol=1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("lengths", "window", "strides"),
    [
        ((6,), (3,), (2,)),
        ((4, 5), (3, 2), (2, 3)),
        ((4, 5), (1, 4), (1, 2)),
        ((2, 3, 2), (2, 2, 3), (1, 2, 2)),
    ],
    ids=str,
)
def test_conv_transpose_equals_jax(lengths, window, strides, padding):
    x, kernel = normal(2, *lengths, 3), normal(*window, 3, 4)
    letters = "DHW"[-len(lengths) :]
    numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")

    @jax.jit
    def theirs(x, kernel):
        y, pullback = jax.vjp(
            lambda x, k: jax.lax.conv_transpose(x, k, strides, padding, dimension_numbers=numbers), x, kernel
        )
        return y, *pullback(jax.numpy.sin(y))

    y, pullback = vjp(
        lambda x, k: functional.conv_transpose(x, k, strides=strides, padding=padding), x, kernel
    )
    for got, expected in zip((y, *pullback(np.sin(y))), theirs(x, kernel), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            functional.conv,
            "conv: padding must be 'VALID', 'SAME', 'CAUSAL' or a pair for each spatial axis, got",
        ),
        (
            functional.conv_transpose,
            "conv_transpose: padding must be 'VALID', 'SAME' or a pair for each spatial",
        ),
    ],
)
def test_misspelt_padding_is_refused(call, text):
    with pytest.raises(ValueError, match=text):
        call(normal(1, 4, 4, 1), normal(2, 2, 1, 1), padding="same")


def test_a_window_that_does_not_fit_is_refused():
    text = r"^conv: the window \(5, 5\) must fit into the padded axes, got \(4, 4\); pad more$"
    with pytest.raises(ValueError, match=text):
        functional.conv(normal(1, 4, 4, 1), normal(5, 5, 1, 1))


def test_causal_padding_of_images_is_refused():
    with pytest.raises(ValueError, match="conv: causal padding must be for one spatial axis, got 2 axes"):
        functional.conv(normal(1, 4, 4, 1), normal(2, 2, 1, 1), padding="CAUSAL")


def test_no_spatial_axis_is_refused():
    text = r"conv: x must have the shape \(batch, \*spatial, channels\), got shape \(2, 3\)"
    with pytest.raises(ValueError, match=text):
        functional.conv(normal(2, 3), normal(3, 4))
