import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize, same
from transforms import grad, jvp, vjp, vmap
from transforms.checks import check_grads
from transforms.errors import ShapeError
from transforms.primitives import convolution
from transforms.primitives.convolution import conv, conv_transpose
from transforms.primitives.windows import reduce_window

RNG = np.random.default_rng(0)
SPATIAL = "DHW"


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


def jax_conv(x, kernel, strides=1, padding="VALID", dilation=1, input_dilation=1, groups=1):
    rank = x.ndim - 2
    axes = SPATIAL[:rank]

    def each(value):
        return (value,) * rank if isinstance(value, int) else value

    return jax.lax.conv_general_dilated(
        x,
        kernel,
        each(strides),
        padding,
        lhs_dilation=each(input_dilation),
        rhs_dilation=each(dilation),
        feature_group_count=groups,
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )


def conv_case(x_shape, kernel_shape, make=real, **options):
    name = f"conv_{x_shape}_{kernel_shape}_{options}".replace(" ", "")
    return Case(
        name,
        lambda xp, x, kernel: conv(x, kernel, **options),
        (make(*x_shape), make(*kernel_shape)),
        oracle=lambda x, kernel: jax_conv(x, kernel, **options),
    )


def jax_reduce(x, kind, window, strides, padding, dilation):
    start, function = {
        "max": (-jnp.inf, jax.lax.max),
        "min": (jnp.inf, jax.lax.min),
        "sum": (0.0, jax.lax.add),
    }[kind]
    return jax.lax.reduce_window(x, start, function, window, strides, padding, window_dilation=dilation)


def window_case(kind, shape, window, strides=1, padding="VALID", dilation=1):
    def each(value):
        return (value,) * len(shape) if isinstance(value, int) else value

    # JAX differentiates an extreme over dilated windows not at all.
    silent = kind != "sum" and dilation != 1
    return Case(
        f"reduce_{kind}_{shape}_{window}_{strides}_{padding}_{dilation}".replace(" ", ""),
        lambda xp, x: reduce_window(x, kind, window, strides=strides, padding=padding, dilation=dilation),
        (RNG.permuted(np.arange(float(np.prod(shape)))).reshape(shape) / 7,),
        oracle="JAX has no rule for dilated windows"
        if silent
        else lambda x: jax_reduce(x, kind, each(window), each(strides), padding, each(dilation)),
    )


