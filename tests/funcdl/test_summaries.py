"""The table has the layers, and its numbers are those of PyTorch and of sums by hand."""

import numpy as np
import pytest

from funcdl import nn, random, summary
from tests.funcdl.nn.by_torch import import_torch
from transforms import ArrayType, tree

X = np.ones((2, 8, 8, 3), np.float32)


def lines(model, x):
    return {line.path: line for line in summary(model, x).layers}


def test_a_convolutional_network():
    torch = import_torch()
    model = nn.serial(nn.conv(4, (3, 3)), nn.batch_norm(), nn.relu, nn.max_pool(2), nn.flatten, nn.dense(5))
    found = lines(model, X)
    names = ["serial", "conv", "batch_norm", "relu", "max_pool", "flatten", "dense"]
    assert [line.name for line in found.values()] == names
    assert list(found) == ["", "0", "1", "2", "3", "4", "5"]
    shapes = [(2, 5), (2, 8, 8, 4), (2, 8, 8, 4), (2, 8, 8, 4), (2, 4, 4, 4), (2, 64), (2, 5)]
    assert [line.output for line in found.values()] == [ArrayType(shape, "float32") for shape in shapes]
    theirs = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(64, 5),
    )  # fmt: skip
    expected = [sum(p.numel() for p in module.parameters()) for module in (theirs, *theirs)]
    assert [line.parameters for line in found.values()] == expected
    # The averages of batch_norm are no parameters, but take place: two for each of four channels.
    assert [line.bytes for line in found.values()] == [
        4 * (count + 8 * (line.path in ("", "1")))
        for count, line in zip(expected, found.values(), strict=True)
    ]
    pixels = 2 * 8 * 8 * 4
    assert found["0"].flops == pixels * (2 * 27 + 1)
    assert found["2"].flops == pixels
    assert found["3"].flops == pixels
    assert found["5"].flops == 2 * (2 * 64 * 5 + 5)
    assert found[""].flops == sum(line.flops for path, line in found.items() if path)


def test_the_numbers_are_those_of_what_init_gives():
    x = np.zeros((2, 5), np.int64)
    block = nn.encoder_block(nn.self_attention(2, causal=True), 16)
    model = nn.serial(nn.embedding(11, 8), nn.repeat(block, 3), nn.spectral_norm(nn.dense(11)))
    params, state = model.init(random.key(0), x)
    whole = summary(model, x).layers[0]
    assert whole.parameters == sum(leaf.size for leaf in tree.leaves(params))
    assert whole.bytes == sum(leaf.nbytes for leaf in tree.leaves((params, state)))


def test_nested_layers_have_paths():
    x = ArrayType((4, 5, 8), "float32")
    block = nn.residual(nn.serial(nn.dense(8), nn.tanh), nn.dense(8, use_bias=False))
    model = nn.serial(
        nn.repeat(block, 3),
        nn.encoder_block(nn.self_attention(2), 16),
        nn.weight_norm(nn.dense(4)),
        nn.branch(nn.drop_connect(nn.dense(2), 0.5), nn.lora(nn.dense(3), 2)),
    )
    found = lines(model, x)
    assert {path: line.name for path, line in found.items()} == {
        "": "serial",
        "0": "repeat",
        "0/layer": "residual",
        "0/layer/layer": "serial",
        "0/layer/layer/0": "dense",
        "0/layer/layer/1": "tanh",
        "0/layer/shortcut": "dense",
        "1": "encoder_block",
        "1/attention": "self_attention",
        "1/feed_forward": "serial",
        "1/feed_forward/0": "dense",
        "1/feed_forward/1": "gelu",
        "1/feed_forward/2": "dropout",
        "1/feed_forward/3": "dense",
        "2": "weight_norm",
        "2/layer": "dense",
        "3": "branch",
        "3/0": "drop_connect",
        "3/0/layer": "dense",
        "3/1": "lora",
        "3/1/layer": "dense",
    }
    one = found["0/layer"]
    assert (found["0"].parameters, found["0"].flops) == (3 * one.parameters, 3 * one.flops)
    assert one.flops == 20 * (2 * 64 + 8 + 8 + 2 * 64 + 8)
    assert found["3"].output == (ArrayType((4, 5, 2), "float32"), ArrayType((4, 5, 3), "float32"))


def test_a_shared_layer_has_one_line():
    pair = ArrayType((4, 3), "float32"), ArrayType((6, 3), "float32")
    found = lines(nn.shared(nn.dense(2)), pair)
    assert list(found) == ["", "layer"]
    assert (found[""].parameters, found["layer"].parameters) == (8, 8)
    assert (found[""].flops, found["layer"].flops) == (10 * 14, 4 * 14)


def test_it_prints_well():
    model = nn.serial(nn.dense(1000), nn.relu, nn.branch(nn.dense(1000), nn.dense(10)))
    assert (
        str(summary(model, ArrayType((64, 2), "float32")))
        == """\
path  layer   output                              parameters   bytes    FLOPs
-----------------------------------------------------------------------------
0     dense   float32[64,1000]                         3,000   12 kB    320 k
1     relu    float32[64,1000]                             0     0 B     64 k
2     branch  (float32[64,1000], float32[64,10])   1,011,010    4 MB  129.3 M
2/0   dense   float32[64,1000]                     1,001,000    4 MB  128.1 M
2/1   dense   float32[64,10]                          10,010   40 kB    1.3 M
-----------------------------------------------------------------------------
      serial  (float32[64,1000], float32[64,10])   1,014,010  4.1 MB  129.7 M"""
    )
    assert repr(summary(model, np.ones((1, 2)))) == str(summary(model, np.ones((1, 2))))


def test_nothing_is_computed():
    seen = []
    summary(nn.serial(nn.dense(3), nn.lambda_(lambda x: seen.append(x) or x, name="look")), X)
    assert seen
    assert not any(isinstance(x, np.ndarray) for x in seen)


def test_the_watcher_is_gone_after_an_error():
    model = nn.serial(nn.dense(3), nn.lambda_(lambda x: x.reshape(7), name="wrong"))
    with pytest.raises(ValueError, match=r"serial/1 \(wrong\): "):
        summary(model, X[0, 0])
    model = nn.serial(nn.dense(3))
    params, _ = model.init(random.key(0), X)
    assert model(params, X).shape == (2, 8, 8, 3)


def test_misuse():
    with pytest.raises(TypeError, match="summary: the model must be a layer, got a function"):
        summary(nn.dense, X)
    with pytest.raises(
        ValueError, match=r"^serial/0 \(conv\): x must have 2 spatial axes, .*, got shape \(2, 8"
    ):
        summary(nn.serial(nn.conv(4, (3, 3))), X[:, 0])
