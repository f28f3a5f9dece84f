"""Every layer obeys the laws."""

import ast
import functools
from pathlib import Path

import numpy as np
import pytest

from funcdl import functional, nn
from tests.funcdl.nn.laws import Case, check, normal

VECTORS = normal(3, 4)
SEQUENCES = normal(2, 6, 4)
IMAGES = normal(2, 6, 6, 4)
VOLUMES = normal(2, 4, 4, 4, 2)
FILMS = normal(2, 3, 4, 5, 2)
FILM_MASK = np.array([[True, True, True], [True, False, False]])
MASK = np.array([[True, True, True, True, False, False], [True, False, True, False, True, True]])

CASES = {
    "dense": Case(nn.dense(3), VECTORS, normal(3, 5)),
    "prelu": Case(nn.prelu(), VECTORS),
    "dropout": Case(nn.dropout(0.5), VECTORS),
    "drop_connect": Case(nn.drop_connect(nn.dense(3), 0.5), VECTORS, normal(3, 5)),
    "flatten": Case(nn.serial(nn.flatten), IMAGES),
    "reshape": Case(nn.reshape((2, 2)), VECTORS, normal(3, 5)),
    "conv, sequences": Case(nn.conv(3, (3,), padding="CAUSAL", dilation=2), SEQUENCES, IMAGES),
    "conv, images": Case(nn.conv(6, (3, 2), strides=2, groups=2), IMAGES, normal(2, 6, 6, 5)),
    "conv, volumes": Case(nn.conv(3, (2, 2, 3), padding="VALID"), VOLUMES, IMAGES),
    "conv_transpose": Case(nn.conv_transpose(3, (3, 3), strides=2), IMAGES, SEQUENCES),
    "depthwise_conv": Case(nn.depthwise_conv((3, 3), multiplier=2), IMAGES, SEQUENCES),
    "separable_conv": Case(nn.separable_conv(3, (3, 3), strides=2), IMAGES, SEQUENCES),
    "max_pool": Case(nn.max_pool(2), IMAGES, VECTORS),
    "min_pool": Case(nn.min_pool((3, 2), strides=1, padding="SAME"), IMAGES, SEQUENCES),
    "average_pool": Case(nn.average_pool(3, strides=2, padding="SAME"), IMAGES, VECTORS),
    "adaptive_max_pool": Case(nn.adaptive_max_pool((4, 3)), IMAGES, SEQUENCES),
    "adaptive_average_pool": Case(nn.adaptive_average_pool(4), SEQUENCES, VECTORS),
    "global_max_pool": Case(nn.serial(nn.global_max_pool), IMAGES, VECTORS),
    "global_average_pool": Case(nn.serial(nn.global_average_pool), IMAGES, VECTORS),
    "upsample": Case(nn.upsample(2, method="linear"), IMAGES, VECTORS),
    "zero_pad": Case(nn.zero_pad(((1, 0), 2)), IMAGES, SEQUENCES),
    "crop": Case(nn.crop(1), IMAGES, normal(2, 2, 2, 4)),
    "layer_norm": Case(nn.layer_norm(), SEQUENCES, VOLUMES),
    "rms_norm": Case(nn.rms_norm(), SEQUENCES, VOLUMES),
    "group_norm": Case(nn.group_norm(2), IMAGES, VOLUMES),
    "instance_norm": Case(nn.instance_norm(use_bias=False), IMAGES, VOLUMES),
    "unit_norm": Case(nn.unit_norm(), VECTORS),
    "batch_norm": Case(nn.batch_norm(), IMAGES, VOLUMES),
    "spectral_norm": Case(nn.spectral_norm(nn.conv(3, (2, 2))), IMAGES, SEQUENCES),
    "weight_norm": Case(nn.weight_norm(nn.serial(nn.dense(3), nn.dense(2))), VECTORS, normal(3, 5)),
    "lora": Case(nn.lora(nn.serial(nn.dense(3), nn.conv(2, (2,))), 2, alpha=3.0), SEQUENCES, normal(2, 6, 5)),
    "lora, a layer with state": Case(nn.lora(nn.spectral_norm(nn.dense(3)), 2), VECTORS, normal(3, 5)),
    "embedding": Case(nn.embedding(5, 3), np.array([[0, 4], [2, 2]]), VECTORS),
    "dense_general": Case(nn.dense_general((2, 3), axes=(-1, 1)), IMAGES, VOLUMES),
    "einsum": Case(nn.einsum("...i,ijo->...jo", (4, 2, 3), bias_shape=(3,)), VECTORS, normal(3, 5)),
    "bilinear": Case(nn.bilinear(3), (VECTORS, normal(3, 2)), VECTORS),
    "spatial_dropout": Case(nn.spatial_dropout(0.5), IMAGES, VECTORS),
    "alpha_dropout": Case(nn.alpha_dropout(0.5), VECTORS),
    "gaussian_noise": Case(nn.gaussian_noise(0.5), VECTORS),
    "gaussian_dropout": Case(nn.gaussian_dropout(0.5), VECTORS),
    "stochastic_depth": Case(nn.stochastic_depth(0.5), IMAGES),
    "layer_scale": Case(nn.layer_scale(0.5), IMAGES, normal(2, 6, 6, 5)),
    "self_attention": Case(nn.self_attention(2, causal=True), SEQUENCES, VECTORS),
    "self_attention, masked": Case(
        nn.self_attention(4, key_value_heads=2, rotary=True, head_features=2), (SEQUENCES, MASK), IMAGES
    ),
    "self_attention, dropout": Case(nn.self_attention(2, dropout=0.5), (SEQUENCES, MASK), IMAGES),
    "self_attention, cached": Case(
        nn.self_attention(2, causal=True, cache_length=8), SEQUENCES, IMAGES, by_example=False
    ),
    "cross_attention": Case(nn.cross_attention(2), (SEQUENCES, normal(2, 3, 5), MASK[:, :3]), SEQUENCES),
    "additive_attention": Case(
        nn.additive_attention(3), (SEQUENCES, normal(2, 3, 5), MASK[:, :3]), SEQUENCES
    ),
    "position_embedding": Case(nn.position_embedding(8), SEQUENCES, VECTORS),
    "sinusoidal_embedding": Case(nn.sinusoidal_embedding(), SEQUENCES, VECTORS),
    "encoder_block": Case(nn.encoder_block(nn.self_attention(2), 8, dropout=0.5), (SEQUENCES, MASK), VECTORS),
    "decoder_block": Case(
        nn.decoder_block(nn.self_attention(2, causal=True), nn.cross_attention(2), 8, norm_first=False),
        (SEQUENCES, normal(2, 3, 5)),
        SEQUENCES,
    ),
    "simple_rnn_cell": Case(nn.recurrent(nn.simple_rnn_cell(3), reverse=True), SEQUENCES, VECTORS),
    "recurrent": Case(nn.recurrent(nn.gru_cell(3)), (SEQUENCES, MASK), VECTORS),
    "gru_cell": Case(nn.recurrent(nn.gru_cell(3)), SEQUENCES, VECTORS),
    "conv_lstm_cell": Case(nn.recurrent(nn.conv_lstm_cell(3, (3, 2), strides=2)), (FILMS, FILM_MASK), IMAGES),
    "conv_lstm_cell, sequences": Case(nn.recurrent_last(nn.conv_lstm_cell(3, (2,))), IMAGES, VOLUMES),
    "conv_lstm_cell, volumes": Case(nn.recurrent(nn.conv_lstm_cell(2, (2, 1, 2))), FILMS[..., None], IMAGES),
    "lstm_cell": Case(nn.recurrent(nn.lstm_cell(3)), (SEQUENCES, MASK), VECTORS),
    "stacked_cells": Case(
        nn.recurrent(nn.stacked_cells(nn.gru_cell(3), nn.lstm_cell(2))), SEQUENCES, VECTORS
    ),
    "recurrent_last": Case(nn.recurrent_last(nn.gru_cell(3)), (SEQUENCES, MASK), VECTORS),
    "bidirectional": Case(nn.bidirectional(nn.gru_cell(3), nn.lstm_cell(2)), SEQUENCES, VECTORS),
    "parallel": Case(
        nn.parallel(nn.dense(2), nn.relu), (VECTORS, SEQUENCES[:, 0]), VECTORS, by_example=False
    ),
    "branch": Case(nn.branch(nn.dense(2), nn.dropout(0.5)), VECTORS, normal(3, 5)),
    "residual": Case(nn.residual(nn.conv(4, (3, 3)), nn.batch_norm()), IMAGES, SEQUENCES),
    "shared": Case(nn.shared(nn.batch_norm()), (VECTORS, normal(3, 4, seed=1)), VECTORS),
    "repeat": Case(
        nn.repeat(nn.serial(nn.dense(4), nn.batch_norm(), nn.dropout(0.5)), 3), VECTORS, normal(3, 5)
    ),
    "repeat, a block": Case(nn.repeat(nn.encoder_block(nn.self_attention(2), 8), 2), (SEQUENCES, MASK)),
    "serial": Case(
        nn.serial(nn.conv(3, (2, 2)), nn.batch_norm(), nn.relu, nn.flatten, nn.dropout(0.5), nn.dense(2)),
        IMAGES,
        SEQUENCES,
    ),
    "threshold": Case(nn.serial(functools.partial(nn.threshold, cutoff=0.5)), VECTORS),
    "with_policy": Case(
        nn.with_policy(nn.serial(nn.dense(4), nn.batch_norm()), nn.Policy(params="float16")),
        VECTORS,
        normal(3, 5),
    ),
    "lambda_": Case(nn.lambda_(lambda x: x[:, :2], name="first"), VECTORS),
}

