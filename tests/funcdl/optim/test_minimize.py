"""L-BFGS against SciPy, optax and the conditions that its steps have to satisfy."""

import jax
import numpy as np
import optax
import pytest
import scipy.optimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from funcdl import losses, nn, optim, random
from tests.funcdl.optim.comparison import assert_trees_close
from transforms import grad, jit, tree, vmap


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def beale(x):
    return (
        (1.5 - x[0] + x[0] * x[1]) ** 2
        + (2.25 - x[0] + x[0] * x[1] ** 2) ** 2
        + (2.625 - x[0] + x[0] * x[1] ** 3) ** 2
    )


def barrier(x):
    """Is NaN where a first step of 1 may lead."""
    return np.sum(x - np.log(x))


def rise(x):
    """Falls for a long way, so that the steps have to grow."""
    return np.sum(np.sqrt(1 + 1e-4 * np.square(x - 300)))


FUNCTIONS = {
    "rosenbrock": (rosenbrock, np.linspace(-1.5, 1.2, 10)),
    "rosenbrock, far": (rosenbrock, np.array([-30.0, 25.0])),
    "beale": (beale, np.array([1.0, 1.0])),
    "barrier": (barrier, np.array([0.3, 9.0, 0.02])),
    "rise": (rise, np.array([-50.0, 10.0])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_finds_the_minimum_as_scipy_does(name):
    f, start = FUNCTIONS[name]
    options = {"ftol": 0, "gtol": 1e-8, "maxcor": 10}
    with np.errstate(invalid="ignore"):
        found = optim.minimize(optim.lbfgs(f), start, tolerance=1e-8)
        theirs = scipy.optimize.minimize(f, start, jac=grad(f), method="L-BFGS-B", options=options)
    assert found.converged
    np.testing.assert_allclose(found.params, theirs.x, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.value, theirs.fun, rtol=1e-9, atol=1e-10)
    assert found.evaluations <= 1.5 * theirs.nfev + 10
    np.testing.assert_allclose(
        np.abs(grad(f)(found.params)).max(), found.gradient_norm, rtol=1e-6, atol=1e-12
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_step_satisfies_the_strong_wolfe_conditions(name):
    f, params = FUNCTIONS[name]
    solver = optim.lbfgs(f)
    state, step = solver.init(params), jit(solver.step, backend="numpy")
    taken = 0
    for _ in range(30):
        with np.errstate(invalid="ignore"):
            after, new_state = step(params, state)
        if not new_state.step_size > 0 or np.abs(state.gradient).max() < 1e-4:
            break
        move = np.asarray(after) - params
        slope, new_slope = grad(f)(params) @ move, grad(f)(after) @ move
        assert slope < 0
        assert f(after) <= f(params) + 1e-4 * slope + 1e-12 * abs(f(params))
        assert abs(new_slope) <= 0.9 * abs(slope)
        np.testing.assert_allclose(new_state.value, f(after), rtol=1e-12)
        params, state, taken = after, new_state, taken + 1
    assert taken >= 5


def test_steps_of_1_are_those_of_optax():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 4)), rng.normal(size=40)

    def objective(params, np=np):
        error = np.tanh(x @ params["w"] + params["b"]) - y
        return 0.5 * np.mean(np.square(error)) + 0.2 * np.sum(np.square(params["w"]))

    params = {"b": np.zeros(()), "w": 0.3 * rng.normal(size=4)}
    ours, theirs = optim.lbfgs(objective), optax.lbfgs(1.0, linesearch=None)
    state = ours.init(params)
    with jax.enable_x64(True):
        their_params = tree.map(jax.numpy.asarray, params)
        their_state = theirs.init(their_params)

        @jax.jit
        def their_step(params, state):
            grads = jax.grad(lambda params: objective(params, jax.numpy))(params)
            updates, state = theirs.update(grads, state, params)
            return optax.apply_updates(params, updates), state

        for _ in range(11):
            params, state = ours.step(params, state)
            their_params, their_state = their_step(their_params, their_state)
            assert state.step_size == 1
            assert_trees_close(params, their_params)
    assert np.abs(state.gradient).max() < 1e-12


def test_logistic_regression_equals_scikit_learn():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    model = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(x, y)

    def objective(params, x, y):
        logits = x @ params["kernel"] + params["bias"]
        return np.sum(losses.sigmoid_binary_cross_entropy(logits, y)) + np.sum(np.square(params["kernel"]))

    start = {"kernel": np.zeros(30), "bias": np.zeros(())}
    found = optim.minimize(optim.lbfgs(objective), start, x, y, tolerance=1e-6)
    assert found.converged
    np.testing.assert_allclose(found.params["kernel"], model.coef_[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.params["bias"], model.intercept_[0], rtol=1e-4)


def test_trains_a_model_in_float32():
    x = np.asarray(random.normal(random.key(1), (64, 2)))
    y = (np.sum(np.square(x), axis=1) > 1).astype(np.int64)
    model = nn.serial(nn.dense(8), nn.tanh, nn.dense(2))
    params, _ = model.init(random.key(0), x)

    def objective(params, x, y):
        return np.mean(losses.softmax_cross_entropy(model(params, x), y))

    found = optim.minimize(optim.lbfgs(objective), params, x, y, max_steps=100, tolerance=1e-4)
    assert {leaf.dtype for leaf in tree.leaves(found.params)} == {np.dtype(np.float32)}
    assert tree.structure(found.params) == tree.structure(params)
    assert found.value < 0.02 < objective(params, x, y)


def test_eager_compiled_and_batched_steps_are_the_same():
    starts = np.array([[-1.2, 1.0], [0.5, 2.0], [3.0, -1.0]])
    solver = optim.lbfgs(rosenbrock, memory_size=3)
    step = jit(solver.step, backend="numpy")
    batched = vmap(solver.step)
    params, states = starts, vmap(solver.init)(starts)
    for _ in range(5):
        params, states = batched(params, states)
    for index, start in enumerate(starts):
        eager = compiled = (start, solver.init(start))
        for _ in range(5):
            eager, compiled = solver.step(*eager), step(*compiled)
        np.testing.assert_allclose(compiled[0], eager[0], rtol=1e-9)
        np.testing.assert_allclose(params[index], eager[0], rtol=1e-9)
        assert int(states.evaluations[index]) == int(eager[1].evaluations)


def test_it_stays_where_nothing_is_lower():
    found = optim.minimize(optim.lbfgs(lambda x: np.sum(np.abs(x))), np.array([1.0, -2.0]), max_steps=50)
    assert not found.converged
    assert found.value <= 3
    at_rest = optim.minimize(optim.lbfgs(lambda x: np.sum(x**2)), np.zeros(2))
    assert (at_rest.steps, at_rest.converged, at_rest.evaluations) == (0, True, 1)
    unbounded = optim.minimize(optim.lbfgs(lambda x: np.sum(x)), np.zeros(1), max_steps=3)
    assert not unbounded.converged


def test_a_line_search_that_ends_early_takes_the_best_place():
    solver = optim.lbfgs(rise, max_line_search_steps=3)
    params = np.array([-50.0])
    after, state = solver.step(params, solver.init(params))
    # Steps of 1, 2 and 4 along the gradient are all too short.
    np.testing.assert_allclose(after, params - 4 * grad(rise)(params), rtol=1e-12)
    assert (state.step_size, int(state.evaluations)) == (4, 4)


def test_misuse():
    with pytest.raises(
        TypeError, match="minimize: the minimizer must be a Minimizer, got a function; call the f"
    ):
        optim.minimize(rosenbrock, np.zeros(2))
    with pytest.raises(ValueError, match=r"minimize: tolerance must be in \(0, inf\), got 0"):
        optim.minimize(optim.lbfgs(rosenbrock), np.zeros(2), tolerance=0)
    with pytest.raises(ValueError, match=r"lbfgs: memory_size must be at least 1, got 0"):
        optim.lbfgs(rosenbrock, memory_size=0)
    with pytest.raises(ValueError, match=r"lbfgs: max_line_search_steps must be at least 1, got 0"):
        optim.lbfgs(rosenbrock, max_line_search_steps=0)
    with pytest.raises(TypeError, match=r"lbfgs: the parameters must be real, got complex128"):
        optim.lbfgs(lambda x: np.sum(np.abs(x))).init(np.ones(2, complex))
    optimizer = optim.scale_by_lbfgs()
    with pytest.raises(ValueError, match=r"scale_by_lbfgs.update: params must be given for the differences"):
        optimizer.update(np.ones(2), optimizer.init(np.ones(2)))
