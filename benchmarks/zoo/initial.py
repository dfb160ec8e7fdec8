"""Weights to start from, for deep networks without batch normalisation."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from numpy.typing import NDArray


def scale_to_unit_variance(model: keras.Model, images: NDArray[Any]) -> None:
    """Scale the kernel of each layer so that its output before the ReLU has variance 1 on some images.

    In the order of the layers, kernel ← kernel / std(output), where the layers before are scaled already. The
    activations of dozens of layers without normalisation then neither explode nor vanish. The last layer stays.

    Args:
        images: shape (N, *input shape), some hundreds.

    Source: Mishkin & Matas 2016, arXiv:1511.06422, without its orthogonal matrices.
    """
    for layer in model.layers[:-1]:
        kernel = getattr(layer, "kernel", None)
        if kernel is None:
            continue
        output = keras.Model(model.input, layer.output)(images, training=False)
        deviation = float(ops.convert_to_numpy(ops.std(ops.cast(output, "float32"))))
        kernel.assign(ops.convert_to_numpy(kernel) / max(deviation, 1e-6))
