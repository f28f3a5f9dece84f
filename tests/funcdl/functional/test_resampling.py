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
