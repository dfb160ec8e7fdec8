"""The residual architectures, one function each, strict unless a batch normalisation is asked for."""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.zoo.architectures import CIFAR, CLASSES
from benchmarks.zoo.style import Style, Tensor


def resnet18(style: Style) -> keras.Model:
    """Build the poster's ResNet18: eight blocks whose branches end in a ReLU before they are added.

    32x32x3 - conv 7x7 - 64 - average pool 3 - 10x10, then two blocks each of 64, 128, 256 and 512 channels, global
    average pool, 10. No ReLU follows the Add; the first block of 128, 256 and 512 channels has stride 2 and a 1x1
    convolution with ReLU on its shortcut.

    Source: a version of mlGeNN's example resnet18.py, the code of the poster "Converting ANN architectures to SNN
    with GeNN".
    """
    return _resnet18(style, "resnet18", identity=False)


def resnet18_identity(style: Style) -> keras.Model:
    """Build the poster's ResNet18 with its identity layers: a 1x1 convolution with ReLU opens each block.

    Source: mlGeNN's example resnet18.py. Where an identity population of Sengupta et al. 2019,
    doi:10.3389/fnins.2019.00095, copies its input, this layer is trained.
    """
    return _resnet18(style, "resnet18_identity", identity=True)


def resnet20(style: Style) -> keras.Model:
    """Build ResNet20 with a ReLU after each Add: nine blocks of 16, 32 and 64 channels.

    Three convolutions come first, as in Sengupta et al. 2019, doi:10.3389/fnins.2019.00095; a shortcut that
    changes its shape is a 1x1 convolution with stride 2.

    Source: mlGeNN's example resnet20_cifar10.py, after He et al. 2016, doi:10.1109/CVPR.2016.90.
    """
    image = x = keras.Input(CIFAR, name="image")
    for number in range(1, 4):
        x = style.conv(x, 16, 3, f"conv{number}")
    for stage, channels in enumerate((16, 32, 64), start=1):
        for block in range(1, 4):
            name, strides = f"block{stage}_{block}", 2 if stage > 1 and block == 1 else 1
            branch = style.drop(style.conv(x, channels, 3, f"{name}_conv1", strides), name)
            branch = style.conv(branch, channels, 3, f"{name}_conv2", relu=False)
            if strides > 1:
                x = style.conv(x, channels, 1, f"{name}_shortcut", strides, relu=False)
            x = layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([branch, x]))
    return _end(style, image, x, "resnet20")


def _resnet18(style: Style, name: str, identity: bool) -> keras.Model:
    image = keras.Input(CIFAR, name="image")
    x = layers.AveragePooling2D(3, name="pool1")(style.conv(image, 64, 7, "conv1"))
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in (1, 2):
            strides = 2 if stage > 1 and block == 1 else 1
            x = _block(style, x, channels, strides, identity, f"block{stage}_{block}")
    return _end(style, image, x, name)


def _block(style: Style, x: Tensor, channels: int, strides: int, identity: bool, name: str) -> Tensor:
    """Add a branch of two convolutions to the shortcut, each rectified."""
    if identity:
        x = style.conv(x, channels, 1, f"{name}_identity")
    branch = style.drop(style.conv(x, channels, 3, f"{name}_conv1", strides), f"{name}_conv1")
    branch = style.drop(style.conv(branch, channels, 3, f"{name}_conv2"), f"{name}_conv2")
    if strides > 1:
        x = style.conv(x, channels, 1, f"{name}_shortcut", strides)
    return layers.Add(name=f"{name}_add")([branch, x])


def _end(style: Style, image: Tensor, x: Tensor, name: str) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, style.classify(x, CLASSES), name=name)