# What `nn` offers besides makers of layers: types, and functions of cells and of parameters.
NO_MAKERS = {"Cell", "Layer", "Policy", "merge_lora", "unroll"}
MAKERS = sorted(name for name in vars(nn) if callable(getattr(nn, name)) and name not in NO_MAKERS)
# An activation is a function of one array, and as such a layer.
FUNCTIONS = [name for name in MAKERS if getattr(nn, name) is getattr(functional, name, None)]


def test_every_maker_is_in_the_table():
    covered = {name.partition(",")[0] for name in CASES}
    assert covered | set(FUNCTIONS) == set(MAKERS)


def test_every_case_is_of_the_maker_that_it_is_called_after():
    assignments = [
        node for node in ast.parse(Path(__file__).read_text()).body if isinstance(node, ast.Assign)
    ]
    (table,) = [node.value for node in assignments if node.targets[0].id == "CASES"]
    for name, case in zip(table.keys, table.values, strict=True):
        maker = name.value.partition(",")[0]
        called = {node.attr for node in ast.walk(case) if isinstance(node, ast.Attribute)}
        assert maker in called, name.value


@pytest.mark.parametrize("name", CASES)
def test_laws(name):
    check(CASES[name])


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in CASES])
def test_laws_of_functions(name):
    check(Case(nn.serial(getattr(nn, name)), IMAGES))
