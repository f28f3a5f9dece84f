"""Every function that NumPy lets us intercept is handled, and the differentiable ones have derivatives."""

import inspect
import warnings

import jax.numpy as jnp
import numpy as np
import pytest

import transforms
from tests import coverage
from tests.transforms.library import ENGINE, SCIPY
from tests.transforms.surface import (
    CONSTANT,
    DIFFERENTIABLE,
    MATRIX,
    QUERIES,
    WITHOUT_RULE,
    handling,
    inner_ufuncs,
    is_refused,
    overridable,
    resolve,
)
from transforms import grad, tree, vjp
from transforms.checks import check_grads
from transforms.errors import NoRuleError, RefusedError
from transforms.primitive import FUNCTIONS, UFUNCS, Refusal

SURFACE = overridable()
OLD = np.lib.NumpyVersion(np.__version__) < "2.4.0"
NEW = pytest.mark.skipif(OLD, reason="not to be overridden before NumPy 2.4")
CALLS = DIFFERENTIABLE | CONSTANT | WITHOUT_RULE | QUERIES


def test_every_overridable_function_is_handled():
    missing = sorted(name for name, function in SURFACE.items() if handling(function) is None)
    assert missing == []
    inner = [ufunc.__name__ for ufunc in inner_ufuncs() if ufunc not in UFUNCS and ufunc not in FUNCTIONS]
    assert inner == []


def test_every_function_is_called_here_or_refused():
    accepted = {name for name, function in SURFACE.items() if not is_refused(function)}
    assert sorted(accepted - CALLS.keys()) == []
    assert sorted(name for name in CALLS if resolve(name) is not None and name not in accepted) == []


def test_a_refusal_gives_a_reason_and_a_substitute():
    refusals = [entry for entry in FUNCTIONS.values() if isinstance(entry, Refusal)]
    assert refusals
    assert all(refusal.reason and refusal.substitute for refusal in refusals)


def test_nearly_all_differentiable_functions_have_derivatives():
    working = DIFFERENTIABLE.keys() & SURFACE.keys()
    refused = {"polynomial.polynomial.polygrid2d", "polynomial.polynomial.polyval2d"} & SURFACE.keys()
    assert all(is_refused(SURFACE[name]) for name in refused)
    assert len(working) >= 0.95 * (len(working) + len(refused))


def test_what_autograd_differentiates_is_supported():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import autograd.numpy
        import autograd.numpy.fft
        import autograd.numpy.linalg
        from autograd.core import primitive_vjps
    own = {f.__name__ for f in primitive_vjps}
    names = {
        f"{prefix}{name}"
        for prefix in ("", "linalg.", "fft.")
        for name in own
        if f"{prefix}{name}" in SURFACE and getattr(autograd.numpy, name, None) is not None
    }
    assert len(names) > 100
    assert sorted(names - DIFFERENTIABLE.keys()) == []


def test_what_we_refuse_jax_does_not_differentiate():
    modules = {"": jnp, "linalg.": jnp.linalg, "fft.": jnp.fft}
    names = {f"{prefix}{name}" for prefix, module in modules.items() for name in vars(module)}
    refused = sorted(name for name in names & SURFACE.keys() if is_refused(SURFACE[name]))
    in_place = ["fill_diagonal", "place", "put", "put_along_axis"]  # functional updates in JAX
    files = ["frombuffer", "fromfile", "fromiter", "fromstring", "save", "savez"]
    integers = ["packbits", "unpackbits"]
    assert refused == sorted([*in_place, *files, *integers])


@pytest.mark.parametrize("name", [name for name in DIFFERENTIABLE if name in SURFACE])
def test_derivatives_equal_differences(name):
    def floating(x):
        return [leaf for leaf in tree.leaves(DIFFERENTIABLE[name](x)) if leaf.dtype.kind in "fc"]

    got, _ = vjp(floating, MATRIX)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's ComplexWarning, for like= a plain array
        expected = floating(MATRIX)
    assert len(got) == len(expected) > 0
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)
    check_grads(floating, (MATRIX,), order=1)
    pullback = vjp(floating, MATRIX)[1]
    (gradient,) = pullback([np.arange(1.0, x.size + 1).reshape(x.shape).astype(x.dtype) for x in got])
    assert np.any(gradient != 0), "the derivative got lost"


