import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import vjp

RNG = np.random.default_rng(0)


def real(*shape):
    return RNG.standard_normal(shape)


def compound(*shape):
    return real(*shape) + 1j * real(*shape)


NORMS = ["backward", "ortho", "forward"]

CASES = [
    *(Case(f"fft_{n}", lambda xp, x, n=n: xp.fft.fft(x, norm=n), (compound(2, 5),)) for n in NORMS),
    *(Case(f"ifft_{n}", lambda xp, x, n=n: xp.fft.ifft(x, norm=n), (compound(4, 2),)) for n in NORMS),
    *(Case(f"rfft_{n}", lambda xp, x, n=n: xp.fft.rfft(x, norm=n), (real(5),)) for n in NORMS),
    *(Case(f"irfft_{n}", lambda xp, x, n=n: xp.fft.irfft(x, norm=n), (compound(4),)) for n in NORMS),
    *(Case(f"hfft_{n}", lambda xp, x, n=n: xp.fft.hfft(x, norm=n), (compound(4),)) for n in NORMS),
    *(Case(f"ihfft_{n}", lambda xp, x, n=n: xp.fft.ihfft(x, norm=n), (real(6),)) for n in NORMS),
    Case("fft_of_real", lambda xp, x: xp.fft.fft(x, axis=0), (real(3, 2),)),
    Case("fft_cut", lambda xp, x: xp.fft.fft(x, 3, axis=0), (compound(5, 2),)),
    Case("fft_filled", lambda xp, x: xp.fft.fft(x, 6), (compound(2, 4),)),
    Case("rfft_even", lambda xp, x: xp.fft.rfft(x, axis=0), (real(4, 2),)),
    Case("rfft_filled", lambda xp, x: xp.fft.rfft(x, 7), (real(4),)),
    Case("rfft_of_one", lambda xp, x: xp.fft.rfft(x), (real(2, 1),)),
    Case("irfft_odd", lambda xp, x: xp.fft.irfft(x, 5), (compound(3),)),
    Case("irfft_cut", lambda xp, x: xp.fft.irfft(x, 4), (compound(6),)),
    Case("irfft_filled", lambda xp, x: xp.fft.irfft(x, 9, axis=0), (compound(3, 2),)),
    Case("irfft_of_real", lambda xp, x: xp.fft.irfft(x), (real(4),)),
    Case("fft2", lambda xp, x: xp.fft.fft2(x), (compound(2, 3, 4),)),
    Case("ifft2", lambda xp, x: xp.fft.ifft2(x, axes=(0, 1)), (compound(2, 3, 2),)),
    Case("rfft2", lambda xp, x: xp.fft.rfft2(x), (real(3, 4),)),
    Case("irfft2", lambda xp, x: xp.fft.irfft2(x), (compound(3, 3),)),
    Case("fftn", lambda xp, x: xp.fft.fftn(x), (compound(2, 3, 2),)),
    Case("ifftn", lambda xp, x: xp.fft.ifftn(x, s=(3, 2), axes=(0, 2)), (compound(2, 3, 2),)),
    Case("rfftn", lambda xp, x: xp.fft.rfftn(x, axes=(2, 0), norm="ortho"), (real(4, 2, 3),)),
    Case("irfftn", lambda xp, x: xp.fft.irfftn(x, s=(2, 3), axes=(0, 1)), (compound(2, 3, 2),)),
    Case("fftshift", lambda xp, x: xp.fft.fftshift(x), (real(3, 4),)),
    Case("ifftshift", lambda xp, x: xp.fft.ifftshift(x, axes=1), (real(2, 5),)),
]


@parametrize(CASES)
def test_laws(case):
    check(case)


@pytest.mark.parametrize("function", [np.fft.fft, np.fft.irfft, np.fft.hfft])
def test_unknown_norms_are_named(function):
    with pytest.raises(ValueError, match=r"norm must be 'backward', 'ortho' or 'forward', got 'unit'"):
        vjp(lambda x: function(x, norm="unit"), real(4))


def test_lengths_are_positive():
    with pytest.raises(ValueError, match=r"fft.fft: the lengths of the axes must be positive, got \[0\]"):
        vjp(lambda x: np.fft.fft(x, 0), real(4))
