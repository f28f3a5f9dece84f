import jax
import jax.numpy as jnp
import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import (
    assert_same,
    import_torch,
    ours,
    parameter_gradients,
    set_weights,
    value_and_gradients,
)
from tests.funcdl.nn.laws import normal
from transforms import grad, jit

KEY = random.key(0)
X, MEMORY = normal(2, 5, 8, seed=1), normal(2, 6, 8, seed=2)
MASK = np.array([[True, True, True, False, True], [True, False, True, True, True]])


def bias(key, shape, dtype):
    return random.normal(key, shape, dtype)


def torch_weights(params):
    """The weights of torch.nn.MultiheadAttention."""
    joined = [params[name] for name in ("query", "key", "value")]
    return {
        "in_proj_weight": np.concatenate([part["kernel"].T for part in joined]),
        "in_proj_bias": np.concatenate([part["bias"] for part in joined]),
        "out_proj__weight": params["output"]["kernel"].T,
        "out_proj__bias": params["output"]["bias"],
    }


@pytest.mark.parametrize("masked", [False, True], ids=["plain", "masked"])
@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_self_attention_equals_torch(causal, masked):
    torch = import_torch()
    layer = nn.self_attention(2, causal=causal, bias_init=bias)
    params, _ = layer.init(KEY, X)
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    set_weights(module, **torch_weights(params))
    hidden = torch.tensor(~MASK) if masked else None
    ahead = torch.tensor(~np.tri(5, dtype=bool)) if causal else None
    expected = value_and_gradients(
        lambda x: module(x, x, x, key_padding_mask=hidden, attn_mask=ahead, need_weights=False)[0], X
    )
    assert_same(ours(lambda x: layer(params, (x, MASK) if masked else x), X), expected)


def test_cross_attention_equals_torch():
    torch = import_torch()
    layer = nn.cross_attention(2, bias_init=bias)
    mask = np.asarray(normal(2, 5, 6, seed=3) > -1)
    params, _ = layer.init(KEY, (X, MEMORY))
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    set_weights(module, **torch_weights(params))
    hidden = torch.tensor(np.repeat(~mask, 2, axis=0))
    expected = value_and_gradients(lambda x, m: module(x, m, m, attn_mask=hidden)[0], X, MEMORY)
    assert_same(ours(lambda x, m: layer(params, (x, m, mask)), X, MEMORY), expected)


