"""What a known mask hides is left out of products, and changes nothing: also not NaN, nor infinities."""

import itertools
import re

import numpy as np
import pytest

from transforms import get_threads, grad, jit, set_threads, tree

RNG = np.random.default_rng(0)
LOWEST = float(np.finfo(np.float32).min)


def real(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def attention(mask):
    """Return the attention behind a mask."""

    def attend(query, key, value):
        scores = np.where(mask, query @ key.mT / 8, LOWEST)
        weights = np.exp(scores - np.max(scores, axis=-1, keepdims=True))
        return np.where(mask, weights / np.sum(weights, axis=-1, keepdims=True), 0) @ value

    return attend


def loss(attend):
    return lambda *args: np.sum(np.sin(attend(*args)))


def near(f, *args):
    """Return the diagonals that the contractions of a program keep to."""
    found = re.findall(r"(\w+) from (-?\d+) to (-?\d+) of the", jit(f, backend="llvm").lower(*args).source())
    return [(word, int(first), int(last)) for word, first, last in found]


def check(f, *args, tolerance=1e-5):
    """Compare the results with those of NumPy in float64; where all are small, so are the errors."""
    with np.errstate(invalid="ignore"):
        expected = f(*(x.astype(np.float64) if x.dtype == np.float32 else x for x in args))
        results = jit(f, backend="llvm")(*args)
    for got, exact in zip(tree.leaves(results), tree.leaves(expected), strict=True):
        largest = np.max(np.abs(exact), where=np.isfinite(exact), initial=0)
        least = min(tolerance, tolerance * largest)
        np.testing.assert_allclose(got, exact, rtol=tolerance, atol=least)


@pytest.mark.parametrize(("length", "memory"), [(48, 48), (97, 97), (131, 200), (200, 131), (1024, 1024)])
def test_causal_attention_leaves_out_what_is_ahead(length, memory):
    f = attention(np.tri(length, memory, memory - length, dtype=bool))
    args = real(3, length, 20), real(3, memory, 20), real(3, memory, 17)
    assert [(word, last) for word, _, last in near(f, *args)] == [
        ("wanted", memory - length),
        ("nonzero", memory - length),
    ]
    check(f, *args)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("length", [50, 191, 600])
def test_gradients_of_causal_attention_are_those_of_pytorch(length, dtype):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, which is not installed")
    args = [real(2, 2, length, 16, dtype=dtype) for _ in range(3)]
    f = grad(loss(attention(np.tri(length, dtype=bool))), (0, 1, 2))
    assert len(near(f, *args)) == 6  # those of the pullback are on either side of the diagonal
    wide = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in args]
    attend = torch.nn.functional.scaled_dot_product_attention
    torch.sum(torch.sin(attend(*wide, is_causal=True, scale=1 / 8))).backward()
    for got, x in zip(jit(f, backend="llvm")(*args), wide, strict=True):
        exact = x.grad.numpy()
        assert got.dtype == dtype
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(got, exact, rtol=0, atol=tolerance * np.abs(exact).max())


NOT_FINITE = (np.nan, np.inf, -np.inf)


def test_zeros_times_infinity_are_nan_as_in_numpy():
    """A weight of zero does not hide what is not finite in a value."""
    f = attention(np.tri(600, dtype=bool))
    query, key, value = (real(2, 600, 24) for _ in range(3))
    for place, bad in itertools.product((0, 70, 199, 599), NOT_FINITE):
        changed = value.copy()
        changed[1, place, 5] = bad
        with np.errstate(invalid="ignore"):
            assert np.isnan(f(query, key, changed)).sum() >= place
        check(f, query, key, changed)


def test_scores_that_are_hidden_may_be_anything():
    f = attention(np.tri(200, dtype=bool))
    query, key, value = (real(2, 200, 24) for _ in range(3))
    for bad in NOT_FINITE:
        key[0, 150] = bad
        assert np.isfinite(jit(f, backend="llvm")(query, key, value)[:, :150]).all()
        check(f, query, key, value)


def test_gradients_have_nan_where_numpy_has():
    f = grad(loss(attention(np.tri(200, dtype=bool))), (0, 1, 2))
    args = [real(2, 200, 24) for _ in range(3)]
    args[2][1, 90, 5] = np.inf
    args[0][0, 30, 2] = np.nan
    with np.errstate(invalid="ignore"):
        expected = f(*args)
        found = jit(f, backend="llvm")(*args)
    for got, exact in zip(found, expected, strict=True):
        assert 0 < np.isnan(exact).sum() < exact.size
        np.testing.assert_array_equal(np.isnan(got), np.isnan(exact))


def test_results_do_not_depend_on_the_number_of_threads():
    f = grad(loss(attention(np.tri(300, dtype=bool))), (0, 1, 2))
    args = [real(4, 300, 32) for _ in range(3)]
    before = get_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            set_threads(threads)
            results.append(jit(f, backend="llvm")(*args))
    finally:
        set_threads(before)
    for other in results[1:]:
        for x, y in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(x, y)


