"""Reductions that leave NaN out: values as NumPy's, derivatives as those of the numbers alone."""

import numpy as np
import pytest

from tests.transforms.laws import Case, check, parametrize
from transforms import check_grads, grad, vjp, vmap

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.3]])
NAN = np.array([[0.5, np.nan, 2.0, 1.0], [1.5, 0.75, np.nan, 0.2]])

NAMES = ["nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian"]

CASES = [
    *(Case(name, lambda xp, x, name=name: getattr(xp, name)(x, axis=1), (X,)) for name in NAMES),
    *(
        Case(
            f"{name} with keepdims",
            lambda xp, x, name=name: getattr(xp, name)(x, axis=0, keepdims=True),
            (X,),
            oracle="asked without keepdims",
        )
        for name in NAMES
    ),
    Case("nanvar with ddof", lambda xp, x: xp.nanvar(x, axis=1, ddof=1), (X,)),
    Case("nanstd of all", lambda xp, x: xp.nanstd(x, ddof=1), (X,)),
    Case("nansum with an initial value", lambda xp, x: xp.nansum(x, initial=2.0), (X,)),
    Case("nanprod with an initial value", lambda xp, x: xp.nanprod(x, initial=2.0), (X,)),
    Case("nanmax with an initial value", lambda xp, x: xp.nanmax(x, axis=0, initial=1.0), (X,)),
    Case(
        "nanquantile",
        lambda xp, x: xp.nanquantile(x, np.array([0.2, 0.7]), axis=1),
        (X,),
        single="q is float64",
    ),
    Case("nanpercentile", lambda xp, x: xp.nanpercentile(x, 30.0), (X,)),
    Case("nanargmax", lambda xp, x: xp.nanargmax(x, axis=1), (X,), order=0),
    Case("nanargmin", lambda xp, x: xp.nanargmin(x), (X,), order=0),
    Case("nanmax of integers", lambda xp, n: xp.nanmax(n), (np.arange(3),), order=0),
]


@parametrize(CASES)
def test_laws(case: Case) -> None:
    check(case)


@pytest.mark.parametrize("name", [*NAMES, "nanargmax", "nanargmin"])
@pytest.mark.parametrize("axis", [None, 0, 1])
def test_values_with_nan(name: str, axis: int | None) -> None:
    function = getattr(np, name)
    expected = function(NAN, axis=axis)
    np.testing.assert_allclose(vjp(lambda x: function(x, axis=axis), NAN)[0], expected, rtol=1e-14)
    np.testing.assert_allclose(vmap(lambda x: function(x, axis=axis))(NAN[None])[0], expected, rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_with_nan_are_those_of_the_numbers(name: str) -> None:
    function = getattr(np, name)
    numbers = ~np.isnan(NAN[0])
    expected = np.zeros(4)
    expected[numbers] = grad(function)(NAN[0][numbers])
    np.testing.assert_allclose(grad(function)(NAN[0]), expected, rtol=1e-14)
    check_grads(lambda x: function(np.where(numbers, x, np.nan)), (np.array([1.5, 0.75, 0.0, 0.2]),), order=2)


@pytest.mark.parametrize("q", [0.25, np.array([[0.0, 1.0], [0.4, 0.9]])])
def test_quantiles_with_nan(q) -> None:
    for axis in (None, 0, 1):
        np.testing.assert_allclose(
            vjp(lambda x, axis=axis: np.nanquantile(x, q, axis=axis), NAN)[0],
            np.nanquantile(NAN, q, axis=axis),
            rtol=1e-14,
        )


def test_slices_without_a_number() -> None:
    x = np.array([[np.nan, np.nan], [1.0, np.nan]])
    for function in (np.nanmax, np.nanmin, np.nanmedian):
        np.testing.assert_array_equal(
            vjp(lambda x, function=function: function(x, axis=1), x)[0], [np.nan, 1]
        )
    with pytest.raises(ValueError, match=r"numpy\.nanargmax: each slice must have a number"):
        vjp(lambda x: np.nanargmax(x, axis=1), x)


def test_ties_share() -> None:
    np.testing.assert_array_equal(grad(np.nanmax)(np.array([2.0, np.nan, 2.0, 1.0])), [0.5, 0, 0.5, 0])
