"""The architectures with smooth activations and products, one function each: what no strict network has.

Their activations are swish and GELU. A squeeze-and-excitation multiplies each channel by a gate, and a layer
normalisation divides by a standard deviation. Layers have the names of `style.py`; dropout is in front of the
classes alone.
"""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.zoo.architectures import CIFAR, CLASSES, MNIST
from benchmarks.zoo.style import Style, Tensor

REDUCTION = 4  # channels for each unit of a squeeze


def swish_se(style: Style) -> keras.Model:
    """Build five convolutions with batch normalisation and swish, squeeze-and-excitation after the last three.

    32x32x3 - conv 3x3 / 2 - 16x16x16 - conv 3x3 - 24 - conv 3x3 / 2 - 8x8x48 - block of 48 channels with its input
    added - conv 3x3 / 2 - 4x4x96 - global average pool - 10. It always has batch normalisation.

    Source: swish, batch normalisation and gates as in EfficientNet, Tan & Le 2019, arXiv:1905.11946; plain
    convolutions in place of its inverted bottlenecks.
    """
    image = keras.Input(CIFAR, name="image")
    x = _conv_swish(style, image, 16, "conv1", strides=2)
    x = _conv_swish(style, x, 24, "conv2")
    x = _excite(_conv_swish(style, x, 48, "conv3", strides=2), "se3")
    branch = _excite(_conv_swish(style, x, 48, "conv4"), "se4")
    x = layers.Add(name="add4")([x, branch])
    x = _excite(_conv_swish(style, x, 96, "conv5", strides=2), "se5")
    x = style.drop(layers.GlobalAveragePooling2D(name="pool")(x), "pool")
    return keras.Model(image, _classify(x), name="swish_se")


def convnext(style: Style) -> keras.Model:
    """Build a ConvNeXt of three blocks for images of 28x28, with GELU and layer normalisation.

    28x28x1 - conv 4x4 / 4 - 7x7x32 - layer norm - three blocks (depthwise conv 5x5, layer norm, 64 with GELU, 32,
    input added) - global average pool - layer norm - 10. Its blocks have no layer scale.

    Source: Liu et al. 2022, arXiv:2201.03545.
    """
    image = keras.Input(MNIST, name="image")
    channels = style.channels(32)
    x = layers.Conv2D(channels, 4, strides=4, name="patches")(image)
    x = layers.LayerNormalization(epsilon=1e-6, name="patches_norm")(x)
    for number in range(1, 4):
        x = layers.Add(name=f"block{number}_add")([x, _convnext_branch(x, channels, f"block{number}")])
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name="pool_norm")(x)
    return keras.Model(image, _classify(style.drop(x, "pool")), name="convnext")


def _conv_swish(style: Style, x: Tensor, channels: int, name: str, strides: int = 1) -> Tensor:
    """Convolve 3x3, normalise over the batch, and apply swish."""
    linear = layers.Conv2D(
        style.channels(channels),
        3,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=name,
    )
    x = layers.BatchNormalization(name=f"{name}_bn")(linear(x))
    return layers.Activation("swish", name=f"{name}_swish")(x)


def _excite(x: Tensor, name: str) -> Tensor:
    """Multiply each channel by a gate in (0, 1), computed from the means of all channels."""
    channels = x.shape[-1]
    gate = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    gate = layers.Conv2D(max(1, channels // REDUCTION), 1, activation="swish", name=f"{name}_reduce")(gate)
    gate = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_expand")(gate)
    return layers.Multiply(name=f"{name}_excite")([x, gate])


def _convnext_branch(x: Tensor, channels: int, name: str) -> Tensor:
    """Convolve each channel, normalise over the channels, and mix them by two dense layers."""
    x = layers.DepthwiseConv2D(5, padding="same", name=f"{name}_depthwise")(x)
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)
    x = layers.Dense(2 * channels, activation="gelu", name=f"{name}_expand")(x)
    return layers.Dense(channels, name=f"{name}_project")(x)


def _classify(x: Tensor) -> Tensor:
    """Connect fully to one unit for each class, with biases and a softmax; always in float32."""
    return layers.Dense(CLASSES, activation="softmax", dtype="float32", name="classes")(x)
