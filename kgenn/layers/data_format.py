"""Bring inputs whose channels come first to channels last, and outputs back."""

from __future__ import annotations

from dataclasses import dataclass

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.activation import OverAxis
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.shape import Permute

FORMATS = ("channels_last", "channels_first")


@dataclass(frozen=True)
class DataFormat:
    """The layout of a layer's input.

    Attributes:
        shape: of the input, channels last.
        channels: the axis on which the channels stand in the Keras model.
    """

    shape: Shape
    channels: int

    @property
    def enter(self) -> tuple[Layer, ...]:
        """Return the transposition to channels last, if one is needed."""
        rank = len(self.shape)
        if self.channels == rank - 1:
            return ()
        return (Permute((*(axis for axis in range(rank) if axis != self.channels), self.channels)),)

    @property
    def leave(self) -> tuple[Layer, ...]:
        """Return the transposition back."""
        rank = len(self.shape)
        if self.channels == rank - 1:
            return ()
        return (Permute((*range(self.channels), rank - 1, *range(self.channels, rank - 1))),)

    def wrap(self, *layers: Layer, activation: tuple[Layer, ...] = ()) -> tuple[Layer, ...]:
        """Return the chain that enters, runs the layers, applies the activation and leaves.

        One over an axis, such as a softmax, runs over that of the Keras model, so it comes after leaving.
        """
        if any(isinstance(layer, OverAxis) for layer in activation):
            return (*self.enter, *layers, *self.leave, *activation)
        return (*self.enter, *layers, *activation, *self.leave)


def with_channels_on(axis: int, shape: Shape) -> DataFormat:
    """Return the format of an input of the given shape with its channels on the given axis."""
    return DataFormat((*shape[:axis], *shape[axis + 1 :], shape[axis]), axis)


def spatial_rank(config: LayerConfig) -> int:
    """Return 1 or 3 for a layer class of as many dimensions, such as Conv1D or Conv1DTranspose, else 2."""
    return next((rank for rank in (1, 3) if f"{rank}D" in config.class_name), 2)


def data_format(config: LayerConfig, inputs: tuple[Shape, ...], rank: int | None = None) -> DataFormat:
    """Return the data format of a layer over some spatial axes, as many as its class says."""
    shape = only(inputs, (spatial_rank(config) if rank is None else rank) + 1)
    first = config.choice("data_format", FORMATS, "channels_last") == "channels_first"
    return with_channels_on(0 if first else len(shape) - 1, shape)
