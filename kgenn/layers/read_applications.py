"""Read the layers that keras.applications has of its own."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.merge import ScaledAdd
from kgenn.layers.weights import Weights


def read_layer_scale(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read LayerScale of ConvNeXt: a trained factor for each channel."""
    only(inputs)
    gamma = weights.take("gamma", (config.integer("projection_dim"),))
    return (Rescaling(gamma, np.asarray(0.0)),)


def read_custom_scale(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read CustomScaleLayer of InceptionResNetV2: the first input, and the second one scaled."""
    if len(inputs) != 2:
        raise ValueError(f"takes two inputs, but is called on {len(inputs)}")
    return (ScaledAdd(config.number("scale")),)
