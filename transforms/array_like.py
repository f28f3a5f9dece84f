"""What every traced array has in common with an array of NumPy: its measures, operators and methods.

All of them come down to two calls of the tracer's level, or to the NumPy function of the same meaning. What
would change an array in place is refused, with what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np

from transforms.primitive import METHODS, UFUNCS
from transforms.types import Array, ArrayType, Shape


def _via(function: Callable[..., Any]) -> Any:
    """Make an array method of the NumPy function of the same meaning."""

    def array_method(self: ArrayLike, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    array_method.__doc__ = f"`numpy.{function.__name__}` of this array."
    return array_method


def _operator(ufunc: np.ufunc) -> Any:
    return lambda self, other: self.level.binary(UFUNCS[ufunc], self, other)


def _reflected(ufunc: np.ufunc) -> Any:
    return lambda self, other: self.level.binary(UFUNCS[ufunc], other, self)


def _unary(ufunc: np.ufunc) -> Any:
    return lambda self: self.level.unary(UFUNCS[ufunc], self)


class ArrayLike:
    """Shape, operators and methods of a traced array, given its type and its level."""

    __slots__ = ()

    level: Any
    __array__: Callable[..., NoReturn]

    @property
    def type(self) -> ArrayType:
        """Shape and dtype."""
        raise NotImplementedError

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.type.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.type.size

    @property
    def itemsize(self) -> int:
        """Bytes in an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes in all elements."""
        return self.size * self.itemsize

    # --- containers

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a traced array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Array]:
        if not self.shape:
            raise TypeError("iteration over a traced array without axes")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> Array:
        return METHODS["getitem"](self, index)

    def __contains__(self, value: Array) -> bool:
        return bool(np.any(self == value))

    __hash__ = None  # type: ignore[assignment]

    # --- operators

    __add__ = _operator(np.add)
    __radd__ = _reflected(np.add)
    __sub__ = _operator(np.subtract)
    __rsub__ = _reflected(np.subtract)
    __mul__ = _operator(np.multiply)
    __rmul__ = _reflected(np.multiply)
    __truediv__ = _operator(np.true_divide)
    __rtruediv__ = _reflected(np.true_divide)
    __floordiv__ = _operator(np.floor_divide)
    __rfloordiv__ = _reflected(np.floor_divide)
    __mod__ = _operator(np.remainder)
    __rmod__ = _reflected(np.remainder)
    __matmul__ = _operator(np.matmul)
    __rmatmul__ = _reflected(np.matmul)
    __and__ = _operator(np.bitwise_and)
    __rand__ = _reflected(np.bitwise_and)
    __or__ = _operator(np.bitwise_or)
    __ror__ = _reflected(np.bitwise_or)
    __xor__ = _operator(np.bitwise_xor)
    __rxor__ = _reflected(np.bitwise_xor)
    __lshift__ = _operator(np.left_shift)
    __rlshift__ = _reflected(np.left_shift)
    __rshift__ = _operator(np.right_shift)
    __rrshift__ = _reflected(np.right_shift)
    __pow__ = _operator(np.power)
    __rpow__ = _reflected(np.power)
    __lt__ = _operator(np.less)
    __le__ = _operator(np.less_equal)
    __gt__ = _operator(np.greater)
    __ge__ = _operator(np.greater_equal)
    __eq__ = _operator(np.equal)
    __ne__ = _operator(np.not_equal)
    __neg__ = _unary(np.negative)
    __pos__ = _unary(np.positive)
    __abs__ = _unary(np.absolute)
    __invert__ = _unary(np.invert)

    def __divmod__(self, other: Array) -> tuple[Array, Array]:
        return self // other, self % other

    def __rdivmod__(self, other: Array) -> tuple[Array, Array]:
        return other // self, other % self

    def __round__(self, digits: int = 0) -> Array:
        return np.round(self, digits)

    # --- array methods

    all = _via(np.all)
    any = _via(np.any)
    argmax = _via(np.argmax)
    argmin = _via(np.argmin)
    argpartition = _via(np.argpartition)
    argsort = _via(np.argsort)
    choose = _via(np.choose)
    clip = _via(np.clip)
    compress = _via(lambda self, condition, axis=None: np.compress(condition, self, axis))
    conj = _via(np.conj)
    conjugate = _via(np.conj)
    cumprod = _via(np.cumprod)
    cumsum = _via(np.cumsum)
    diagonal = _via(np.diagonal)
    dot = _via(np.dot)
    flatten = _via(np.ravel)
    max = _via(np.max)
    mean = _via(np.mean)
    min = _via(np.min)
    nonzero = _via(np.nonzero)
    prod = _via(np.prod)
    ravel = _via(np.ravel)
    repeat = _via(np.repeat)
    round = _via(np.round)
    searchsorted = _via(np.searchsorted)
    squeeze = _via(np.squeeze)
    std = _via(np.std)
    sum = _via(np.sum)
    swapaxes = _via(np.swapaxes)
    take = _via(np.take)
    trace = _via(np.trace)
    var = _via(np.var)
    copy = _via(np.copy)

    def reshape(self, *shape: Any, order: str = "C") -> Array:
        """`numpy.reshape` of this array; the lengths as one tuple or one by one."""
        target = shape[0] if len(shape) == 1 else shape
        return np.reshape(self, target, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Array:
        """`numpy.transpose` of this array; the axes as one tuple, one by one, or none."""
        target = axes[0] if len(axes) == 1 else axes or None
        return np.transpose(self, target)

    def astype(self, dtype: Any, copy: bool = True) -> Array:
        """Cast the elements; to an integer or boolean type cuts the derivative."""
        return METHODS["astype"](self, dtype)

    @property
    def T(self) -> Array:
        """The array with its axes in reverse order."""
        return np.transpose(self)

    @property
    def mT(self) -> Array:
        """The array with its last two axes swapped."""
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Array:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Array:
        """The imaginary part."""
        return np.imag(self)

    @property
    def flat(self) -> Iterator[Array]:
        """The elements, one by one."""
        return iter(np.ravel(self))

    # --- what would change it in place

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            f"t[index] = value: a traced array must not be changed in place, got type {self.type}; "
            "write t = transforms.at(t)[index].set(value)"
        )

    def sort(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would sort in place."""
        self._no_change("sort", "np.sort(t)")

    def fill(self, value: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("fill", "np.full_like(t, value)")

    def partition(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("partition", "np.partition(t, kth)")

    def put(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would write in place."""
        self._no_change("put", "transforms.at(t)[indices].set(values)")

    def resize(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused: it would change the array in place."""
        self._no_change("resize", "np.resize(t, shape)")

    def _no_change(self, name: str, remedy: str) -> NoReturn:
        raise TypeError(
            f"t.{name}: a traced array must not be changed in place, got type {self.type}; write {remedy}"
        )
