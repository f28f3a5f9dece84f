"""What a layer is, what stands for one, and how errors come to name a layer by its path."""

import functools

import numpy as np
import pytest

from funcdl import nn, random

KEY = random.key(0)
X = np.ones((8, 4), np.float32)


def counter():
    """A layer with state: the number of times it was applied while training."""

    def init(key, x):
        return (), {"count": np.zeros((), np.int32)}

    def apply(params, state, x, *, key=None, training=False):
        return x, {"count": state["count"] + int(training)}

    return nn.Layer(init, apply, "counter", has_state=True)


def failing(error):
    def init(key, x):
        return (), ()

    def apply(params, state, x, *, key=None, training=False):
        raise error

    return nn.Layer(init, apply, "failing")


def test_a_layer_without_state_can_be_called():
    layer = nn.dense(3)
    params, state = layer.init(KEY, X)
    assert state == ()
    np.testing.assert_array_equal(layer(params, X), layer.apply(params, (), X)[0])


@pytest.mark.parametrize("wrap", [lambda layer: layer, nn.serial], ids=["layer", "serial"])
def test_a_layer_with_state_cannot_be_called(wrap):
    layer = wrap(counter())
    text = r": a layer that is called must have no state, got one that has; write y, state = layer.apply\("
    with pytest.raises(TypeError, match=f"^{layer.name}{text}"):
        layer((), X)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (nn.relu, "relu"),
        (functools.partial(nn.leaky_relu, negative_slope=0.5), "leaky_relu"),
        (lambda x: 2 * x, "<lambda>"),
        (np.tanh, "tanh"),
    ],
)
def test_a_function_stands_for_a_layer(function, name):
    model = nn.serial(function)
    assert model.init(KEY, X) == (((),), ())
    x = np.linspace(-1, 1, 5)
    np.testing.assert_array_equal(model(((),), x), function(x))
    with pytest.raises(TypeError, match=rf"^serial/0 \({name}\): .+"):
        model(((),), None)


def test_a_model_inside_out_is_refused():
    with pytest.raises(TypeError, match=r"serial/1: each part must be a layer or a function .*, got a list"):
        nn.serial(nn.relu, [nn.dense(3)])


def test_a_maker_that_was_not_called_is_named():
    text = (
        r"serial/1: each part must be a layer or a function .*, got dense, which makes one; call it: dense\("
    )
    with pytest.raises(TypeError, match=text):
        nn.serial(nn.relu, nn.dense)

    def unnamed(features):
        return nn.dense(features)

    text = r"serial/0 \(unnamed\): a function used as a layer must return an array, got a layer; call nn.unna"
    with pytest.raises(TypeError, match=text):
        nn.serial(unnamed)(((),), 3)


@pytest.mark.parametrize("x", [(8, 4), [[1.0, 2.0]], None], ids=repr)
def test_an_example_that_is_no_array_is_refused(x):
    text = (
        r"serial/0 \(dense\): x must be an array or an ArrayType, got a \w+; give an example batch, such as"
    )
    with pytest.raises(TypeError, match=text):
        nn.serial(nn.dense(3)).init(KEY, x)


def test_an_input_that_is_no_array_is_refused():
    layer = nn.serial(nn.dense(3))
    params, _ = layer.init(KEY, X)
    with pytest.raises(
        TypeError, match=r"serial/0 \(dense\): x must be an array, got a list; convert it with"
    ):
        layer(params, X.tolist())


@pytest.mark.parametrize(
    ("layer", "params", "got"),
    [
        (
            nn.dense(3),
            (),
            "dense: params must be a dict with kernel and bias, got a tuple; take what init gave",
        ),
        (nn.dense(3), {"w": X}, r"dense: .* got a dict with \['w'\]"),
        (nn.dense(3, use_bias=False), {}, r"dense: params must be a dict with kernel, got a dict with \[\]"),
        (nn.conv(3, (3,)), {"kernel": X}, r"conv: .* with kernel and bias, got a dict with \['kernel'\]"),
        (nn.residual(nn.dense(4)), {"kernel": X}, r"residual: .* with layer and shortcut, got a dict"),
        (
            nn.branch(nn.dense(4), nn.dense(4)),
            ({},),
            r"branch: params must be a tuple of 2 entries, one for each",
        ),
        (nn.layer_norm(), {"bias": X[0]}, r"layer_norm: .* with scale and bias, got a dict with \['bias'\]"),
    ],
)
def test_params_of_something_else_are_refused(layer, params, got):
    with pytest.raises(ValueError, match=got):
        layer(params, X)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: nn.dense(3, kernel_init="lecun_normal"), "dense: kernel_init"),
        (lambda: nn.conv(3, (3,), bias_init="zeros"), "conv: bias_init"),
        (lambda: nn.lstm_cell(3, recurrent_init="orthogonal"), "lstm_cell: recurrent_init"),
    ],
)
def test_an_initializer_by_name_is_refused(make, what):
    with pytest.raises(
        TypeError, match=what + r" must be a function of \(key, shape, dtype\), got '.*; take one"
    ):
        make()


@pytest.mark.parametrize("kind", [ValueError, TypeError])
def test_an_error_gains_the_path_of_its_layer(kind):
    original = kind("failing: it must not fail, got a failure")
    model = nn.serial(nn.relu, nn.serial(nn.relu, failing(original)))
    text = r"^serial/1 \(serial\)/1 \(failing\): it must not fail, got a failure$"
    with pytest.raises(kind, match=text) as caught:
        model(((), ((), ())), X)
    assert caught.value.__cause__.__cause__ is original


def test_an_error_from_elsewhere_keeps_its_words():
    model = nn.serial(failing(ValueError("failingly worded")))
    with pytest.raises(ValueError, match=r"^serial/0 \(failing\): failingly worded$"):
        model(((),), X)


def test_other_errors_pass_as_they_are():
    original = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError) as caught:
        nn.serial(failing(original))(((),), X)
    assert caught.value is original
