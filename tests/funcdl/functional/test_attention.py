import jax.numpy as jnp
import numpy as np
import pytest

from funcdl import functional
from tests.funcdl.functional import oracles
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, value_and_gradients
from tests.funcdl.nn.laws import normal
from transforms import grad

Q, K, V = normal(2, 3, 5, 4, seed=1), normal(2, 3, 6, 4, seed=2), normal(2, 3, 6, 7, seed=3)
MASK = np.asarray(normal(2, 1, 5, 6, seed=4) > -0.5)


@pytest.mark.parametrize(
    "options",
    [{}, {"mask": MASK}, {"bias": normal(3, 5, 6)}, {"scale": 2.0}],
    ids=lambda options: "".join(options) or "plain",
)
def test_equals_torch(options):
    torch = import_torch()
    theirs = {name: torch.tensor(x) for name, x in options.items() if isinstance(x, np.ndarray)}
    given = theirs.get("mask", theirs.get("bias"))
    f = torch.nn.functional.scaled_dot_product_attention
    expected = value_and_gradients(
        lambda q, k, v: f(q, k, v, attn_mask=given, scale=options.get("scale")), Q, K, V
    )
    assert_same(ours(lambda q, k, v: functional.attention(q, k, v, **options), Q, K, V), expected)


@pytest.mark.parametrize("masked", [False, True])
def test_additive_equals_torch(masked):
    torch = import_torch()
    scale, mask = normal(4, seed=5), MASK if masked else None

    def theirs(q, k, v, scale):
        scores = (scale * torch.tanh(q.unsqueeze(-2) + k.unsqueeze(-3))).sum(-1)
        scores = scores.masked_fill(~torch.tensor(MASK), -torch.inf) if masked else scores
        return torch.einsum("...ij,...jo->...io", scores.softmax(-1), v)

    expected = value_and_gradients(theirs, Q, K, V, scale)
    got = ours(lambda q, k, v, s: functional.additive_attention(q, k, v, s, mask=mask), Q, K, V, scale)
    assert_same(got, expected)


def test_weights_are_what_values_are_averaged_by():
    bias = normal(3, 5, 6)
    weights = functional.attention_weights(Q, K, mask=MASK, bias=bias, scale=0.3)
    scores = np.where(MASK, 0.3 * np.einsum("bhif,bhjf->bhij", Q, K) + bias, -np.inf)
    expected = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)
    y = functional.attention(Q, K, V, mask=MASK, bias=bias, scale=0.3)
    np.testing.assert_allclose(weights @ V, y, rtol=1e-5, atol=1e-6)


def test_causal_equals_torch():
    torch = import_torch()
    f = torch.nn.functional.scaled_dot_product_attention
    expected = value_and_gradients(lambda q: f(q, q, q, is_causal=True), Q)
    assert_same(ours(lambda q: functional.attention(q, q, q, causal=True), Q), expected)


def test_the_last_query_sees_all_keys():
    whole = functional.attention(K, K, V, causal=True)
    last = functional.attention(K[..., -2:, :], K, V, causal=True)
    np.testing.assert_allclose(last, whole[..., -2:, :], rtol=1e-5, atol=1e-6)


def test_a_query_that_sees_nothing_gives_zeros():
    mask = np.zeros((5, 6), bool)
    np.testing.assert_array_equal(functional.attention(Q, K, V, mask=mask), np.zeros((2, 3, 5, 7)))
    slopes = grad(lambda q: np.sum(functional.attention(q, K, V, mask=mask)))(Q)
    np.testing.assert_array_equal(slopes, np.zeros_like(Q))


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"attention: query, key and value must have the shapes .* got"):
        functional.attention(Q, K[..., :3], V)
    with pytest.raises(ValueError, match="additive_attention: query, key, value and scale must have the"):
        functional.additive_attention(Q, K, V, np.ones(3))


@pytest.mark.parametrize(
    ("heads", "slopes"),
    [
        (8, [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 32, 1 / 64, 1 / 128, 1 / 256]),
        # For 3 heads: those of 2, and the first of those of 4.
        (3, [1 / 16, 1 / 256, 1 / 4]),
    ],
)
def test_alibi(heads, slopes):
    bias = functional.alibi_bias(heads, np.array([2, 3]), np.arange(4))
    assert (bias.dtype, bias.shape) == (np.float32, (heads, 2, 4))
    for head, slope in enumerate(slopes):
        np.testing.assert_allclose(bias[head], -slope * np.array([[2, 1, 0, 1], [3, 2, 1, 0]]))


def test_rotary_turns_complex_numbers():
    x = normal(2, 5, 6)
    numbers = x[..., :3] + 1j * x[..., 3:]
    turned = numbers * np.exp(1j * np.arange(5)[:, None] * 100.0 ** (-np.arange(3) / 3))
    got = functional.rotary(x, base=100.0)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.concatenate([turned.real, turned.imag], -1), rtol=1e-5, atol=1e-6)


def test_rotary_equals_jax_with_complex_numbers():
    x = normal(2, 5, 6)

    def theirs(x):
        turned = (x[..., :3] + 1j * x[..., 3:]) * jnp.exp(
            1j * jnp.arange(5)[:, None] * 100.0 ** (-jnp.arange(3) / 3)
        )
        return jnp.concatenate([turned.real, turned.imag], -1)

    got = oracles.ours(lambda x: functional.rotary(x, base=100.0), x)
    for mine, other in zip(got, oracles.by_jax(theirs, x), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-6)


def test_rotary_products_depend_on_the_difference_of_positions():
    q, k = normal(1, 8, seed=1), normal(1, 8, seed=2)
    products = [
        functional.rotary(q, np.array([p])) @ functional.rotary(k, np.array([p + 3])).T for p in (0, 5, 100)
    ]
    np.testing.assert_allclose(products, [products[0]] * 3, rtol=1e-4, atol=1e-5)


def test_sinusoidal_positions():
    got = functional.sinusoidal_positions(4, 6)
    for position in range(4):
        for i in range(3):
            angle = position / 10000 ** (2 * i / 6)
            np.testing.assert_allclose(
                got[position, 2 * i : 2 * i + 2], [np.sin(angle), np.cos(angle)], rtol=1e-5
            )


def test_odd_features_are_refused():
    with pytest.raises(ValueError, match="rotary: the number of features must be even, got 3"):
        functional.rotary(normal(2, 3))
