"""Initial values of parameters: functions ``init(key, shape, dtype=np.float32)`` that return an array.

`zeros` and `ones` are such functions; the other names make one: ``glorot_uniform()(key, (784, 100))``.
Where `jax.nn.initializers` has the same name, the same key gives the same values, to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from funcdl import random
from funcdl.random.arguments import as_dtype
from transforms.errors import message
from transforms.types import Array, Shape

# Standard deviation of the standard normal distribution cut off at -2 and 2. Dividing by it makes up
# for what the cut takes away.
TRUNCATED_STDDEV = 0.87962566103423978

Axes: TypeAlias = int | Sequence[int]

MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


class Initializer(Protocol):
    """A function that makes the initial value of a parameter."""

    def __call__(self, key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        """Return an array of the given shape and dtype.

        Args:
            key: uint32 array of shape (2,); initializers that draw no random numbers ignore it.
            shape: shape of the parameter.
            dtype: a floating dtype.
        """


def zeros(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return zeros.

    Args:
        key: not used.
        shape: shape of the result.
        dtype: dtype of the result.

    >>> zeros(random.key(0), (2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(shape, dtype)


def ones(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
    """Return ones.

    Args:
        key: not used.
        shape: shape of the result.
        dtype: dtype of the result.

    >>> ones(random.key(0), (2,))
    array([1., 1.], dtype=float32)
    """
    return np.ones(shape, dtype)


def constant(value: Array) -> Initializer:
    """Make an initializer that fills with a value.

    Args:
        value: a number, or an array that broadcasts to the shapes asked for.

    >>> constant(0.5)(random.key(0), (2,))
    array([0.5, 0.5], dtype=float32)
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        return np.full(shape, value, dtype)

    return init


def identity(gain: float = 1.0) -> Initializer:
    """Make an initializer of identity matrices times a gain; further rows or columns are zero.

    Args:
        gain: factor on the diagonal.

    Raises:
        ValueError: when called with a shape that has not two axes.

    >>> identity(2.0)(random.key(0), (2, 3))
    array([[2., 0., 0.],
           [0., 2., 0.]], dtype=float32)
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        if len(shape) != 2:
            raise ValueError(message("initializers.identity", "shape", "have two axes", shape))
        return np.eye(*shape, dtype=dtype) * as_dtype(gain, dtype)

    return init


def normal(stddev: float = 1e-2, *, mean: float = 0.0) -> Initializer:
    """Make an initializer that draws from a normal distribution: ``mean + stddev * z``.

    Args:
        stddev: standard deviation.
        mean: mean.

    >>> normal(0.1)(random.key(0), (2,)).round(4)
    array([0.1623, 0.2025], dtype=float32)
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        return random.normal(key, shape, dtype) * as_dtype(stddev, dtype) + as_dtype(mean, dtype)

    return init


def uniform(scale: float = 1e-2, *, minval: float = 0.0) -> Initializer:
    """Make an initializer that draws from the uniform distribution on ``[minval, scale)``.

    Args:
        scale: upper bound.
        minval: lower bound, at most ``scale``.

    Raises:
        ValueError: when called, if minval is above scale.

    >>> uniform(0.05, minval=-0.05)(random.key(0), (2,)).round(4)
    array([0.0448, 0.0479], dtype=float32)
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        return random.uniform(key, shape, dtype, minval, scale)

    return init


def truncated_normal(
    stddev: float = 1e-2, *, lower: float = -2.0, upper: float = 2.0, mean: float = 0.0
) -> Initializer:
    """Make an initializer that draws from a normal distribution cut off on both sides.

    ``mean + stddev * z``, with ``z`` standard normal in ``(lower, upper)``. The standard deviation of
    the result is smaller than ``stddev``: by a factor of 0.88 with the bounds at -2 and 2.

    Args:
        stddev: standard deviation before the cut.
        lower: lower bound of ``z``.
        upper: upper bound of ``z``, above ``lower``.
        mean: mean before the cut.

    Raises:
        ValueError: when called, if lower is not below upper.

    >>> truncated_normal(0.1)(random.key(0), (2,)).round(4)
    array([0.1456, 0.1715], dtype=float32)
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        return random.truncated_normal(key, lower, upper, shape, dtype) * as_dtype(stddev, dtype) + as_dtype(
            mean, dtype
        )

    return init


