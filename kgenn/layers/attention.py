"""Attention: averages of rows, with weights that are a softmax of products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import ClassVar, TypeVar

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.output_activation import softmax

T = TypeVar("T")


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
class AttentionRows:
    """How a tensor is rows of channels, some for each position of the axes that no attention runs along.

    Attributes:
        shape: of a sample, channels last.
        axes: that the rows lie along.
    """

    shape: Shape
    axes: Shape

    @property
    def order(self) -> Shape:
        """Return the axes of a sample in the order (others, those of the rows, channels)."""
        last = len(self.shape) - 1
        return (*(a for a in range(last) if a not in self.axes), *self.axes, last)

    @property
    def others(self) -> Shape:
        """Return the sizes of the axes that no attention runs along."""
        return tuple(n for a, n in enumerate(self.shape[:-1]) if a not in self.axes)

    @property
    def matrix(self) -> Shape:
        """Return (positions of the other axes, rows, channels)."""
        return (prod(self.others), prod(self.shape[a] for a in self.axes), self.shape[-1])

    @property
    def is_plain(self) -> bool:
        """Tell whether a sample is its rows."""
        return len(self.shape) == 2


@dataclass(frozen=True, eq=False)
class Attention(Layer):
    """Dot-product attention of some heads: softmax(q·kᵀ·scale)·v, for inputs query, value and key.

    The key is the value where it is not given.

    Attributes:
        scale: of the scores.
        query, key, value, output: projections; None for none, and a single head.
        axes: of a sample, that the rows lie along; the others are as those of several samples.
        causal: row i sees the rows up to i alone.
        key_second: the inputs are query, key and value.
    """

    scale: float
    query: Projection | None = None
    key: Projection | None = None
    value: Projection | None = None
    output: Projection | None = None
    axes: Shape = (0,)
    causal: bool = False
    key_second: bool = False

    def roles(self, inputs: tuple[T, ...]) -> tuple[T, T, T]:
        """Return query, value and key of what there is of each input."""
        query, value, key = (*inputs, inputs[1])[:3]
        return (query, key, value) if self.key_second else (query, value, key)

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "multiplies activations by each other"

    @property
    def contents(self) -> str:
        heads = 1 if self.query is None else self.query.kernel.shape[1]
        return f"{'causal ' if self.causal else ''}attention of {heads} head{'s' if heads > 1 else ''}"

    def rows(self, *inputs: Shape) -> tuple[AttentionRows, AttentionRows, AttentionRows]:
        """Return how query, value and key are rows.

        Raises:
            ValueError: where they do not fit.
        """
        least = max(self.axes, default=0) + 2
        if len(inputs) not in (2, 3) or len({len(shape) for shape in inputs}) != 1 or len(inputs[0]) < least:
            raise ValueError(f"takes a query, a value and perhaps a key of rows, but is called on {inputs}")
        query, value, key = (AttentionRows(shape, self.axes) for shape in self.roles(inputs))
        fit = query.others == value.others == key.others and key.matrix[1] == value.matrix[1]
        if not fit or (self.query is None and query.shape[-1] != key.shape[-1]):
            shapes = f"{query.shape}, {value.shape} and {key.shape}"
            raise ValueError(f"query, value and key of shapes {shapes} do not fit")
        return query, value, key

    def output_shape(self, *inputs: Shape) -> Shape:
        query, value, _ = self.rows(*inputs)
        return (*query.shape[:-1], value.shape[-1] if self.output is None else self.output.kernel.shape[-1])

    def forward(self, *inputs: Array) -> Array:
        query, value, key = self.roles(inputs)
        kinds = self.rows(*(x.shape[1:] for x in inputs))
        parts = (query, self.query), (value, self.value), (key, self.key)
        q, v, k = (_heads(_as_rows(x, rows), part) for (x, part), rows in zip(parts, kinds, strict=True))
        scores = q @ k.swapaxes(-1, -2) * q.dtype.type(self.scale)
        if self.causal:
            scores = np.where(causal_mask(*scores.shape[-2:]), scores, scores.dtype.type(-np.inf))
        apart = np.moveaxis(softmax(scores) @ v, 1, 2)
        rows: Array = apart.reshape(*apart.shape[:2], -1)
        if self.output is not None:
            rows = rows @ self.output.kernel.reshape(-1, self.output.kernel.shape[-1]).astype(rows.dtype)
            rows = rows if self.output.bias is None else rows + self.output.bias.astype(rows.dtype)
        return _from_rows(rows, kinds[0])

    def macs(self, *inputs: Shape) -> int:
        query, value, key = self.rows(*inputs)
        parts = ((query, self.query), (key, self.key), (value, self.value), (query, self.output))
        projected = sum(prod(rows.matrix[:2]) * part.kernel.size for rows, part in parts if part is not None)
        width = query.shape[-1] + value.shape[-1] if self.query is None else 2 * prod(self.query.kernel.shape[1:])
        return projected + prod(query.matrix[:2]) * key.matrix[1] * width


@dataclass(frozen=True, eq=False)
class MaskedSoftmax(Layer):
    """Normalise exponentials along the last axis, of some of the values alone; the others give 0.

    Attributes:
        mask: 1 for a value that counts, 0 for another; of the shape of the last axes, one of each row is 1.
    """

    auxiliary: ClassVar[bool] = True

    mask: Array

    def features(self) -> Iterator[tuple[str, str]]:
        yield "product", "has a softmax inside the network"

    def output_shape(self, *inputs: Shape) -> Shape:
        (shape,) = inputs
        return shape

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        return softmax(np.where(self.mask > 0, x, x.dtype.type(-np.inf)))


def causal_mask(rows: int, columns: int) -> Array:
    """Return 1 where row i may see column j, which is up to i, else 0; shape (rows, columns)."""
    return np.tri(rows, columns, dtype=np.float32)


def _as_rows(x: Array, rows: AttentionRows) -> Array:
    """Return samples as rows, shape (N · positions of the other axes, rows, channels)."""
    if rows.is_plain:
        return x
    turned = x.transpose(0, *(axis + 1 for axis in rows.order))
    return turned.reshape(-1, *rows.matrix[1:])


def _from_rows(y: Array, rows: AttentionRows) -> Array:
    """Return what rows like those of a query hold in the order of its axes."""
    if rows.is_plain:
        return y
    apart = y.reshape(-1, *(rows.shape[axis] for axis in rows.order[:-1]), y.shape[-1])
    return apart.transpose(0, *(int(place) + 1 for place in np.argsort(rows.order)))


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
        if any(len(shape) != 2 for shape in inputs):
            raise ValueError(f"takes a query, a value and perhaps a key of rows, but is called on {inputs}")
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
