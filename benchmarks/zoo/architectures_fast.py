"""Networks for CIFAR-10 that reach the accuracy of the field in an hour or two of one processor core."""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.zoo.architectures import CIFAR, CLASSES
from benchmarks.zoo.style import Style, Tensor

STEM, STAGES = 24, (64, 256, 256)


def fast_vgg(style: Style) -> keras.Model:
    """Build six convolutions 3x3 in three stages behind one of 2x2, with average pooling.

    32x32x3 - conv 2x2 `valid` - 31x31x24 - [conv, pool, conv] with 64, 256 and 256 channels - global average
    pool - 10.

    Source: the layers and widths of Jordan 2024, arXiv:2404.00498, with ReLU in place of GELU, the pooling behind
    the ReLU, a trained first convolution and an average at the end.
    """
    return _fast_vgg(style, layers.AveragePooling2D, "fast_vgg")


def fast_vgg_max(style: Style) -> keras.Model:
    """Build `fast_vgg` with max pooling between its stages."""
    return _fast_vgg(style, layers.MaxPooling2D, "fast_vgg_max")


def fast_resnet(style: Style) -> keras.Model:
    """Build `fast_vgg_max` with a residual block of two convolutions in place of the second one of each stage.

    Source: the block of He et al. 2016, doi:10.1109/CVPR.2016.90, with a ReLU after the sum.
    """
    image, x = _stem(style)
    for stage, channels in enumerate(STAGES, start=1):
        x = _pooled(style, x, channels, layers.MaxPooling2D, stage)
        name = f"block{stage}"
        branch = style.conv(x, channels, 3, f"{name}_conv1")
        branch = style.conv(branch, channels, 3, f"{name}_conv2", relu=False)
        x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([branch, x]))
    return _end(style, image, x, "fast_resnet")


def _fast_vgg(style: Style, pool: type[keras.Layer], name: str) -> keras.Model:
    image, x = _stem(style)
    for stage, channels in enumerate(STAGES, start=1):
        x = style.conv(_pooled(style, x, channels, pool, stage), channels, 3, f"conv{stage}_2")
    return _end(style, image, x, name)


def _stem(style: Style) -> tuple[Tensor, Tensor]:
    image = keras.Input(CIFAR, name="image")
    return image, style.conv(image, STEM, 2, "stem", padding="valid")


def _pooled(style: Style, x: Tensor, channels: int, pool: type[keras.Layer], stage: int) -> Tensor:
    return pool(2, name=f"pool{stage}")(style.conv(x, channels, 3, f"conv{stage}_1"))


def _end(style: Style, image: Tensor, x: Tensor, name: str) -> keras.Model:
    x = style.drop(layers.GlobalAveragePooling2D(name="pool")(x), "pool")
    return keras.Model(image, style.classify(x, CLASSES), name=name)
