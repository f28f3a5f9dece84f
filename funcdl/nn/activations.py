"""Activation functions as layers.

Those without parameters are plain functions of one array, the same as in `funcdl.functional`, and stand
for a layer as they are: ``nn.serial(nn.dense(100), nn.relu)``. To give one an option, bind it:
``functools.partial(nn.leaky_relu, negative_slope=0.2)``.
"""

from __future__ import annotations

from funcdl import functional
from funcdl.functional.activations import celu as celu
from funcdl.functional.activations import elu as elu
from funcdl.functional.activations import gelu as gelu
from funcdl.functional.activations import glu as glu
from funcdl.functional.activations import hard_shrink as hard_shrink
from funcdl.functional.activations import hard_sigmoid as hard_sigmoid
from funcdl.functional.activations import hard_silu as hard_silu
from funcdl.functional.activations import hard_tanh as hard_tanh
from funcdl.functional.activations import leaky_relu as leaky_relu
from funcdl.functional.activations import log_sigmoid as log_sigmoid
from funcdl.functional.activations import mish as mish
from funcdl.functional.activations import relu as relu
from funcdl.functional.activations import relu6 as relu6
from funcdl.functional.activations import selu as selu
from funcdl.functional.activations import sigmoid as sigmoid
from funcdl.functional.activations import silu as silu
from funcdl.functional.activations import soft_shrink as soft_shrink
from funcdl.functional.activations import softplus as softplus
from funcdl.functional.activations import softsign as softsign
from funcdl.functional.activations import squareplus as squareplus
from funcdl.functional.activations import tanh as tanh
from funcdl.functional.activations import tanh_shrink as tanh_shrink
from funcdl.functional.activations import threshold as threshold
from funcdl.functional.softmax import log_softmax as log_softmax
from funcdl.functional.softmax import softmax as softmax
from funcdl.initializers import Initializer, constant
from funcdl.nn.layer import Layer, param_dtype
from transforms import type_of
from transforms.tree import Tree
from transforms.types import Array, ArrayType


def prelu(*, slope_init: Initializer = constant(0.25)) -> Layer:
    """Rectified linear unit with learned slopes: ``x`` if ``x > 0``, else ``slope * x``.

    Params: ``slope`` of shape ``(x.shape[-1],)``, one number for each feature.

    Args:
        slope_init: initializer of the slopes.

    Returns:
        A `Layer` that keeps the shape.

    Source: He et al., 2015, "Delving deep into rectifiers", arXiv:1502.01852.

    >>> import numpy as np
    >>> from funcdl import random
    >>> layer = prelu()
    >>> params, state = layer.init(random.key(0), np.ones((8, 2), np.float32))
    >>> layer(params, np.array([[-4.0, 4.0]], np.float32))
    array([[-1.,  4.]], dtype=float32)
    """

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        return {"slope": slope_init(key, type_of(x).shape[-1:], param_dtype(x))}, ()

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        return functional.prelu(x, params["slope"]), state

    return Layer(init, apply, "prelu")