CASES = [
    conv_case((2, 5, 2), (3, 2, 3)),
    conv_case((2, 4, 5, 2), (3, 2, 2, 3), padding="SAME"),
    conv_case((1, 5, 6, 1), (2, 3, 1, 2), strides=(2, 3), padding=((1, 2), (0, 1))),
    conv_case((2, 6, 2), (2, 2, 3), dilation=2, padding="SAME", strides=2),
    conv_case((1, 3, 4, 2), (2, 2, 2, 2), input_dilation=(2, 3), padding=((1, 1), (2, 0))),
    conv_case((2, 5, 4), (3, 2, 6), groups=2, strides=2, padding=((1, 1),)),
    conv_case((2, 5, 3), (3, 1, 3), groups=3, padding="SAME"),
    conv_case((2, 5, 2), (2, 1, 4), groups=2),
    conv_case((2, 3, 4, 3), (1, 1, 3, 2)),
    conv_case((1, 5, 4, 3), (1, 1, 3, 2), strides=2),
    conv_case((1, 3, 3, 3, 2), (2, 2, 2, 2, 1)),
    conv_case((1, 4, 2), (3, 2, 2), padding=((-1, 2),)),
    conv_case((1, 4, 2), (2, 2, 2), padding=((-1, -2),), input_dilation=3),
    conv_case((1, 1, 1), (1, 1, 1), padding=((1, 1),), strides=2),
    conv_case((2, 3), (3, 2)),
    conv_case((0, 4, 2), (3, 2, 2)),
    # Fewer features than channels: the kernel's cotangent is made the other way round.
    conv_case((2, 7, 3), (3, 3, 1), strides=2, padding=((1, 2),)),
    conv_case((2, 5, 4, 3), (2, 3, 3, 1), strides=(3, 1), dilation=(1, 2), padding=((2, 0), (3, 1))),
    conv_case((1, 8, 3), (2, 3, 2), strides=3, padding=((3, -2),)),
    conv_case((1, 4, 3), (3, 3, 1), input_dilation=3, strides=2, dilation=2, padding=((-1, 3),)),
    conv_case((2, 5, 2), (3, 2, 2), make=compound, padding="SAME"),
    *(
        Case(
            f"conv_transpose_{strides}_{padding}_{dilation}_{features}",
            lambda xp, x, kernel, options=(strides, padding, dilation): conv_transpose(
                x, kernel, strides=options[0], padding=options[1], dilation=options[2]
            ),
            (real(2, 4, 2), real(3, 2, features)),
            oracle=lambda x, kernel, options=(strides, padding, dilation): jax.lax.conv_transpose(
                x,
                kernel,
                (options[0],),
                options[1],
                rhs_dilation=(options[2],),
                dimension_numbers=("NHC", "HIO", "NHC"),
            ),
        )
        for strides, padding, dilation, features in [
            (2, "SAME", 1, 3),
            (2, "SAME", 1, 1),
            (2, "VALID", 1, 3),
            (4, "SAME", 1, 3),
            (4, "VALID", 1, 1),
            (1, "SAME", 2, 3),
            (2, ((1, 0),), 1, 3),
        ]
    ),
    *(window_case(kind, (2, 5, 4, 2), (1, 2, 3, 1), (1, 2, 1, 1)) for kind in ("max", "min", "sum")),
    *(window_case(kind, (2, 6, 2), (1, 3, 1), (1, 2, 1), "SAME") for kind in ("max", "min", "sum")),
    *(window_case(kind, (5, 4), (2, 3), 1, ((1, 1), (0, 2))) for kind in ("max", "min", "sum")),
    *(window_case(kind, (7,), (3,), 2, "VALID", 2) for kind in ("max", "min", "sum")),
    window_case("sum", (7,), (2,), 3),
    window_case("max", (7,), (2,), 3),
    window_case("sum", (4, 2), 1),
    *(
        Case(
            f"{name}_{n}_{m}_{mode}",
            lambda xp, a, v, name=name, mode=mode: getattr(xp, name)(a, v, mode=mode),
            (make(n), make(m)),
            order=1,
        )
        for name, make in (("convolve", real), ("correlate", compound))
        for (n, m), mode in itertools.product([(5, 3), (4, 4), (2, 5)], ["full", "same", "valid"])
    ),
    Case(
        "sliding_window_view",
        lambda xp, x: np.lib.stride_tricks.sliding_window_view(x, 3, axis=-2),
        (real(2, 5, 2),),
        oracle=lambda x: jnp.stack([jnp.moveaxis(x[:, i : i + 3], 1, -1) for i in range(3)], axis=1),
    ),
    Case(
        "sliding_window_view_all",
        lambda xp, x: np.lib.stride_tricks.sliding_window_view(x, (2, 3)),
        (real(3, 4),),
        oracle=lambda x: jnp.stack(
            [jnp.stack([x[i : i + 2, j : j + 3] for j in range(2)]) for i in range(2)]
        ),
    ),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


def test_blocks_of_examples(monkeypatch):
    x, kernel = real(5, 6, 4), real(3, 2, 6)
    whole = conv(x, kernel, groups=2)
    monkeypatch.setattr(convolution, "_COLUMN_ELEMENTS", 2 * 2 * 4 * 6)
    same(conv(x, kernel, groups=2), whole)


@pytest.mark.parametrize("axes", [(2, None), (None, 3), (1, 0)])
@pytest.mark.parametrize("groups", [1, 2])
def test_batches_of_convolutions(axes, groups):
    x, kernel = real(3, 2, 5, 4), real(3, 3, 4 // groups, 6)
    x_axis, kernel_axis = axes
    moved_x = x[0] if x_axis is None else np.moveaxis(x, 0, x_axis)
    moved_kernel = kernel[0] if kernel_axis is None else np.moveaxis(kernel, 0, kernel_axis)
    got = vmap(lambda x, kernel: conv(x, kernel, groups=groups), in_axes=axes)(moved_x, moved_kernel)
    expected = [
        conv(x[0 if x_axis is None else i], kernel[0 if kernel_axis is None else i], groups=groups)
        for i in range(3)
    ]
    same(got, np.stack(expected))


def test_ties_share_equally():
    x = np.array([1.0, 2.0, 2.0, 0.0, 0.0, 0.0])
    for kind, expected in (
        ("max", [0, 0.5, 0.5, 1 / 3, 1 / 3, 1 / 3]),
        ("min", [1, 0, 0, 1 / 3, 1 / 3, 1 / 3]),
    ):
        gradient = grad(lambda x, kind=kind: reduce_window(x, kind, 3, strides=3).sum())(x)
        same(gradient, np.array(expected))
    tangent = jvp(lambda x: reduce_window(x, "max", 3, strides=3), (x,), (np.arange(6.0),))[1]
    same(tangent, np.array([1.5, 4.0]))


def test_a_window_extreme_is_bilinear_where_it_is_composed():
    x = np.random.default_rng(3).permutation(8.0 * np.arange(8)) / 10
    check_grads(lambda x: np.sin(reduce_window(np.square(x), "max", 3, padding="SAME")), (x,), order=3)


def test_pooling_of_integers():
    x = np.array([3, -1, 2, 7], np.int32)
    same(reduce_window(x, "max", 2, padding="SAME"), np.array([3, 2, 7, 7], np.int32))
    same(reduce_window(x, "min", 2, padding="SAME"), np.array([-1, -1, 2, 7], np.int32))
    same(reduce_window(x > 0, "max", 2), np.array([True, True, True]))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda x: conv(x, np.ones((3, 2, 2))),
            ShapeError,
            r"channels must fit .* got \(1, 4, 3\) and \(3, 2, 2\)",
        ),
        (lambda x: conv(x, np.ones((3, 2))), ShapeError, r"as many axes .* got \(1, 4, 3\) and \(3, 2\)"),
        (
            lambda x: conv(x, np.ones((5, 3, 2))),
            ShapeError,
            r"the window \(5,\) must fit into the padded axes, got \(4,\)",
        ),
        (lambda x: conv(x, np.ones((3, 1, 2)), groups=3), ShapeError, r"must fit each other in 3 groups"),
        (
            lambda x: conv(x, np.ones((3, 3, 2)), strides=0),
            ValueError,
            r"conv: strides must be a positive integer",
        ),
        (lambda x: conv(x, np.ones((3, 3, 2)), dilation=(1, 1)), ValueError, r"or 1 of them, got \(1, 1\)"),
        (
            lambda x: conv(x, np.ones((3, 3, 2)), padding="FULL"),
            ValueError,
            r"padding must be .*, got 'FULL'",
        ),
        (
            lambda x: conv(x, np.ones((3, 3, 2)), padding=((1, 1),) * 2),
            ValueError,
            r"a pair for each of 1 axes",
        ),
        (
            lambda x: reduce_window(x, "mean", 2),
            ValueError,
            r"kind must be 'max', 'min' or 'sum', got 'mean'",
        ),
        (lambda x: reduce_window(x, "max", (1, 9, 1)), ShapeError, r"window \(1, 9, 1\) must fit"),
        (
            lambda x: reduce_window(x, "max", 1, padding=(0, -1, 0)),
            ValueError,
            r"padding must not be negative",
        ),
        (lambda x: np.convolve(x[0, :, 0], x[0, :, 0], "part"), ValueError, r"convolve: mode must be one of"),
        (lambda x: np.convolve(x[0], x[0]), ShapeError, r"must be sequences .* got \(4, 3\) and \(4, 3\)"),
        (
            lambda x: np.lib.stride_tricks.sliding_window_view(x, 9, axis=1),
            ShapeError,
            r"the window \(9,\) must fit into the axes, got \(1, 4, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_shown(call, error, text):
    with pytest.raises(error, match=text):
        vjp(call, np.ones((1, 4, 3)))