@pytest.mark.parametrize("name", [name for name in CONSTANT if name in SURFACE])
def test_what_has_no_derivative_has_numpys_values(name):
    got, _ = vjp(lambda x: ([*tree.leaves(CONSTANT[name](x))], np.sum(x)), MATRIX)
    for x, y in zip(got[0], tree.leaves(CONSTANT[name](MATRIX)), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.skipif(OLD, reason="the page is about the functions of NumPy 2.4 and later")
def test_the_table_in_the_docs_is_up_to_date():
    """The backends that take long to compile are asked about some functions only."""
    said = coverage.written()
    sample = set(sorted({name for name, _ in said})[:: len(said) // (len(coverage.COLUMNS) * 30)])
    assert len(sample) >= 30

    def outcome(name, column, call):
        if column in coverage.SLOW and name not in sample:
            return said.get((name, column), "missing")
        return coverage.find_out(name, column, call)

    assert coverage.PAGE.read_text() == coverage.page(outcome), "run python -m tests.coverage"


def test_the_library_in_the_table_is_whole():
    """Every ufunc of SciPy that is a primitive, each form for SciPy's functions, each function of arrays."""
    forms = {
        f"transforms.scipy.{module.__name__.rpartition('.')[2]}.{name}"
        for module in (transforms.scipy.special, transforms.scipy.linalg)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    }
    assert forms <= SCIPY.keys()
    ufuncs = {u.__name__ for u in UFUNCS if not hasattr(np, u.__name__) and not u.__name__.startswith("_")}
    assert len(ufuncs) > 70
    assert {f"scipy.special.{name}" for name in ufuncs} <= SCIPY.keys()
    transformations = {
        "axis_index", "check_grads", "checkpoint_name", "eval_shape", "get_threads", "grad", "hessian", "hvp",
        "jacfwd", "jacobian", "jacrev", "jit", "jvp", "linearize", "save_matmuls", "save_names",
        "save_nothing", "set_threads", "stage", "type_of", "value_and_grad", "vjp", "vmap",
    }  # fmt: skip
    functions = {name for name, value in vars(transforms).items() if inspect.isfunction(value)}
    assert functions - transformations <= ENGINE.keys()


@pytest.mark.parametrize("name", WITHOUT_RULE)
def test_a_primitive_without_a_derivative_says_so(name):
    with pytest.raises(NoRuleError, match=f"{name} must have a vjp rule"):
        vjp(WITHOUT_RULE[name], MATRIX)


@pytest.mark.parametrize("name", [name for name in QUERIES if name in SURFACE])
def test_queries_answer(name):
    seen = []

    def f(x):
        seen.append(QUERIES[name](x))
        return np.sum(x)

    grad(f)(MATRIX)
    expected = QUERIES[name](MATRIX)
    if name in ("array2string", "array_repr", "array_str"):
        assert "Traced" in seen[0]
    elif name in ("empty", "empty_like"):
        assert seen[0].shape == expected.shape
    elif name not in ("may_share_memory", "shares_memory"):
        assert seen[0] == expected


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda x: np.save("file", x), "numpy.save: .* return the array from the transformed function"),
        (lambda x: np.packbits(x), "numpy.packbits: .* about the memory of 8-bit integers"),
        (lambda x: np.is_busday(x), "numpy.is_busday: .* function of dates"),
        (lambda x: np.fromiter([1.0], float, like=x), "numpy.fromiter: .* leave like= out"),
        (lambda x: np.lib.recfunctions.repack_fields(x), "repack_fields: .* a dict of arrays"),
        pytest.param(
            lambda x: np.polynomial.polynomial.polyval2d(x, x, np.eye(2)),
            "polyval2d: .* np.vander",
            marks=NEW,
        ),
        pytest.param(lambda x: np.strings.lower(x), "lower: .* function of strings", marks=NEW),
        (lambda x: np.copyto(np.zeros(2), x), "numpy.copyto: .* writes in place"),
    ],
)
def test_refusals_name_a_substitute(call, text):
    with pytest.raises(RefusedError, match=text):
        grad(lambda x: np.sum(call(x)))(np.ones(2))
