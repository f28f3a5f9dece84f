"""Exported programs give what the functions give: StableHLO run by JAX, ONNX run by onnxruntime."""

import inspect
import sys

import jax
import numpy as np
import pytest
from scipy import special

from funcdl import export, functional, losses, nn, random
from transforms import ArrayType, at, cond, conv, jit, reduce_window, scan, switch, tree, while_loop

X = np.array([[0.3, -0.7, 1.2], [2.0, 0.1, -0.4]], np.float32)
RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


# --- StableHLO


def test_a_stablehlo_file_runs_with_its_trees_and_dtypes(tmp_path):
    def f(params, x):
        return {"y": np.tanh(x @ params["w"]), "steps": params["steps"] + 1}

    params = {"w": np.ones((3, 2)), "steps": np.int64(3)}
    path = tmp_path / "program"
    export.save_stablehlo(path, jit(f), params, ArrayType((2, 3), "float32"))
    out = export.load_stablehlo(path)(params, X)
    assert all(isinstance(leaf, jax.Array) for leaf in tree.leaves(out))
    assert (out["y"].dtype, out["steps"].dtype) == (np.float64, np.int64)
    np.testing.assert_allclose(out["y"], f(params, X)["y"], rtol=1e-12)
    assert np.asarray(out["steps"]) == 4
    assert not jax.config.jax_enable_x64


def test_a_stablehlo_file_is_for_other_platforms_too(tmp_path):
    export.save_stablehlo(tmp_path / "program", np.sin, X, platforms=("cpu", "cuda"))
    exported = jax.export.deserialize(bytearray((tmp_path / "program").read_bytes()))
    assert exported.platforms == ("cpu", "cuda")
    np.testing.assert_allclose(exported.call(X), np.sin(X), rtol=1e-6)


def test_a_program_that_calls_the_host_is_no_stablehlo(tmp_path):
    with pytest.raises(
        ValueError, match=r"export.save_stablehlo: the program must have an operation of XLA for each"
    ):
        export.save_stablehlo(tmp_path / "program", lambda x: special.jv(1.0, x), X)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no such program", "truncated"])
def test_a_foreign_stablehlo_file_is_refused(tmp_path, content):
    path = tmp_path / "program"
    export.save_stablehlo(path, np.sin, X)
    path.write_bytes(path.read_bytes()[:300] if content == "truncated" else content)
    with pytest.raises(ValueError, match=r"export.load_stablehlo: the file .*program must hold a program"):
        export.load_stablehlo(path)


# --- ONNX


def run_onnx(path, f, *args):
    """Write a function, and run the file in onnxruntime."""
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    export.save_onnx(path, f, *args)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {f"input{i}": np.asarray(x) for i, x in enumerate(tree.leaves(args))})


