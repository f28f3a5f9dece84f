"""Models in PyTorch that are more than a row of layers. Imported only where PyTorch is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.with_torch import conv, filled, linear


class Block(nn.Module):
    """A transformer block: one product for queries, keys and values, and the fused attention."""

    def __init__(self, params: Any, heads: int) -> None:
        super().__init__()
        attention, feed_forward = params["attention"], params["feed_forward"]
        parts = [attention[name] for name in ("query", "key", "value")]
        joined = {name: np.concatenate([part[name] for part in parts], -1) for name in ("kernel", "bias")}
        self.heads = heads
        self.projections, self.output = linear(joined), linear(attention["output"])
        self.attention_norm = layer_norm(params["attention_norm"])
        self.feed_forward_norm = layer_norm(params["feed_forward_norm"])
        self.feed_forward = nn.Sequential(linear(feed_forward[0]), nn.GELU(), linear(feed_forward[-1]))

    def attend(self, x: Any) -> Any:
        batch, length, width = x.shape
        split = self.projections(x).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(y.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x: Any) -> Any:
        x = x + self.attend(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))


class GPT(nn.Module):
    """Embeddings, blocks, a norm and a head."""

    def __init__(self, params: Any, heads: int) -> None:
        super().__init__()
        tokens, positions, *blocks, norm, head = params
        self.tokens = embedding(tokens["embedding"])
        self.positions = nn.Parameter(torch.tensor(positions["embedding"]))
        self.blocks = nn.Sequential(*(Block(block, heads) for block in blocks))
        self.norm, self.head = layer_norm(norm), linear(head)

    def forward(self, tokens: Any) -> Any:
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        return self.head(self.norm(self.blocks(x)))


class LSTMClassifier(nn.Module):
    """PyTorch's LSTM, and a linear map of what the last step gives."""

    def __init__(self, cell: Any, head: Any) -> None:
        super().__init__()
        inputs, gates = cell["input_kernel"].shape
        recurrent = cell["recurrent_kernel"]
        self.lstm = nn.LSTM(inputs, recurrent.shape[0], batch_first=True)
        filled(
            self.lstm,
            weight_ih_l0=cell["input_kernel"].T,
            weight_hh_l0=recurrent.T,
            bias_ih_l0=cell["bias"],
            bias_hh_l0=np.zeros(gates, np.float32),
        )
        # The second bias is the first one's double: with both, the step would be twice as long.
        self.lstm.bias_hh_l0.requires_grad_(False)
        self.head = linear(head)

    def forward(self, x: Any) -> Any:
        return self.head(self.lstm(x)[0][:, -1])


class Residual(nn.Module):
    """Two convolutions with batch norm around a shortcut."""

    def __init__(self, params: Any, strides: int) -> None:
        super().__init__()
        first, first_norm, _, second, second_norm = params["layer"]
        self.body = nn.Sequential(
            conv(first, strides=strides),
            batch_norm(first_norm),
            nn.ReLU(),
            conv(second),
            batch_norm(second_norm),
        )
        self.shortcut = nn.Identity()
        if params["shortcut"]:
            kernel, norm = params["shortcut"]
            self.shortcut = nn.Sequential(conv(kernel, strides=strides, padding=0), batch_norm(norm))

    def forward(self, x: Any) -> Any:
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet(params: Any, strides: Any) -> nn.Module:
    """Return the residual network with given parameters, and strides of its blocks."""
    stem, norm, _, *rest = params
    *blocks, _, head = rest
    return nn.Sequential(
        conv(stem),
        batch_norm(norm),
        nn.ReLU(),
        *(Residual(block[0], stride) for block, stride in zip(blocks, strides, strict=True)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        linear(head),
    )


def embedding(vectors: Any) -> nn.Module:
    """Return ``nn.Embedding`` of given vectors."""
    return filled(nn.Embedding(*vectors.shape), weight=vectors)


def layer_norm(params: Any) -> nn.Module:
    """Return ``nn.LayerNorm`` with given scale and bias."""
    return filled(nn.LayerNorm(len(params["scale"])), weight=params["scale"], bias=params["bias"])


def batch_norm(params: Any) -> nn.Module:
    """Return ``nn.BatchNorm2d`` with given scale and bias."""
    return filled(nn.BatchNorm2d(len(params["scale"])), weight=params["scale"], bias=params["bias"])
