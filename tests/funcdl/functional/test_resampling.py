import numpy as np
import pytest

from funcdl import functional
from tests.funcdl.functional.oracles import NO_TORCH, assert_same, by_torch, ours
from tests.funcdl.nn.laws import normal

IMAGES = normal(2, 3, 4, 2)


@pytest.mark.parametrize(("method", "mode"), [("nearest", "nearest"), ("linear", "bilinear")])
def test_upsample_equals_torch(method, mode):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    got = ours(lambda x: functional.upsample(x, (2, 3), method=method), IMAGES)
    expected = by_torch(
        lambda x: torch.nn.functional.interpolate(x.movedim(-1, 1), scale_factor=(2, 3), mode=mode).movedim(
            1, -1
        ),
        IMAGES,
    )
    assert_same(got, expected, "float32")


@pytest.mark.parametrize(
    ("shape", "mode"), [((2, 5, 2), "linear"), ((1, 3, 2, 4, 2), "trilinear")], ids=["sequence", "volume"]
)
def test_upsample_of_other_ranks_equals_torch(shape, mode):
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    x, interpolate = normal(*shape), torch.nn.functional.interpolate
    for method, theirs in (("linear", mode), ("nearest", "nearest")):
        expected = by_torch(
            lambda x, theirs=theirs: interpolate(x.movedim(-1, 1), scale_factor=3, mode=theirs).movedim(
                1, -1
            ),
            x,
        )
        assert_same(ours(lambda x, m=method: functional.upsample(x, 3, method=m), x), expected, "float32")


def test_padding_and_cropping_equal_torch():
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    pad = torch.nn.functional.pad
    expected = by_torch(lambda x: pad(x, (0, 0, 3, 3, 1, 2)), IMAGES)
    assert_same(ours(lambda x: functional.zero_pad(x, ((1, 2), 3)), IMAGES), expected, "float32")
    expected = by_torch(lambda x: pad(x, (0, 0, 0, -2, -1, 0)), IMAGES)
    assert_same(ours(lambda x: functional.crop(x, ((1, 0), (0, 2))), IMAGES), expected, "float32")


def test_cropping_undoes_padding():
    padded = functional.zero_pad(IMAGES, ((1, 2), 3))
    assert padded.shape == (2, 6, 10, 2)
    np.testing.assert_allclose(padded.sum(), IMAGES.sum(), rtol=1e-4)
    np.testing.assert_array_equal(functional.crop(padded, ((1, 2), 3)), IMAGES)


@pytest.mark.parametrize("padding", [-1, (1,), ((1, 2, 3), 1), (0.5, 1)])
def test_borders_that_do_not_fit(padding):
    text = "zero_pad: padding must be a number of elements, or a pair for each of 2 spatial axes, got"
    with pytest.raises(ValueError, match=text):
        functional.zero_pad(IMAGES, padding)


def test_nothing_left_is_refused():
    with pytest.raises(ValueError, match=r"crop: cropping must leave something of shape \(2, 3, 4, 2\), got"):
        functional.crop(IMAGES, (2, 0))


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="upsample: method must be 'nearest' or 'linear', got 'cubic'"):
        functional.upsample(IMAGES, 2, method="cubic")
