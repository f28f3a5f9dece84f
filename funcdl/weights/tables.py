"""What each kind of layer is in PyTorch, Flax and Keras: our arrays, theirs, and the way between.

A kind that ends in ``_state`` is about the model's state, the others are about its parameters.
"""

from __future__ import annotations

from funcdl.weights.rules import Rule, axes_moved, gru_biases, heads_split, joined, same, split, two_biases

# The parts of attention: ours, and theirs.
PARTS = ("query", "key", "value")

_TORCH_WEIGHT = axes_moved("kernel", "weight", (0, 1), (-1, -2))
_TORCH_NORM = (same("scale", "weight"), same("bias", "bias"))

TORCH: dict[str, tuple[Rule, ...]] = {
    "dense": (_TORCH_WEIGHT, same("bias", "bias")),
    "conv": (_TORCH_WEIGHT, same("bias", "bias")),
    "embedding": (same("embedding", "weight"),),
    "batch_norm": _TORCH_NORM,
    "batch_norm_state": (same("mean", "running_mean"), same("variance", "running_var")),
    "layer_norm": _TORCH_NORM,
    "group_norm": _TORCH_NORM,
    "instance_norm": _TORCH_NORM,
    "rms_norm": (same("scale", "weight"),),
    "lstm": (
        axes_moved("input_kernel", "weight_ih_l0", (0, 1), (1, 0)),
        axes_moved("recurrent_kernel", "weight_hh_l0", (0, 1), (1, 0)),
        two_biases("bias", ("bias_ih_l0", "bias_hh_l0")),
    ),
    "gru": (
        axes_moved("input_kernel", "weight_ih_l0", (0, 1), (1, 0)),
        axes_moved("recurrent_kernel", "weight_hh_l0", (0, 1), (1, 0)),
        gru_biases(("bias", "recurrent_bias"), ("bias_ih_l0", "bias_hh_l0")),
    ),
    "attention": (
        split(tuple(f"{part}/kernel" for part in PARTS), "in_proj_weight", transposed=True),
        split(tuple(f"{part}/bias" for part in PARTS), "in_proj_bias", transposed=False),
        axes_moved("output/kernel", "out_proj.weight", (0, 1), (1, 0)),
        same("output/bias", "out_proj.bias"),
    ),
}

_KERNEL_AND_BIAS = (same("kernel", "kernel"), same("bias", "bias"))
_SCALE_AND_BIAS = (same("scale", "scale"), same("bias", "bias"))


def _attention_by_heads(output: str) -> tuple[Rule, ...]:
    kernels = [heads_split(f"{part}/kernel", f"{part}/kernel", 1) for part in PARTS]
    biases = [heads_split(f"{part}/bias", f"{part}/bias", 0) for part in PARTS]
    ends = (heads_split("output/kernel", f"{output}/kernel", 0), same("output/bias", f"{output}/bias"))
    return (*kernels, *biases, *ends)


FLAX: dict[str, tuple[Rule, ...]] = {
    "dense": _KERNEL_AND_BIAS,
    "conv": _KERNEL_AND_BIAS,
    "embedding": (same("embedding", "embedding"),),
    "batch_norm": _SCALE_AND_BIAS,
    "batch_norm_state": (same("mean", "mean"), same("variance", "var")),
    "layer_norm": _SCALE_AND_BIAS,
    "group_norm": _SCALE_AND_BIAS,
    "instance_norm": _SCALE_AND_BIAS,
    "rms_norm": (same("scale", "scale"),),
    "lstm": (
        joined("input_kernel", tuple(f"i{gate}/kernel" for gate in "ifgo")),
        joined("recurrent_kernel", tuple(f"h{gate}/kernel" for gate in "ifgo")),
        joined("bias", tuple(f"h{gate}/bias" for gate in "ifgo")),
    ),
    "gru": (
        joined("input_kernel", tuple(f"i{gate}/kernel" for gate in "rzn")),
        joined("recurrent_kernel", tuple(f"h{gate}/kernel" for gate in "rzn")),
        joined("bias", tuple(f"i{gate}/bias" for gate in "rzn")),
        same("recurrent_bias", "hn/bias"),
    ),
    "attention": _attention_by_heads("out"),
}

_GAMMA_AND_BETA = (same("scale", "gamma"), same("bias", "beta"))

KERAS: dict[str, tuple[Rule, ...]] = {
    "dense": _KERNEL_AND_BIAS,
    "conv": _KERNEL_AND_BIAS,
    "embedding": (same("embedding", "embeddings"),),
    "batch_norm": _GAMMA_AND_BETA,
    "batch_norm_state": (same("mean", "moving_mean"), same("variance", "moving_variance")),
    "layer_norm": _GAMMA_AND_BETA,
    "group_norm": _GAMMA_AND_BETA,
    "rms_norm": (same("scale", "scale"),),
    # The same four gates in the same order.
    "lstm": (
        same("input_kernel", "kernel"),
        same("recurrent_kernel", "recurrent_kernel"),
        same("bias", "bias"),
    ),
    "attention": _attention_by_heads("attention_output"),
}
