"""Read the layers that normalise by their own input."""

from __future__ import annotations

from math import prod

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.affine import Rescaling
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.data_format import with_channels_on
from kgenn.layers.normalise import Standardise
from kgenn.layers.read_moves import axes_of
from kgenn.layers.read_reductions import reduced_axes
from kgenn.layers.weights import Weights

_TF_NORMALIZE = "tf.math.l2_normalize"


def read_layer_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read LayerNormalization, along any axes; its gains may be of their root mean square alone."""
    shape = only(inputs)
    axes = _axes(config, shape, -1)
    scaled = config.flag("rms_scaling", False)
    kept = tuple(shape[axis] for axis in axes)
    gamma = weights.take("gamma", kept) if scaled or config.flag("scale", True) else None
    beta = weights.take("beta", kept) if config.flag("center", True) and not scaled else None
    if scaled:
        # Keras divides by the variance, but takes no mean away
        raise config.bad("rms_scaling", "false; use RMSNormalization")
    standard = Standardise(shape, axes, _epsilon(config, 1e-3))
    return (standard, *gains(gamma, beta, shape, axes))


def read_rms_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read RMSNormalization."""
    shape = only(inputs)
    axes = _axes(config, shape, -1)
    gamma = weights.take("scale", tuple(shape[axis] for axis in axes))
    standard = Standardise(shape, axes, _epsilon(config, 1e-6), centred=False)
    return (standard, *gains(gamma, None, shape, axes))


def read_unit_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read UnitNormalization."""
    shape = only(inputs)
    return (Standardise(shape, _axes(config, shape, -1), 1e-12, centred=False, total=True, least=True),)


def read_normalize(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read keras.ops.normalize of order 2, or tf.math.l2_normalize: x divided by its length along axes.

    Keras bounds the length by epsilon from below, TensorFlow its square.
    """
    shape = only(inputs)
    order = config.get("order", 2)
    if order != 2:
        raise config.odd("order", order, "2")
    axes = tuple(reduced_axes(config, shape))
    least = _epsilon(config, 1e-12) if config.class_name == _TF_NORMALIZE else _epsilon(config, 1e-7) ** 2
    return (Standardise(shape, axes, least, centred=False, total=True, least=True),)


def read_group_norm(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read GroupNormalization; its channels may lie on any axis."""
    layout = with_channels_on(config.axis(config.get("axis", -1), len(only(inputs))), only(inputs))
    *sizes, channels = layout.shape
    groups = config.integer("groups", 32, minimum=-1)
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        raise config.bad("groups", f"a divisor of the {channels} channels, or -1")
    gamma = weights.take("gamma", (channels,)) if config.flag("scale", True) else None
    beta = weights.take("beta", (channels,)) if config.flag("center", True) else None
    view = (*sizes, groups, channels // groups)
    axes = (*range(len(sizes)), len(sizes) + 1)
    standard = Standardise(view, axes, _epsilon(config, 1e-3))
    return layout.wrap(standard, *gains(gamma, beta, layout.shape, (len(sizes),)))


def _axes(config: LayerConfig, shape: Shape, default: int) -> Shape:
    return tuple(sorted(set(axes_of(config, config.get("axis", default), len(shape)))))


def _epsilon(config: LayerConfig, default: float) -> float:
    epsilon = config.number("epsilon", default)
    if epsilon <= 0:
        raise config.bad("epsilon", "a number above 0")
    return epsilon


def gains(gamma: Array | None, beta: Array | None, shape: Shape, axes: Shape) -> tuple[Layer, ...]:
    """Return the layer that multiplies and shifts, if one is needed, with values along some axes."""
    if gamma is None and beta is None:
        return ()
    wide = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    # leading axes of length 1 say nothing, and one value for each channel is the usual case
    lead = next((axis for axis, size in enumerate(wide) if size > 1 or prod(wide) == 1), 0)
    scale = np.ones(1, np.float32) if gamma is None else gamma.reshape(wide[lead:])
    shift = np.zeros(1, np.float32) if beta is None else beta.reshape(wide[lead:])
    return (Rescaling(scale, shift),)
