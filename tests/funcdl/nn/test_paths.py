"""An error inside a model names the layer by its path, however the layers are nested."""

import numpy as np
import pytest

from funcdl import nn, random
from tests.funcdl.nn.laws import normal

KEY = random.key(0)
X = normal(3, 4)
WIDER = normal(3, 5)
DENSE = (
    r"the last axis of x must be as long as the first of the kernel, got x of shape \(3, 5\) and a kernel of "
    r"shape \(4, 4\); init with an x of the shape that the layer is applied to$"
)

# A model with a dense layer inside, whose input is that of the model: the path that its errors begin with.
MODELS = {
    "serial in residual in repeat": (
        nn.serial(nn.relu, nn.repeat(nn.residual(nn.serial(nn.tanh, nn.dense(4))), 3)),
        r"^serial/1 \(repeat\)/layer \(residual\)/layer \(serial\)/1 \(dense\): ",
    ),
    "branch in parallel": (
        nn.serial(lambda x: (x, x), nn.parallel(nn.relu, nn.branch(nn.dense(4), nn.relu))),
        r"^serial/1 \(parallel\)/1 \(branch\)/0 \(dense\): ",
    ),
    "shared in a shortcut": (
        nn.residual(lambda x: 1 * x, nn.serial(lambda x: (x, x), nn.shared(nn.dense(4)), lambda x: x[0])),
        r"^residual/shortcut \(serial\)/1 \(shared\)/layer \(dense\): ",
    ),
    "drop_connect": (
        nn.serial(nn.drop_connect(nn.serial(nn.dense(4)), 0.5)),
        r"^serial/0 \(drop_connect\)/layer \(serial\)/0 \(dense\): ",
    ),
    "weight_norm": (
        nn.serial(nn.weight_norm(nn.serial(nn.dense(4)))),
        r"^serial/0 \(weight_norm\)/layer \(serial\)/0 \(dense\): ",
    ),
    "spectral_norm": (
        nn.serial(nn.spectral_norm(nn.residual(nn.dense(4)))),
        r"^serial/0 \(spectral_norm\)/layer \(residual\)/layer \(dense\): ",
    ),
    "lora": (
        nn.repeat(nn.lora(nn.serial(nn.dense(4), nn.relu), 2), 2),
        r"^repeat/layer \(lora\)/layer \(serial\)/0 \(dense\): ",
    ),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_path_leads_to_the_layer(name, training):
    model, path = MODELS[name]
    params, state = model.init(KEY, X)
    with pytest.raises(ValueError, match=path + DENSE):
        model.apply(params, state, WIDER, key=KEY, training=training)


def test_the_path_while_initializing():
    block = nn.serial(nn.dense(4), nn.repeat(nn.residual(nn.serial(nn.conv(4, (3,)))), 2))
    text = (
        r"^serial/1 \(repeat\)/layer \(residual\)/layer \(serial\)/0 \(conv\): x must have 1 spatial axes, "
        r"as many as the window \(3,\), between the batch and the channels, got shape \(3, 4\)$"
    )
    with pytest.raises(ValueError, match=text):
        block.init(KEY, X)


def test_a_key_that_is_missing_while_training():
    model = nn.repeat(nn.residual(nn.serial(nn.dense(4), nn.dropout(0.5))), 2)
    params, state = model.init(KEY, X)
    text = (
        r"^repeat/layer \(residual\)/layer \(serial\)/1 \(dropout\): key must be given while training, got "
        r"None; pass apply a key made by random.split$"
    )
    with pytest.raises(ValueError, match=text):
        model.apply(params, state, X, training=True)


def test_a_type_that_a_step_changes():
    model = nn.serial(nn.repeat(nn.residual(lambda x: x.astype(np.float64)), 2))
    params, state = model.init(KEY, X)
    text = r"^serial/0 \(repeat\)/layer \(residual\): scan: the carry must keep its type float32\[3,4\], got"
    with pytest.raises(TypeError, match=text):
        model.apply(params, state, X)