def variance_scaling(
    scale: float,
    mode: str,
    distribution: str,
    *,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    """Make an initializer whose variance is ``scale / n``, with ``n`` taken from the shape.

    The fan in is the number of inputs that one output adds up: the size of the input axes times that
    of the axes which are neither input, output nor batch, such as the window of a convolution. The
    fan out is the same with the output axes. ``n`` is, by the mode, the fan in, the fan out, their
    mean or their geometric mean.

    Args:
        scale: factor of the variance, positive.
        mode: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg".
        distribution: "truncated_normal" (at two standard deviations before scaling), "normal" or
            "uniform" (on an interval that is symmetric about zero).
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Raises:
        ValueError: the scale is not positive, or the mode or the distribution is unknown; when called,
            if the shape has no such axes.

    >>> variance_scaling(1.0, "fan_in", "uniform")(random.key(0), (3, 2)).shape
    (3, 2)
    """
    where = "initializers.variance_scaling"
    if not scale > 0:
        raise ValueError(message(where, "scale", "be positive", scale))
    if mode not in MODES:
        raise ValueError(message(where, "mode", f"be one of {MODES}", repr(mode)))
    if distribution not in DISTRIBUTIONS:
        raise ValueError(message(where, "distribution", f"be one of {DISTRIBUTIONS}", repr(distribution)))

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        fan_in, fan_out = _fans(shape, _axes(in_axis), _axes(out_axis), _axes(batch_axis))
        fans = (fan_in, fan_out, (fan_in + fan_out) / 2, math.sqrt(fan_in * fan_out))
        # An empty parameter has fans of zero, and any variance.
        stddev = math.sqrt(scale / max(1.0, fans[MODES.index(mode)]))
        if distribution == "normal":
            return random.normal(key, shape, dtype) * stddev
        if distribution == "uniform":
            return random.uniform(key, shape, dtype, -1.0, 1.0) * (math.sqrt(3.0) * stddev)
        return random.truncated_normal(key, -2.0, 2.0, shape, dtype) * (stddev / TRUNCATED_STDDEV)

    return init


def _axes(axis: Axes) -> Sequence[int]:
    return (axis,) if isinstance(axis, int) else axis


def _fans(
    shape: Shape, in_axes: Sequence[int], out_axes: Sequence[int], batch_axes: Sequence[int]
) -> tuple[float, float]:
    named = [*in_axes, *out_axes, *batch_axes]
    if not all(-len(shape) <= axis < len(shape) for axis in named):
        remedy = "use another initializer for vectors, or give in_axis and out_axis"
        rule = f"have the axes {named}"
        raise ValueError(message("initializers.variance_scaling", "shape", rule, shape, remedy))
    inputs, outputs, batches = (
        math.prod(shape[axis] for axis in axes) for axes in (in_axes, out_axes, batch_axes)
    )
    # What is left of the shape without the outputs is the inputs and the window, and the reverse. In an
    # empty shape both are zero.
    size = math.prod(shape)
    return size / max(1, outputs * batches), size / max(1, inputs * batches)


def glorot_normal(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the normal Glorot (Xavier) initializer: truncated, variance ``2 / (fan_in + fan_out)``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS.

    >>> glorot_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def glorot_uniform(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the uniform Glorot (Xavier) initializer: on ``+-sqrt(6 / (fan_in + fan_out))``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: Glorot and Bengio, 2010, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS.

    >>> glorot_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        1.0, "fan_avg", "uniform", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def he_normal(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the normal He (Kaiming) initializer, for layers before a ReLU: truncated, variance ``2 / fan_in``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: He, Zhang, Ren and Sun, 2015, "Delving deep into rectifiers", arXiv:1502.01852.

    >>> he_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        2.0, "fan_in", "truncated_normal", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def he_uniform(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the uniform He (Kaiming) initializer, for layers before a ReLU: on ``+-sqrt(6 / fan_in)``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: He, Zhang, Ren and Sun, 2015, "Delving deep into rectifiers", arXiv:1502.01852.

    >>> he_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        2.0, "fan_in", "uniform", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def lecun_normal(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the normal LeCun initializer: truncated, variance ``1 / fan_in``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: LeCun, Bottou, Orr and Müller, 1998, "Efficient backprop", doi:10.1007/3-540-49430-8_2.

    >>> lecun_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        1.0, "fan_in", "truncated_normal", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def lecun_uniform(*, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()) -> Initializer:
    """Make the uniform LeCun initializer: on ``+-sqrt(3 / fan_in)``.

    Args:
        in_axis: axis or axes of the inputs.
        out_axis: axis or axes of the outputs.
        batch_axis: axis or axes along which there are separate parameters.

    Source: LeCun, Bottou, Orr and Müller, 1998, "Efficient backprop", doi:10.1007/3-540-49430-8_2.

    >>> lecun_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(
        1.0, "fan_in", "uniform", in_axis=in_axis, out_axis=out_axis, batch_axis=batch_axis
    )


def orthogonal(scale: float = 1.0, *, column_axis: int = -1) -> Initializer:
    """Make an initializer of matrices with orthonormal columns or, if wider than high, rows.

    A parameter of more axes is taken as a matrix whose columns lie along one of them.

    Args:
        scale: factor of the matrix.
        column_axis: the axis of the columns.

    Raises:
        ValueError: when called with a shape of fewer than two axes or without that axis.

    Source: Saxe, McClelland and Ganguli, 2014, "Exact solutions to the nonlinear dynamics of learning in
    deep linear neural networks", arXiv:1312.6120.

    >>> q = orthogonal()(random.key(0), (3, 2))
    >>> np.allclose(q.T @ q, np.eye(2), atol=1e-6)
    True
    """

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        if len(shape) < 2:
            raise ValueError(message("initializers.orthogonal", "shape", "have two axes or more", shape))
        if not -len(shape) <= column_axis < len(shape):
            rule = f"have the axis {column_axis}"
            raise ValueError(message("initializers.orthogonal", "shape", rule, shape))
        axis = column_axis % len(shape)
        columns, other_sizes = shape[axis], shape[:axis] + shape[axis + 1 :]
        matrix = random.orthogonal(key, math.prod(other_sizes), (), dtype, columns)
        return np.moveaxis(np.reshape(matrix, (*other_sizes, columns)), -1, axis) * as_dtype(scale, dtype)

    return init


def delta_orthogonal(scale: float = 1.0, *, column_axis: int = -1) -> Initializer:
    """Make an initializer of convolutions that map each pixel by itself, by an orthogonal matrix.

    All of the window is zero but its centre, so that a convolution keeps the norm of its input.

    Args:
        scale: factor of the matrix.
        column_axis: the axis of the columns, among the last two.

    Raises:
        ValueError: when called with a shape that is not ``(*window, inputs, outputs)`` with one to
            three sizes in the window, or has more inputs than outputs.

    Source: Xiao, Bahri, Sohl-Dickstein, Schoenholz and Pennington, 2018, "Dynamical isometry and a mean
    field theory of CNNs", arXiv:1806.05393.

    >>> delta_orthogonal()(random.key(0), (3, 1, 1)).ravel()
    array([0., 1., 0.], dtype=float32)
    """
    where = "initializers.delta_orthogonal"

    def init(key: Array, shape: Shape, dtype: DTypeLike = np.float32) -> Array:
        if not 3 <= len(shape) <= 5:
            raise ValueError(message(where, "shape", "have three to five axes", shape))
        if shape[-2] > shape[-1]:
            raise ValueError(message(where, "shape", "have no more inputs than outputs", shape))
        matrix = orthogonal(scale, column_axis=column_axis)(key, shape[-2:], dtype)
        window = shape[:-2]
        around = [((size - 1) // 2, size // 2) for size in window]
        return np.pad(np.reshape(matrix, (1,) * len(window) + shape[-2:]), [*around, (0, 0), (0, 0)])

    return init
