import functools

import numpy as np
import pytest

from funcdl import functional
from tests.funcdl.functional.oracles import NO_TORCH, assert_same, by_torch, ours
from tests.funcdl.nn.laws import normal

IMAGES = normal(2, 7, 6, 3)


def pooled_by_torch(function, x, **options):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    function = getattr(torch.nn.functional, function)
    sign = options.pop("sign", 1)
    return by_torch(lambda x: sign * function((sign * x).movedim(-1, 1), **options).movedim(1, -1), x)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        ({"window": 2}, {"kernel_size": 2}),
        (
            {"window": (3, 2), "strides": (1, 2), "padding": (1, 0), "dilation": (2, 1)},
            {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0), "dilation": (2, 1)},
        ),
    ],
    ids=["plain", "options"],
)
def test_extremes_equal_torch(mine, theirs):
    got = ours(lambda x: functional.max_pool(x, **mine), IMAGES)
    assert_same(got, pooled_by_torch("max_pool2d", IMAGES, **theirs), "float32")
    got = ours(lambda x: functional.min_pool(x, **mine), IMAGES)
    assert_same(got, pooled_by_torch("max_pool2d", IMAGES, sign=-1, **theirs), "float32")


@pytest.mark.parametrize("count_padding", [False, True])
def test_average_equals_torch(count_padding):
    got = ours(
        lambda x: functional.average_pool(x, 3, strides=2, padding=1, count_padding=count_padding), IMAGES
    )
    expected = pooled_by_torch(
        "avg_pool2d", IMAGES, kernel_size=3, stride=2, padding=1, count_include_pad=count_padding
    )
    assert_same(got, expected, "float32")


@pytest.mark.parametrize("lengths", [(3, 3), (4, 5), (7, 1)])
@pytest.mark.parametrize(
    ("name", "theirs"), [("max", "adaptive_max_pool2d"), ("average", "adaptive_avg_pool2d")]
)
def test_adaptive_equals_torch(name, theirs, lengths):
    function = getattr(functional, f"adaptive_{name}_pool")
    got = ours(lambda x: function(x, lengths), IMAGES)
    assert_same(got, pooled_by_torch(theirs, IMAGES, output_size=lengths), "float32")


@pytest.mark.parametrize("shape", [(2, 7, 3), (2, 6, 5, 4, 3)], ids=["sequence", "volume"])
@pytest.mark.parametrize("name", ["max", "average", "adaptive_max", "adaptive_average"])
def test_sequences_and_volumes_equal_torch(name, shape):
    axes = len(shape) - 2
    theirs = name.replace("average", "avg")
    options = {"output_size": 3} if "adaptive" in name else {"kernel_size": 3, "stride": 2}
    strides = {} if "adaptive" in name else {"strides": 2}
    got = ours(lambda x: getattr(functional, f"{name}_pool")(x, 3, **strides), normal(*shape))
    assert_same(got, pooled_by_torch(f"{theirs}_pool{axes}d", normal(*shape), **options), "float32")


@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 5, 4, 3), (2, 2, 3, 4, 3)], ids=str)
def test_global_pools(shape):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    axes = tuple(range(1, len(shape) - 1))
    for mine, theirs in (
        (functional.global_max_pool, torch.amax),
        (functional.global_average_pool, torch.mean),
    ):
        got = ours(mine, normal(*shape))
        assert_same(got, by_torch(functools.partial(theirs, dim=axes), normal(*shape)), "float32")


def test_padding_does_not_count():
    x = -np.ones((1, 3, 3, 1), np.float32)
    for pool in (functional.max_pool, functional.min_pool, functional.average_pool):
        np.testing.assert_array_equal(pool(x, 2, padding="SAME"), -np.ones((1, 2, 2, 1)))


@pytest.mark.parametrize(
    ("window", "shown"), [(0, "0"), ((2, 2, 2), r"\(2, 2, 2\)"), ((2.0, 1), r"\(2.0, 1\)")]
)
def test_windows_that_do_not_fit(window, shown):
    text = rf"max_pool: window must be a positive integer or 2 of them, one a spatial axis, got {shown}"
    with pytest.raises(ValueError, match=text):
        functional.max_pool(IMAGES, window)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"padding": "same"},
            "max_pool: padding must be 'VALID', 'SAME' or a pair for each spatial axis, got 'same'",
        ),
        (
            {"padding": -1},
            "max_pool: padding must be a number of elements, or a pair for each of 2 spatial axes",
        ),
        (
            {"dilation": 50},
            r"max_pool: the window \(101, 101\) must fit into the spatial axes, got \(.*padding='SAME'",
        ),
    ],
)
def test_options_that_do_not_fit(options, text):
    with pytest.raises(ValueError, match=text):
        functional.max_pool(IMAGES, 3, **options)


def test_no_spatial_axis_is_refused():
    with pytest.raises(ValueError, match=r"global_average_pool: x must have the shape \(batch, \*spatial"):
        functional.global_average_pool(normal(2, 3))
