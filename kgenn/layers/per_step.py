"""Apply a layer to each step of a sequence: the steps are an axis in front of those that the layer knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.activation import Elementwise, OverAxis
from kgenn.layers.affine import Affine
from kgenn.layers.along import Along, Take
from kgenn.layers.conv import Conv
from kgenn.layers.dense import Dense
from kgenn.layers.merge import Concatenate, Merge
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.pooling import Pool
from kgenn.layers.shape import AxisPad, Broadcast, Permute, Reshape, ZeroPad

Chain = tuple[Layer, ...]


def per_step(layer: Layer, steps: int, shape: Shape) -> Chain:
    """Return the layers that do for a sequence what a layer does for each of its steps.

    A layer over the last axes stays as it is; a convolution gets a window of 1 along the steps. A pooling takes
    them as channels, so that neurons can do it:

        (T, H, W, C) → (H, W, T·C), pooled → (H', W', T·C) → (T, H', W', C)

    Args:
        shape: of the input of one step.
    """
    match layer:
        case Elementwise() | Affine() | Dense() | Pointwise() | OverAxis() | Take() | Along() | AxisPad():
            return (layer,)
        case Merge() | Concatenate():
            return (layer,)
        case Reshape():
            return (Reshape((steps, *layer.shape)),)
        case Broadcast():
            return (Broadcast((steps, *layer.shape)),)
        case Permute():
            return (Permute((0, *(axis + 1 for axis in layer.axes))),)
        case ZeroPad():
            return (ZeroPad(((0, 0), *layer.pads)),)
        case Conv():
            return (_widened(layer, shape),)
        case Pool():
            return _pooled(layer, steps, shape)
    return (LinearPerStep(layer) if layer.linear else PerStep(layer),)


@dataclass(frozen=True, eq=False)
class PerStep(Layer):
    """Apply any layer of one input to each step."""

    layer: Layer

    @property
    def contents(self) -> str:
        return f"{self.layer.contents} at each step"

    def features(self) -> Iterator[tuple[str, str]]:
        return self.layer.features()

    def output_shape(self, *inputs: Shape) -> Shape:
        ((steps, *shape),) = inputs
        return (steps, *self.layer.output_shape(tuple(shape)))

    def forward(self, *inputs: Array) -> Array:
        (x,) = inputs
        y = self.layer.forward(x.reshape(-1, *x.shape[2:]))
        return y.reshape(*x.shape[:2], *y.shape[1:])

    def macs(self, *inputs: Shape) -> int:
        ((steps, *shape),) = inputs
        return int(steps) * self.layer.macs(tuple(shape))


@dataclass(frozen=True, eq=False)
class LinearPerStep(PerStep):
    """Apply a linear layer to each step."""

    linear: ClassVar[bool] = True


def _widened(layer: Conv, shape: Shape) -> Conv:
    return replace(
        layer,
        kernel=layer.kernel.reshape(1, *layer.kernel.shape),
        strides=(1, *layer.strides),
        dilation=(1, *layer.dilation),
        padding=((0, 0), *layer.pads(shape[:-1])),
    )


def _pooled(layer: Pool, steps: int, shape: Shape) -> Chain:
    *sizes, channels = shape
    rank = len(sizes)
    pooled = layer.output_shape(shape)[:-1]
    return (
        *(Permute((*range(1, rank + 1), 0, rank + 1)), Reshape((*sizes, steps * channels)), layer),
        *(Reshape((*pooled, steps, channels)), Permute((rank, *range(rank), rank + 1))),
    )