SQUARE = np.arange(150)[:, None] - np.arange(150)

MASKS = {
    "behind": (SQUARE <= 0, 2),
    "strictly ahead": (SQUARE > 0, 2),
    "window": (np.abs(SQUARE) <= 9, 2),
    "few behind": ((SQUARE >= 3) & (SQUARE < 40), 2),
    "blocks": (np.arange(150)[:, None] // 10 >= np.arange(150) // 10, 2),
    "one row in sight": (np.arange(150)[:, None] + 0 * SQUARE == 3, 2),
    "all": (SQUARE < 1000, 0),
    "none": (SQUARE > 1000, 0),
    "scattered": (RNG.random((150, 150)) < 0.3, 0),
    "for each head": (np.stack([SQUARE >= 0, SQUARE <= 0]), 0),
}


@pytest.mark.parametrize("name", MASKS)
def test_masks_of_many_kinds(name):
    mask, count = MASKS[name]
    args = [real(2, 150, 20) for _ in range(3)]
    assert len(near(attention(mask), *args)) == count
    check(attention(mask), *args)
    check(lambda *args: grad(loss(attention(mask)))(*args), *args, tolerance=1e-4)


def test_a_mask_that_comes_with_the_arguments_may_hide_more():
    mask, ahead = np.tri(150, dtype=bool), SQUARE < 0

    def both(query, key, value, seen):
        return attention(mask & seen)(query, key, value)

    def either(query, key, value, unseen):
        scores = np.where(unseen | ahead, LOWEST, query @ key.mT)
        return np.where(np.logical_not(unseen | ahead), np.tanh(scores / 50), 0) @ value

    args = [real(2, 150, 20) for _ in range(3)] + [RNG.random((2, 1, 150)) < 0.8]
    for f in (both, either):
        assert near(f, *args)[0] == ("wanted", -149, 0)
        check(f, *args)


def test_elements_that_something_else_reads_are_computed():
    mask = np.tri(100, dtype=bool)

    def copied(x, y):
        product = x @ y
        return np.concatenate([product, np.where(mask, product, 0)])

    def chosen_otherwise(x, y):
        product = x @ y
        return np.where(mask, product, -product)

    def summed(x, y):
        product = x @ y
        return np.where(mask, product, 1) + np.sum(product, axis=1, keepdims=True)

    def multiplied(x, y):
        product = x @ y
        return np.where(mask, product, 1) @ product

    def filled(x, y):
        return np.where(mask, x[:, :1] + y[:1], 1) @ y.T

    for f in (copied, chosen_otherwise, summed, multiplied, filled):
        inner = 100 if f is filled else 30
        args = real(100, inner, dtype=np.float64), real(inner, 100, dtype=np.float64)
        assert near(f, *args) == []
        check(f, *args, tolerance=1e-12)


def test_results_have_all_their_elements():
    mask, args = np.tri(100, dtype=bool), (real(100, 30), real(30, 100))

    def f(x, y):
        product = x @ y
        return np.where(mask, product, 0), product

    assert near(f, *args) == []
    check(f, *args, tolerance=1e-4)


def test_one_choice_behind_another_hides_more():
    def f(x, y):
        return np.where(SQUARE >= 0, np.where(SQUARE < 9, x @ y, 1.0), 2.0)

    args = real(150, 30), real(30, 150)
    assert near(f, *args) == [("wanted", -8, 0)]
    check(f, *args)


def test_a_product_of_few_rows_is_divided_by_columns_all_the_same():
    args = real(64, 512), real(512, 1024)
    mask = np.tri(64, 1024, 700, dtype=bool)
    check(lambda x, y: np.where(mask, x @ y, 1), *args, tolerance=1e-4)
    check(lambda x, y: np.where(mask, 1, x @ y), *args, tolerance=1e-4)


def test_what_is_computed_with_a_product_before_the_choice_is_hidden_as_well():
    mask = np.tri(100, dtype=bool)

    def f(x, y, bias):
        return np.where(mask, np.tanh(x @ y + bias), 2.0)

    args = real(100, 30), real(30, 100), real(100)
    assert near(f, *args) == [("wanted", -99, 0)]
    check(f, *args)
    check(lambda *args: f(*args).T, *args)


def test_a_triangular_matrix_times_a_matrix():
    mask = np.tri(130, dtype=bool)

    def lower(x, y):
        return np.where(mask, x, 0) @ y

    def upper(x, y):
        return np.where(mask, x, 0).T @ y

    def right(x, y):
        return y.T @ np.where(mask, x, 0)

    args = real(130, 130), real(130, 70)
    assert near(lower, *args) == [("nonzero", -129, 0)]
    assert near(upper, *args) == [("nonzero", 0, 129)]
    for f in (lower, upper, right):
        check(f, *args)
        args[1][7, 3], args[1][120, 60] = np.inf, np.nan
        check(f, *args)