def check(tmp_path, f, *args, tolerance=1e-5):
    got = run_onnx(tmp_path / "model.onnx", f, *args)
    expected = [np.asarray(x) for x in tree.leaves(f(*args))]
    for x, y in zip(got, expected, strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def grow(x):
    return while_loop(lambda s: np.sum(np.abs(s[0])) < 100, lambda s: (s[0] * 1.5 + 0.1, s[1] + 1), (x, 0))


PROGRAMS = {
    "arithmetic": lambda x: (x + 1, x - 2.0, x * x, 1 / x, -x, abs(x), x**2, np.abs(x) ** 0.3, np.sign(x)),
    "quotients": lambda x: (x // 0.5, x % 0.5, (x * 10).astype(int) // 3, (x * 10).astype(int) % 3),
    "rounding": lambda x: (np.floor(x), np.ceil(x), np.rint(x * 3), np.trunc(x)),
    "exponentials": lambda x: (
        np.exp(x),
        np.expm1(x),
        np.log1p(abs(x)),
        np.log2(x * x),
        np.exp2(x),
        np.tanh(x),
    ),
    "logaddexp": lambda x: (
        np.logaddexp(x, 0.5),
        np.logaddexp(x, -np.inf),
        np.logaddexp(-np.inf, -np.inf * x**2),
    ),
    "roots": lambda x: (np.sqrt(abs(x)), np.cbrt(x), np.hypot(x, 2.0)),
    "angles": lambda x: (np.sin(x), np.cos(x), np.tan(x), np.arctan(x), np.arcsinh(x)),
    "special functions": lambda x: (
        special.erf(x),
        special.erfc(x),
        special.expit(x),
        special.ndtr(x),
        special.log_expit(x),
    ),
    "comparisons": lambda x: (
        x > 0,
        x != 1.2,
        ~(x > 0),
        (x > 0) & (x < 1),
        np.isfinite(x),
        np.where(x > 0, x, 0),
    ),
    "choices": lambda x: (np.maximum(x, 0), np.clip(x, -0.5, 0.5), np.max(x, 1), np.min(x), np.argmax(x, 1)),
    "reductions": lambda x: (
        x.sum(0),
        x.mean(),
        x.prod(1, keepdims=True),
        np.any(x > 1, 1),
        np.all(x < 9),
        x.cumsum(1),
    ),
    "statistics": lambda x: (np.var(x, 1), np.std(x), np.linalg.norm(x)),
    "sums of integers": lambda x: np.sum((x > 0), axis=1),
    "float64": lambda x: np.sin(x.astype(np.float64)) * 2,
    "shapes": lambda x: (
        x.T,
        x.reshape(3, 2),
        x[:, None],
        np.broadcast_to(x, (4, 2, 3)),
        np.concatenate([x, x], 1),
    ),
    "indices": lambda x: (
        x[1],
        x[::-1],
        x[:, ::2],
        x[..., -1],
        x[0, 1:3],
        x[np.array([1, 0, 1])],
        x[:, np.array([2, 0])],
    ),
    "several index arrays": lambda x: (
        x[np.array([1, 0]), np.array([2, -1])],
        np.take_along_axis(x, np.argsort(x, 1), 1),
    ),
    "updates": lambda x: (at(x)[0].set(1.0), at(x)[:, ::2].set(x[:, :2]), np.pad(x, 1)),
    "sorting": lambda x: (np.sort(x, 1), np.argsort(x, 0)),
    "products": lambda x: (x @ x.T, x @ x[0], np.einsum("ij,kj->ik", x, x)),
    "scan": lambda x: scan(lambda c, row: (c * 0.5 + row, c + np.sin(row)), np.zeros(3, np.float32), x),
    "reversed scan": lambda x: scan(lambda c, row: (c * 0.5 + row, c), x[0], x, reverse=True),
    "scan without entries": lambda x: scan(lambda c, _: (c * 0.5 + x, None), x, None, 3)[0],
    "while": grow,
    "cond": lambda x: cond(x[0, 0] > 0, np.sin, np.cos, x),
    "switch": lambda x: switch((x[0, 0] * 10).astype(int), [np.sin, np.cos, np.exp, np.tanh], x),
    "jit in a function": lambda x: jit(np.tanh)(x) + jit(np.sin)(x),
    "constants": lambda x: (x, 2.0, np.arange(3)),
    "losses": lambda x: losses.softmax_cross_entropy(x, np.array([0, 2])),
    "one hot": lambda x: functional.one_hot(np.argmax(x, 1), 3),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_onnx_programs(tmp_path, program):
    check(tmp_path, program, X)


IMAGE = normal(2, 8, 7, 4)

CONVOLUTIONS = {
    "strides and padding": lambda x: conv(x, normal(3, 2, 4, 5), strides=(2, 1), padding="SAME"),
    "groups and dilation": lambda x: conv(x, normal(2, 3, 2, 6), groups=2, dilation=(2, 1)),
    "input dilation": lambda x: conv(x, normal(2, 3, 4, 3), input_dilation=(2, 3), padding=((1, 0), (2, 2))),
    "one axis": lambda x: conv(x[:, 0], normal(3, 4, 2), padding="SAME"),
    "maximum": lambda x: reduce_window(x, "max", (1, 3, 2, 1), strides=(1, 2, 1, 1), padding="SAME"),
    "minimum": lambda x: reduce_window(x, "min", (1, 2, 2, 1), strides=(1, 2, 2, 1)),
    "sum": lambda x: reduce_window(x, "sum", (1, 3, 3, 1), padding="SAME"),
}


@pytest.mark.parametrize("program", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_onnx_convolutions_and_windows(tmp_path, program):
    parameters = RNG.bit_generator.state

    def f(x):
        RNG.bit_generator.state = parameters
        return program(x)

    check(tmp_path, f, IMAGE, tolerance=1e-4)


def test_an_onnx_model_takes_trees(tmp_path):
    check(
        tmp_path, lambda params, x: (params["b"] + x @ params["w"], x), {"w": normal(3, 2), "b": normal(2)}, X
    )


TOKENS = np.array([[1, 4, 2], [0, 3, 3]])
SEQUENCE = normal(2, 5, 8)

# A layer for each function of `nn` that makes or is one, and an example of its input.
LAYERS = {
    **{
        name: (getattr(nn, name), X)
        for name in (
            "celu", "elu", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu",
            "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink",
            "softmax", "softplus", "softsign", "squareplus", "tanh", "tanh_shrink",
        )
    },
    "glu": (nn.glu, SEQUENCE),
    "threshold": (lambda x: nn.threshold(x, cutoff=0.1), X),
    "prelu": (nn.prelu(), X),
    "dense": (nn.dense(4), X),
    "dense_general": (nn.dense_general((2, 3), (-2, -1)), SEQUENCE),
    "einsum": (nn.einsum("btf,fh->bth", (8, 3)), SEQUENCE),
    "bilinear": (nn.bilinear(4), (normal(2, 3), normal(2, 5))),
    "embedding": (nn.embedding(6, 4), TOKENS),
    "position_embedding": (nn.position_embedding(9), SEQUENCE),
    "sinusoidal_embedding": (nn.sinusoidal_embedding(), SEQUENCE),
    "conv": (nn.conv(5, (3, 3), strides=2), IMAGE),
    "conv_transpose": (nn.conv_transpose(3, (3, 3), strides=2), IMAGE),
    "depthwise_conv": (nn.depthwise_conv((3, 3), multiplier=2), IMAGE),
    "separable_conv": (nn.separable_conv(6, (3, 3)), IMAGE),
    "max_pool": (nn.max_pool((2, 2)), IMAGE),
    "min_pool": (nn.min_pool((3, 2), padding="SAME"), IMAGE),
    "average_pool": (nn.average_pool((3, 3), strides=(1, 1), padding="SAME"), IMAGE),
    "adaptive_average_pool": (nn.adaptive_average_pool((3, 2)), IMAGE),
    "adaptive_max_pool": (nn.adaptive_max_pool((3, 2)), IMAGE),
    "global_average_pool": (nn.global_average_pool, IMAGE),
    "global_max_pool": (nn.global_max_pool, IMAGE),
    "batch_norm": (nn.batch_norm(), IMAGE),
    "group_norm": (nn.group_norm(2), IMAGE),
    "instance_norm": (nn.instance_norm(), IMAGE),
    "layer_norm": (nn.layer_norm(), SEQUENCE),
    "rms_norm": (nn.rms_norm(), SEQUENCE),
    "unit_norm": (nn.unit_norm(), SEQUENCE),
    "spectral_norm": (nn.spectral_norm(nn.dense(4)), X),
    "weight_norm": (nn.weight_norm(nn.dense(4)), X),
    "upsample": (nn.upsample(2, method="linear"), IMAGE),
    "crop": (nn.crop(((1, 1), (2, 0))), IMAGE),
    "zero_pad": (nn.zero_pad(((1, 1), (2, 0))), IMAGE),
    "flatten": (nn.flatten, IMAGE),
    "reshape": (nn.reshape((7, 32)), IMAGE),
    "dropout": (nn.dropout(0.5), X),
    "alpha_dropout": (nn.alpha_dropout(0.5), X),
    "spatial_dropout": (nn.spatial_dropout(0.5), IMAGE),
    "gaussian_dropout": (nn.gaussian_dropout(0.5), X),
    "gaussian_noise": (nn.gaussian_noise(0.5), X),
    "drop_connect": (nn.drop_connect(nn.dense(4), 0.5), X),
    "stochastic_depth": (nn.stochastic_depth(0.5), X),
    "layer_scale": (nn.layer_scale(0.1), X),
    "self_attention": (nn.self_attention(2, causal=True, rotary=True), SEQUENCE),
    "cross_attention": (nn.cross_attention(2), (SEQUENCE, normal(2, 4, 6))),
    "recurrent": (nn.recurrent(nn.lstm_cell(4)), SEQUENCE),
    "recurrent_last": (nn.recurrent_last(nn.stacked_cells(nn.gru_cell(4), nn.gru_cell(3))), SEQUENCE),
    "bidirectional": (nn.bidirectional(nn.gru_cell(3), nn.simple_rnn_cell(4)), SEQUENCE),
    "conv_lstm": (nn.recurrent(nn.conv_lstm_cell(2, (3,))), normal(2, 4, 6, 3)),
    "additive_attention": (nn.additive_attention(6), (SEQUENCE, normal(2, 4, 6))),
    "lora": (nn.lora(nn.dense(4), rank=2), X),
    "with_policy": (nn.with_policy(nn.dense(4), nn.Policy(params="float16")), X),
    "encoder_block": (nn.encoder_block(nn.self_attention(2), 16), SEQUENCE),
    "decoder_block": (
        nn.decoder_block(nn.self_attention(2, causal=True), nn.cross_attention(2), 16),
        (SEQUENCE, normal(2, 4, 6)),
    ),
    "branch": (nn.branch(nn.dense(3), nn.relu), X),
    "parallel": (nn.parallel(nn.dense(3), nn.relu), (X, SEQUENCE)),
    "shared": (nn.shared(nn.dense(3)), (normal(2, 5), normal(4, 5))),
    "residual": (nn.residual(nn.serial(nn.dense(9), nn.relu, nn.dense(3))), X),
    "repeat": (nn.repeat(nn.serial(nn.dense(3), nn.relu), 5), X),
    "lambda_": (nn.lambda_(lambda x: x[..., ::-1]), X),
    "serial": (nn.serial(nn.dense(8), nn.relu, nn.dropout(0.1), nn.dense(3)), X),
}  # fmt: skip


@pytest.mark.parametrize(("layer", "example"), LAYERS.values(), ids=LAYERS.keys())
def test_onnx_layers(tmp_path, layer, example):
    model = nn.serial(layer)
    params, state = model.init(random.key(0), example)
    check(tmp_path, lambda params, x: model.apply(params, state, x)[0], params, example, tolerance=1e-4)


def test_parameters_that_a_function_closes_over_are_in_the_file(tmp_path):
    model = nn.serial(nn.conv(4, (3, 3)), nn.batch_norm(), nn.relu, nn.flatten, nn.dense(3))
    params, state = model.init(random.key(0), IMAGE)
    check(tmp_path, lambda x: model.apply(params, state, x)[0], IMAGE, tolerance=1e-4)


def test_every_layer_is_in_the_table():
    functions = {name for name, value in vars(nn).items() if inspect.isfunction(value)}
    cells = {"conv_lstm_cell", "gru_cell", "lstm_cell", "simple_rnn_cell", "stacked_cells"}
    assert functions - cells - {"merge_lora", "unroll"} == LAYERS.keys() - {"conv_lstm"}


def test_what_onnx_has_not_is_named(tmp_path):
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    with pytest.raises(
        ValueError,
        match=r"each operation of the program must have a form in ONNX, got inv; use save_stablehlo",
    ):
        export.save_onnx(tmp_path / "model.onnx", np.linalg.inv, np.eye(2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "extra", "save"), [("onnx", "onnx", export.save_onnx), ("jax", "xla", export.save_stablehlo)]
)
def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch, tmp_path, package, extra, save):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ImportError,
        match=rf'{package} must be installed, got no such module; run pip install "funcdl\[{extra}\]"',
    ):
        save(tmp_path / "model", np.sin, X)
