"""In which dtypes a model keeps its parameters, computes, and gives its output."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from funcdl._extras import load
from funcdl.nn.layer import Layer, as_layer
from transforms import tree, type_of
from transforms.errors import message
from transforms.tree import Tree
from transforms.types import Array, ArrayType, is_differentiable


class Policy(NamedTuple):
    """Three dtypes, each a NumPy dtype or its name: ``"float16"``, ``"bfloat16"``, ``"float32"``, ...

    Attributes:
        params: in which the parameters are kept.
        compute: to which parameters and input are cast for the computation.
        output: to which the output is cast.
    """

    params: Any = "float32"
    compute: Any = "float32"
    output: Any = "float32"


def with_policy(model: Layer, policy: Policy) -> Layer:
    """Return a model that keeps its parameters, computes, and gives its output in the dtypes of a policy.

    Only real floating arrays are cast; integers, keys and complex numbers stay as they are. Parameters are
    drawn in float32 (float64, if that is what the model computes in) and then rounded, and the state, such as
    the averages of batch norm, stays in that dtype. The gradient of a parameter has the parameter's dtype.

    NumPy promotes bfloat16 and a Python number to float32, so that to compute in bfloat16 rounds only some of
    the values between; to store in bfloat16 and compute in float32 is what is fast on a CPU. To compute in
    float16 takes `funcdl.optim.dynamic_loss_scale`, and parameters kept in less than float32 are best trained
    with `funcdl.optim.master_params`.

    Args:
        model: the layer.
        policy: the dtypes.

    Returns:
        A `Layer` with the same parameters and state, apart from dtypes.

    Raises:
        ImportError: a dtype is bfloat16, and ml_dtypes is not installed.
        TypeError: ``model`` is no layer, or a dtype is not a real floating one.

    Source: Micikevicius et al., "Mixed Precision Training", 2018, arXiv:1710.03740.

    >>> from funcdl import nn, random
    >>> model = with_policy(nn.dense(3), Policy(params="float16"))
    >>> x = np.ones((8, 2), np.float32)
    >>> params, state = model.init(random.key(0), x)
    >>> params["kernel"].dtype, model(params, x).dtype
    (dtype('float16'), dtype('float32'))
    """
    model = as_layer("with_policy", model)
    params_dtype, compute, output = (_dtype(name, dtype) for name, dtype in policy._asdict().items())
    drawn = np.promote_types(compute, np.float32)

    def init(key: Array, x: Array | ArrayType) -> tuple[Tree, Tree]:
        params, state = model.init(key, _cast(x, drawn))
        return _cast(params, params_dtype), state

    def apply(
        params: Tree, state: Tree, x: Array, *, key: Array | None = None, training: bool = False
    ) -> tuple[Array, Tree]:
        y, state = model.apply(_cast(params, compute), state, _cast(x, compute), key=key, training=training)
        return _cast(y, output), state

    return Layer(init, apply, model.name, model.has_state)


def _cast(values: Tree, dtype: np.dtype[Any]) -> Tree:
    return tree.map(lambda leaf: _cast_leaf(leaf, dtype), values)


def _cast_leaf(leaf: Array, dtype: np.dtype[Any]) -> Array:
    own = type_of(leaf).dtype
    if own == dtype or own.kind == "c" or not is_differentiable(own):
        return leaf
    return ArrayType(leaf.shape, dtype) if isinstance(leaf, ArrayType) else leaf.astype(dtype)


def _dtype(what: str, dtype: Any) -> np.dtype[Any]:
    if isinstance(dtype, str) and dtype == "bfloat16":
        # NumPy knows the name only once the package has been imported.
        dtype = load("ml_dtypes", "half", "nn.with_policy").bfloat16
    found: np.dtype[Any] = np.dtype(dtype)
    if not is_differentiable(found) or found.kind == "c":
        raise TypeError(message("nn.with_policy", f"the policy's {what}", "be a real floating dtype", found))
    return found
