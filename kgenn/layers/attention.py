"""Attention: averages of rows, with weights that are a softmax of products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.output_activation import softmax


@dataclass(frozen=True, eq=False)
class Projection:
    """A Dense layer whose outputs are heads of channels, or whose inputs are.

    Attributes:
        kernel: shape (C, heads, D), or (heads, D, C).
        bias: shape (heads, D), or (C,), or None.
    """

    kernel: Array
    bias: Array | None


@dataclass(frozen=True, eq=False)
class Attention(Layer):
    """Dot-product attention of some heads: softmax(q·kᵀ·scale)·v, for inputs query, value and key.

    The key is the value where it is not given.

    Attributes:
        scale: of the scores.
        query, key, value, output: projections; None for none, and a single head.
    """

    scale: float
    query: Projection | None = None
    key: Projection | None = None
    value: Projection | None = None
    output: Projection | None = None

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    @property
    def contents(self) -> str:
        heads = 1 if self.query is None else self.query.kernel.shape[1]
        return f"attention of {heads} head{'s' if heads > 1 else ''}"

    def output_shape(self, *inputs: Shape) -> Shape:
        if len(inputs) not in (2, 3) or any(len(shape) != 2 for shape in inputs):
            raise ValueError(f"takes a query, a value and perhaps a key of rows, but is called on {inputs}")
        query, value, key = (*inputs, inputs[1])[:3]
        if key[0] != value[0] or (self.query is None and query[1] != key[1]):
            raise ValueError(f"query, value and key of shapes {query}, {value} and {key} do not fit")
        return (query[0], value[1] if self.output is None else self.output.kernel.shape[-1])

    def forward(self, *inputs: Array) -> Array:
        query, value, key = (*inputs, inputs[1])[:3]
        q, k, v = (_heads(x, part) for x, part in ((query, self.query), (key, self.key), (value, self.value)))
        weights = softmax(q @ k.swapaxes(-1, -2) * q.dtype.type(self.scale))
        apart = np.moveaxis(weights @ v, 1, 2)
        rows: Array = apart.reshape(*apart.shape[:2], -1)
        if self.output is None:
            return rows
        kernel = self.output.kernel.reshape(-1, self.output.kernel.shape[-1]).astype(rows.dtype)
        bias = self.output.bias
        y: Array = rows @ kernel if bias is None else rows @ kernel + bias.astype(rows.dtype)
        return y

    def macs(self, *inputs: Shape) -> int:
        query, value, key = (*inputs, inputs[1])[:3]
        parts = ((query, self.query), (key, self.key), (value, self.value), (query, self.output))
        projected = sum(shape[0] * part.kernel.size for shape, part in parts if part is not None)
        width = query[1] + value[1] if self.query is None else 2 * prod(self.query.kernel.shape[1:])
        return projected + query[0] * key[0] * width


@dataclass(frozen=True, eq=False)
class AdditiveAttention(Layer):
    """Attention whose scores are s_ij = Σ_d weights_d · tanh(gain · (q_id + k_jd)), for query, value and key.

    The key is the value where it is not given.

    Attributes:
        weights: shape (channels of the key,).

    Source: Bahdanau et al. 2015, arXiv:1409.0473.
    """

    weights: Array
    gain: float = 1.0

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    @property
    def contents(self) -> str:
        return "additive attention"

    def output_shape(self, *inputs: Shape) -> Shape:
        shape = Attention(1.0).output_shape(*inputs)
        if inputs[0][1] != self.weights.size:
            raise ValueError(f"{self.weights.size} weights of scores do not fit rows of {inputs[0][1]} channels")
        return shape

    def forward(self, *inputs: Array) -> Array:
        query, value, key = (*inputs, inputs[1])[:3]
        kind = query.dtype.type
        sums = np.tanh((query[:, :, None] + key[:, None]) * kind(self.gain))
        mixed: Array = softmax(sums @ self.weights.astype(query.dtype)) @ value
        return mixed

    def macs(self, *inputs: Shape) -> int:
        query, value, key = (*inputs, inputs[1])[:3]
        return query[0] * key[0] * (query[1] + value[1])


def _heads(x: Array, part: Projection | None) -> Array:
    """Return rows for each head, shape (N, heads, rows, D)."""
    if part is None:
        return x[:, None]
    wide: Array = np.einsum("nrc,chd->nhrd", x, part.kernel.astype(x.dtype))
    return wide if part.bias is None else wide + part.bias.astype(x.dtype)[:, None]
