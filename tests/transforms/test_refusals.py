"""What turns a traced array into plain numbers is refused, by an error that says what to write."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.ndimage
import scipy.special

from transforms import grad, stage, stop_gradient
from transforms.errors import ConcreteValueError, RefusedError

BUFFER = np.zeros(3)
MATRIX = np.eye(3)


def _assign(t):
    BUFFER[0] = t


def _assign_slice(t):
    BUFFER[0:2] = t


IN_NUMPY = [
    (lambda t: np.sum([t, t]), r"numpy.sum: .* write np.stack\(\[t, u\]\) in the place of a list"),
    (lambda t: np.mean([t, t]), r"numpy.mean: .* write np.stack\(\[t, u\]\)"),
    (lambda t: np.linalg.norm([t, t]), r"numpy.linalg.norm: .* write np.stack\(\[t, u\]\)"),
    (lambda t: np.full(3, t), r"numpy.full: .* write np.broadcast_to\(t, shape\), or transforms.numpy.full"),
    (lambda t: np.pad(MATRIX, 1, constant_values=t), r"numpy.pad: .* write np.where\(np.pad\(np.ones"),
    (lambda t: np.r_[t, t], "write np.concatenate or np.stack for np.r_"),
    (lambda t: np.c_[t, t], r"np.stack\(..., axis=-1\) for np.c_"),
    (lambda t: np.mgrid[0:1:t], "write np.meshgrid of np.linspace"),
    (lambda t: np.vectorize(abs)(t), r"numpy.vectorize.__call__: .* or transforms.numpy.vectorize"),
    (
        lambda t: np.lib.stride_tricks.as_strided(t, (2,), (8,)),
        "numpy.as_strided: .* write .*sliding_window_view",
    ),
    (lambda t: np.poly1d([t, 1.0]), "numpy.poly1d: .* write np.polyval"),
    (lambda t: np.polynomial.Polynomial([t, 1.0]), r"write np.polyval\(coefficients\[::-1\], x\)"),
    (lambda t: np.ma.array([t]), r"numpy.ma.array: .* write np.stack\(\[t, u\]\)"),
]

IN_SCIPY = [
    (lambda t: scipy.special.logsumexp(t), "write transforms.scipy.special.logsumexp$"),
    (lambda t: scipy.special.softmax(t), "write transforms.scipy.special.softmax$"),
    (lambda t: scipy.special.log_softmax(t), "write transforms.scipy.special.log_softmax$"),
    (lambda t: scipy.special.multigammaln(t, 2), "write transforms.scipy.special.multigammaln$"),
    (lambda t: scipy.special.polygamma(1, t), "write transforms.scipy.special.polygamma$"),
    (
        lambda t: scipy.linalg.solve_triangular(t * MATRIX, MATRIX),
        "write transforms.scipy.linalg.solve_triangular$",
    ),
    (
        lambda t: scipy.linalg.sinhm(t * MATRIX),
        "scipy.linalg.sinhm: .* write it with NumPy functions, or give",
    ),
    (
        lambda t: scipy.ndimage.gaussian_filter(t * MATRIX, 1.0),
        "scipy.ndimage.gaussian_filter: .* custom_vjp",
    ),
]

IN_USER_CODE = [
    (
        lambda t: np.array([t, t]),
        r"np.array\(\[t, t\]\): .* write np.stack\(\[t, u\]\), or transforms.numpy.array",
    ),
    (lambda t: np.asarray(t), r"np.asarray\(t\): .* write t itself, or transforms.numpy.asarray"),
    (lambda t: np.ascontiguousarray(t), r"np.ascontiguousarray\(t\): .* write t itself"),
    (lambda t: np.arange(t), r"np.arange\(t\): .* write t \* np.arange\(n\), or transforms.numpy.arange"),
    (lambda t: np.float64(t), r"np.float64\(t\): .* write t.astype\(dtype\)"),
    (lambda t: np.sin([t, t]), r"np.sin\(\[t, t\]\): .* write np.stack\(\[t, u\]\) in the place of a list"),
    (lambda t: np.dot([t, t], [1, 2]), r"np.dot\(\[t, t\], \[1, 2\]\): .* write np.stack"),
    (lambda t: np.ones(2) * [t, t], r"np.ones\(2\) \* \[t, t\]: .* write np.stack"),
    (lambda t: MATRIX.dot(t * BUFFER), r"MATRIX.dot\(t \* BUFFER\): .* write np.dot\(x, t\)"),
    (lambda t: BUFFER.put([0], t), r"write x = transforms.at\(x\)\[indices\].set\(t\)"),
    (_assign_slice, r"BUFFER\[0:2\] = ...: .* write x = transforms.at\(x\)\[index\].set\(t\)"),
]

NUMBERS = [
    (lambda t: float(t), r"float\(t\): the argument must be a plain number, got .* by grad in float\(t\); "),
    (lambda t: t.item(), r"t.item\(\): .* write t itself, which stays an array, or call stop_gradient\(t\)"),
    (lambda t: math.sin(t), r"in math.sin\(t\); .* write np.sin\(t\), not math.sin\(t\), or"),
    (
        lambda t: scipy.integrate.quad(lambda x: x * t, 0, 1),
        "in scipy.integrate.quad; .* with NumPy functions",
    ),
]


@pytest.mark.parametrize(("call", "text"), IN_NUMPY + IN_SCIPY + IN_USER_CODE)
def test_a_conversion_to_an_array_names_the_call_and_the_remedy(call, text):
    with pytest.raises(ConcreteValueError, match=text):
        grad(call)(1.5)


@pytest.mark.parametrize(("call", "text"), NUMBERS)
def test_a_conversion_to_a_number_names_the_call_and_the_remedy(call, text):
    with pytest.raises(ConcreteValueError, match=text):
        grad(call)(1.5)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (_assign, r"in BUFFER\[0\] = ...; .* write x = transforms.at\(x\)\[index\].set\(t\)"),
        (lambda t: BUFFER.fill(t), r"in BUFFER.fill\(t\); .* write x = np.broadcast_to\(t, x.shape\)"),
        (
            lambda t: np.fromiter([t], float),
            r"in np.fromiter\(\[t\], float\); .* write np.stack\(list\(values\)\)",
        ),
    ],
)
def test_numpy_hides_some_errors_behind_its_own_but_keeps_them_as_the_cause(call, text):
    with pytest.raises(ValueError, match="setting an array element") as caught:
        grad(call)(1.5)
    assert isinstance(caught.value.__cause__, ConcreteValueError)
    with pytest.raises(ConcreteValueError, match=text):
        raise caught.value.__cause__


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda i: MATRIX[i], r"MATRIX\[i\]: .* write transforms.at\(MATRIX\)\[i\].get\(\)"),
        (lambda i: MATRIX[i, 0], r"write transforms.at\(MATRIX\)\[\(i, 0\)\].get\(\)"),
        (lambda i: np.take(MATRIX, i, axis=0), r"numpy.take: .* write transforms.at\(x\)\[t\].get\(\)"),
    ],
)
def test_a_traced_index_of_a_plain_array(call, text):
    with pytest.raises(ConcreteValueError, match=text):
        stage(call)(np.int64(1))


def test_full_like_of_a_plain_array_does_not_return_uninitialised_memory():
    for call in (lambda t: np.full_like(BUFFER, t), lambda t: np.copyto(BUFFER, t)):
        with pytest.raises(RefusedError, match=r"write np.broadcast_to\(value, shape\)"):
            grad(call)(1.5)


def test_without_source_all_remedies_are_named():
    scope = {"np": np}
    exec("def f(t): return np.array([t, t])", scope)
    with pytest.raises(
        ConcreteValueError, match=r"np.asarray\(t\): .* x = transforms.at\(x\)\[index\].set\(t\)"
    ):
        grad(scope["f"])(1.5)


def test_a_value_whose_derivative_is_given_up_is_a_number():
    assert grad(lambda t: t * float(stop_gradient(t)))(3.0) == 3.0