@pytest.mark.parametrize("across", [False, True], ids=["self", "cross"])
def test_dropout_of_weights_equals_jax(across):
    make = nn.cross_attention if across else nn.self_attention
    layer, memory = make(2, dropout=0.25), MEMORY if across else X
    given = (X, memory) if across else X
    params, state = layer.init(KEY, given)
    query, key, value = (
        jnp.moveaxis((x @ params[name]["kernel"]).reshape(2, -1, 2, 4), 1, 2)
        for name, x in (("query", X), ("key", memory), ("value", memory))
    )
    weights = jax.nn.softmax(query @ jnp.swapaxes(key, -1, -2) / 2, axis=-1)
    kept = jax.random.bernoulli(jax.random.PRNGKey(5), 0.75, (2, 2, 1, *weights.shape[2:]))[:, :, 0]
    y = jnp.moveaxis(jnp.where(kept, weights / 0.75, 0) @ value, 2, 1).reshape(X.shape)
    got, _ = layer.apply(params, state, given, key=random.key(5), training=True)
    np.testing.assert_allclose(got, y @ params["output"]["kernel"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(layer(params, given), make(2)(params, given))


@pytest.mark.parametrize("make", [nn.self_attention, nn.cross_attention])
def test_misuse_of_dropout(make):
    name = make.__name__
    with pytest.raises(ValueError, match=rf"^{name}: dropout must be in \[0, 1\), got 1.0"):
        make(2, dropout=1.0)
    layer, x = make(2, dropout=0.5), (X, MEMORY) if make is nn.cross_attention else X
    params, state = layer.init(KEY, x)
    with pytest.raises(ValueError, match=f"^{name}: key must be given while training, got None"):
        layer.apply(params, state, x, training=True)


def test_gradients_of_the_parameters_equal_torch():
    torch = import_torch()
    layer = nn.cross_attention(2, bias_init=bias)
    params, _ = layer.init(KEY, (X, MEMORY))
    module = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    set_weights(module, **torch_weights(params))
    x, memory = torch.tensor(X), torch.tensor(MEMORY)
    theirs = parameter_gradients(module, lambda: module(x, memory, memory)[0])
    grads = grad(lambda params: np.sum(np.square(layer(params, (X, MEMORY)))))(params)
    for name, mine in torch_weights(grads).items():
        np.testing.assert_allclose(mine, theirs[name.replace("__", ".")], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("rotary", [False, True])
def test_grouped_queries_equal_torch(rotary):
    torch = import_torch()
    layer = nn.self_attention(4, key_value_heads=2, causal=True, rotary=rotary, bias_init=bias)
    params, _ = layer.init(KEY, X)

    def turned(x):
        """Two features a head: a complex number each, which turns by one radian a place."""
        number = torch.view_as_complex(x) * torch.exp(1j * torch.arange(5))[:, None]
        return torch.view_as_real(number.to(torch.complex64))

    def theirs(x, *weights):
        q_kernel, q_bias, k_kernel, k_bias, v_kernel, v_bias, o_kernel, o_bias = weights
        q, k, v = (
            (x @ kernel + add).unflatten(-1, (-1, 2))
            for kernel, add in ((q_kernel, q_bias), (k_kernel, k_bias), (v_kernel, v_bias))
        )
        q, k = (turned(q), turned(k)) if rotary else (q, k)
        y = torch.nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=True
        )
        return y.transpose(1, 2).flatten(-2) @ o_kernel + o_bias

    names = ("query", "key", "value", "output")

    def mine(x, *weights):
        pairs = zip(weights[::2], weights[1::2], strict=True)
        parts = [{"kernel": kernel, "bias": add} for kernel, add in pairs]
        return layer(dict(zip(names, parts, strict=True)), x)

    arrays = (X, *(params[name][part] for name in names for part in ("kernel", "bias")))
    assert_same(ours(mine, *arrays), value_and_gradients(theirs, *arrays), 1e-3)


def test_grouped_queries_share_keys():
    layer = nn.self_attention(4, key_value_heads=2)
    params, _ = layer.init(KEY, X)
    assert params["key"]["kernel"].shape == params["value"]["kernel"].shape == (8, 4)
    repeated = {
        name: {
            "kernel": np.repeat(params[name]["kernel"].reshape(8, 2, 2), 2, axis=1).reshape(8, 8),
            "bias": np.zeros(8, np.float32),
        }
        for name in ("key", "value")
    }
    expected = nn.self_attention(4)({**params, **repeated}, X)
    np.testing.assert_allclose(layer(params, X), expected, rtol=1e-5, atol=1e-6)


def test_rotary_attention_does_not_depend_on_where_the_sequence_starts():
    layer = nn.self_attention(2, causal=True, rotary=True)
    params, _ = layer.init(KEY, X)
    padded = np.concatenate([np.zeros((2, 3, 8), np.float32), X], axis=1)
    mask = np.arange(8) >= np.full((2, 1), 3)
    np.testing.assert_allclose(layer(params, (padded, mask))[:, 3:], layer(params, X), rtol=1e-4, atol=1e-5)
    plain = nn.self_attention(2, causal=True)
    assert not np.allclose(plain(params, X), layer(params, X), atol=1e-3)


@pytest.mark.parametrize("wrap", [lambda f: f, jit], ids=["eager", "jit"])
@pytest.mark.parametrize("positions", [{}, {"rotary": True}, {"alibi": True}], ids="".join)
def test_generation_with_a_cache_equals_the_whole_sequence(positions, wrap):
    options = {"causal": True, "key_value_heads": 2, **positions}
    whole = nn.self_attention(4, **options)
    cached = nn.self_attention(4, cache_length=6, **options)
    params, state = cached.init(KEY, X)
    assert state["key"].shape == (2, 2, 1, 6, 2)
    step = wrap(lambda state, x: cached.apply(params, state, x))
    outs = []
    for part in (X[:, :2], X[:, 2:3], X[:, 3:4], X[:, 4:]):
        y, state = step(state, part)
        outs.append(y)
    np.testing.assert_allclose(np.concatenate(outs, 1), whole(params, X), rtol=1e-4, atol=1e-5)


def test_alibi_prefers_what_is_near():
    layer = nn.self_attention(2, alibi=True)
    params, _ = layer.init(KEY, X)
    alone = []
    for head, slope in enumerate([1 / 16, 1 / 256]):
        query, key, value = (
            X @ params[name]["kernel"][:, 4 * head : 4 * head + 4] for name in ("query", "key", "value")
        )
        distance = np.abs(np.arange(5)[:, None] - np.arange(5))
        weights = np.exp(query @ np.swapaxes(key, 1, 2) / 2 - slope * distance)
        alone.append(weights / weights.sum(-1, keepdims=True) @ value)
    expected = np.concatenate(alone, axis=-1) @ params["output"]["kernel"]
    np.testing.assert_allclose(layer(params, X), expected, rtol=1e-4, atol=1e-5)


def test_a_full_cache_is_refused():
    layer = nn.self_attention(2, causal=True, cache_length=6)
    params, state = layer.init(KEY, X)
    _, state = layer.apply(params, state, X)
    with pytest.raises(ValueError, match="the sequence must be no longer than the cache, 6, got 10"):
        layer.apply(params, state, X)


def test_position_embedding_adds():
    layer = nn.position_embedding(7)
    params, _ = layer.init(KEY, X)
    np.testing.assert_array_equal(layer(params, X), X + params["embedding"][:5])
    with pytest.raises(ValueError, match=r"position_embedding: x must be no longer than 7"):
        layer(params, normal(2, 8, 8))


def test_misuse():
    with pytest.raises(ValueError, match="self_attention: heads must be a multiple of the 3 of keys, got 4"):
        nn.self_attention(4, key_value_heads=3)
    with pytest.raises(ValueError, match="causal must be True where there is a cache, got False"):
        nn.self_attention(4, cache_length=3)
    with pytest.raises(ValueError, match="the features of x must be a multiple of 3 heads, got 8"):
        nn.self_attention(3).init(KEY, X)
    layer = nn.self_attention(2)
    params, _ = layer.init(KEY, X)
    with pytest.raises(ValueError, match=r"mask must hold booleans \(batch, places\) or .*, got float32"):
        layer(params, (X, MASK.astype(np.float32)))
    with pytest.raises(TypeError, match=r"the input must be x or \(x, mask\), got a tuple of len"):
        layer(params, (X, X, MASK))
    with pytest.raises(TypeError, match=r"the input must be \(x, memory\) or .*, got a ndarray"):
        nn.cross_attention(2).init(KEY, X)
