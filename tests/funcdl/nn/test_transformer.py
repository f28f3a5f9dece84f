import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.by_torch import assert_same, import_torch, ours, set_weights, value_and_gradients
from tests.funcdl.nn.laws import normal
from tests.funcdl.nn.test_attention import MASK, MEMORY, X, bias, torch_weights
from transforms import grad, tree

KEY = random.key(0)


def block_weights(params, parts):
    """The weights of a block of torch.nn, whose attentions and norms have the names given."""
    weights = {}
    for index, (name, theirs) in enumerate(parts.items(), start=1):
        norm = params[f"{name}_norm"]
        weights |= {f"norm{index}__weight": norm["scale"], f"norm{index}__bias": norm["bias"]}
        if theirs:
            weights |= {f"{theirs}__{key}": value for key, value in torch_weights(params[name]).items()}
    first, _, _, second = params["feed_forward"]
    for name, part in (("linear1", first), ("linear2", second)):
        weights |= {f"{name}__weight": part["kernel"].T, f"{name}__bias": part["bias"]}
    return weights


@pytest.mark.parametrize("norm_first", [True, False])
def test_encoder_block_equals_torch(norm_first):
    torch = import_torch()
    layer = nn.encoder_block(
        nn.self_attention(2, bias_init=bias), 16, activation=nn.relu, norm_first=norm_first
    )
    params, _ = layer.init(KEY, X)
    module = torch.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=norm_first)
    set_weights(module, **block_weights(params, {"attention": "self_attn", "feed_forward": None}))
    expected = value_and_gradients(lambda x: module(x, src_key_padding_mask=torch.tensor(~MASK)), X)
    assert_same(ours(lambda x: layer(params, (x, MASK))[0], X), expected)


@pytest.mark.parametrize("norm_first", [True, False])
def test_decoder_block_equals_torch(norm_first):
    torch = import_torch()
    layer = nn.decoder_block(
        nn.self_attention(2, causal=True, bias_init=bias),
        nn.cross_attention(2, bias_init=bias),
        16,
        activation=nn.relu,
        norm_first=norm_first,
    )
    params, _ = layer.init(KEY, (X, MEMORY))
    module = torch.nn.TransformerDecoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=norm_first)
    parts = {"attention": "self_attn", "cross_attention": "multihead_attn", "feed_forward": None}
    set_weights(module, **block_weights(params, parts))
    ahead = torch.tensor(~np.tri(5, dtype=bool))
    expected = value_and_gradients(lambda x, m: module(x, m, tgt_mask=ahead), X, MEMORY)
    assert_same(ours(lambda x, m: layer(params, (x, m))[0], X, MEMORY), expected)


def test_blocks_stand_one_after_the_other():
    model = nn.serial(*(nn.encoder_block(nn.self_attention(2), 16) for _ in range(2)))
    params, _ = model.init(KEY, (X, MASK))
    y, mask = model(params, (X, MASK))
    assert (y.shape, mask is MASK) == (X.shape, True)
    grads = grad(lambda params: np.sum(np.square(model(params, (X, MASK))[0])))(params)
    # A bias of the keys shifts all products of a query alike.
    dead = [p for p, g in zip(tree.paths(grads), tree.leaves(grads), strict=True) if np.all(np.abs(g) < 1e-4)]
    assert dead == ["0/attention/key/bias", "1/attention/key/bias"]


def test_generation_with_a_cache():
    def make(cache_length=None):
        attention = nn.self_attention(2, causal=True, rotary=True, cache_length=cache_length)
        return nn.serial(nn.encoder_block(attention, 16), nn.encoder_block(attention, 16))

    model, twin = make(), make(cache_length=5)
    params, state = twin.init(KEY, X)
    outs = []
    for place in range(5):
        y, state = twin.apply(params, state, X[:, place : place + 1])
        outs.append(y)
    np.testing.assert_allclose(np.concatenate(outs, 1), model(params, X), rtol=1e-4, atol=1e-5)


def test_dropout_needs_a_key_and_is_drawn_in_each_place():
    layer = nn.encoder_block(nn.self_attention(2), 16, dropout=0.5)
    params, _ = layer.init(KEY, X)
    with pytest.raises(ValueError, match=r"key must be given while training"):
        layer.apply(params, (), X, training=True)
    y, _ = layer.apply(params, (), X, key=KEY, training=True)
    again, _ = layer.apply(params, (), X, key=random.key(1), training=True)
    assert not np.allclose(y, again)


@pytest.mark.parametrize("name", ["encoder_block", "decoder_block"])
def test_without_dropout_training_needs_no_key(name):
    attend = nn.self_attention(2)
    if name == "encoder_block":
        layer, x = nn.encoder_block(attend, 16), X
    else:
        layer, x = nn.decoder_block(attend, nn.cross_attention(2), 16), (X, MEMORY)
    params, state = layer.init(KEY, x)
    trained, _ = layer.apply(params, state, x, training=True)
    tree.map(np.testing.assert_array_equal, trained, layer(params, x))


def test_errors_name_the_part():
    layer = nn.serial(nn.encoder_block(nn.self_attention(3), 16))
    text = r"^serial/0 \(encoder_block\)/attention \(self_attention\): the features of x must be a multiple"
    with pytest.raises(ValueError, match=text):
        layer.init(KEY, normal(2, 5, 8))
