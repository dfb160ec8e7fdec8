"""Train a strict network as stably as one with batch normalisation: without its shifts, which would be biases.

A batch normalisation divides by a standard deviation, and what it subtracts and adds remains as a bias when it is
merged into the layer before. A division by a root mean square leaves a factor of each channel and nothing else, so
that the trained network is strict. In place of the subtraction, the kernels have mean zero: what all inputs of a
neuron have in common does not reach it.
"""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import layers, ops

from benchmarks.zoo.rebuild import rebuilt
from benchmarks.zoo.style import NORMALISATION


@keras.saving.register_keras_serializable("kgenn.zoo")
class ZeroMean(keras.constraints.Constraint):
    """Subtract from the kernel of each channel, the last axis, its mean."""

    def __call__(self, w: Any) -> Any:
        return w - ops.mean(w, axis=tuple(range(len(w.shape) - 1)), keepdims=True)


@keras.saving.register_keras_serializable("kgenn.zoo")
class BatchScale(layers.Layer):
    """Compute γ · x / √(mean(x²) + ε) for each channel, the last axis.

    The mean is of the batch in training, and its running average elsewhere.

    Attributes:
        kernel_constraint: for the convolutions and dense layers that it follows.

    Source: Zhang & Sennrich 2019, arXiv:1910.07467, for the root mean square, here of a channel over a batch, and
    Qiao et al. 2019, arXiv:1903.10520, for kernels of mean zero.
    """

    kernel_constraint: ClassVar = ZeroMean()
    momentum, epsilon = 0.9, 1e-3

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        exact = {"shape": input_shape[-1:], "initializer": "ones", "autocast": False}
        self.gamma = self.add_weight(name="gamma", **exact)
        self.square = self.add_weight(name="square", trainable=False, **exact)

    def call(self, inputs: Any, training: bool = False) -> Any:
        square = ops.convert_to_tensor(self.square)
        if training:
            square = ops.mean(ops.square(ops.cast(inputs, "float32")), axis=range(len(inputs.shape) - 1))
            self.square.assign(self.momentum * self.square + (1 - self.momentum) * square)
        return inputs * ops.cast(self._factors(square), inputs.dtype)

    @property
    def factors(self) -> Any:
        """Return what multiplies each channel outside training, shape (channels,)."""
        return ops.convert_to_numpy(self._factors(self.square))

    def _factors(self, square: Any) -> Any:
        """Return γ / √(square + ε) for the mean square of each channel."""
        return self.gamma * ops.rsqrt(square + self.epsilon)


def folded(model: keras.Model) -> keras.Model:
    """Return the network without its BatchScale layers: their factors are in the kernels before them.

    It has standard layers only, so that its file opens without this module.
    """
    scales = [layer for layer in model.layers if isinstance(layer, BatchScale)]

    def clone(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        free = {"kernel_constraint": None} if "kernel_constraint" in config else {}
        return type(layer).from_config({**config, **free})

    def call(layer: layers.Layer, *args: Any, **kwargs: Any) -> Any:
        return args[0] if isinstance(layer, BatchScale) else layer(*args, **kwargs)

    new = rebuilt(model, clone, call)
    for scale in scales:
        layer = new.get_layer(scale.name.removesuffix(NORMALISATION))
        (kernel,) = layer.get_weights()
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        layer.set_weights([kernel * (scale.factors.reshape(kernel.shape[-2:]) if depthwise else scale.factors)])
    return new
