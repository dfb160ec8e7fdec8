"""The architectures without branches, one function each; `table.py` names them and says how they are trained.

Unless its docstring says otherwise a network is strict: no bias, ReLU, average pooling, padding `valid` or `same`,
a softmax at the end. Inputs are images of values in [0, 1], channels last; outputs are ten probabilities. The
channels given are those of width 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from benchmarks.zoo.style import Style, Tensor

CLASSES = 10
MNIST, CIFAR = (28, 28, 1), (32, 32, 3)


def mnist_cnn(style: Style) -> keras.Model:
    """Build two convolutions and two dense layers, with 79,376 weights.

    28x28x1 - conv 5x5 `valid` - 24x24x16 - pool - conv 3x3 - 12x12x32 - pool - 64 - 10.
    """
    image = keras.Input(MNIST, name="image")
    x = style.conv(image, 16, 5, "conv1", padding="valid")
    x = layers.AveragePooling2D(2, name="pool1")(x)
    x = layers.AveragePooling2D(2, name="pool2")(style.conv(x, 32, 3, "conv2"))
    x = style.dense(layers.Flatten(name="flatten")(x), 64, "dense1")
    return keras.Model(image, style.classify(x, CLASSES), name="mnist_cnn")


def ttfs_mnist(style: Style) -> keras.Model:
    """Build two convolutions, two max poolings and two dense layers, with biases: not strict.

    28x28x1 - conv 3x3 - 32 - pool - conv 3x3 - 64 - pool - 1024 - 10. The sizes are chosen here: they make 7.06
    million multiply-accumulates, half of the 14.3 million FLOPs that the paper states.

    Source: López-Randulfe, Reeb & Knoll 2022, on conversion with linear time-to-first-spike codes.
    """
    image = keras.Input(MNIST, name="image")
    x = layers.MaxPooling2D(2, name="pool1")(style.conv(image, 32, 3, "conv1"))
    x = layers.MaxPooling2D(2, name="pool2")(style.conv(x, 64, 3, "conv2"))
    x = style.dense(layers.Flatten(name="flatten")(x), 1024, "dense1")
    return keras.Model(image, style.classify(x, CLASSES), name="ttfs_mnist")


def vgg13(style: Style) -> keras.Model:
    """Build VGG13 for images of 32x32: ten convolutions 3x3, a pooling after every two, two hidden dense layers.

    The poster "Converting ANN architectures to SNN with GeNN" names VGG13 and gives no sizes; these are those of
    configuration B of Simonyan & Zisserman 2015, arXiv:1409.1556, as mlGeNN's VGG16 has them for CIFAR-10.
    """
    return _vgg(style, "vgg13", ((64, 2), (128, 2), (256, 2), (512, 2), (512, 2)))


def vgg16(style: Style) -> keras.Model:
    """Build VGG16 for images of 32x32: thirteen convolutions 3x3, five poolings, two hidden dense layers.

    Source: mlGeNN's example vgg16_cifar10.py, after Sengupta et al. 2019, doi:10.3389/fnins.2019.00095.
    """
    return _vgg(style, "vgg16", ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)))


def alexnet(style: Style) -> keras.Model:
    """Build AlexNet for images of 32x32: five convolutions, three poolings, two hidden dense layers of 4,096.

    Source: mlGeNN's example alexnet.py, after Krizhevsky, Sutskever & Hinton 2012.
    """
    image = keras.Input(CIFAR, name="image")
    x = layers.AveragePooling2D(2, name="pool1")(style.conv(image, 96, 11, "conv1"))
    x = layers.AveragePooling2D(2, name="pool2")(style.conv(x, 256, 5, "conv2"))
    for number, channels in ((3, 384), (4, 384), (5, 256)):
        x = style.conv(x, channels, 3, f"conv{number}")
    x = layers.AveragePooling2D(2, name="pool3")(x)
    return _head(style, image, x, "alexnet")


def mobilenet(style: Style) -> keras.Model:
    """Build MobileNetV1 for images of 32x32: thirteen pairs of a depthwise and a 1x1 convolution.

    Three of the five halvings of the original are left out, so that the last maps are 4x4 and not one pixel.

    Source: Howard et al. 2017, arXiv:1704.04861. The poster built it with grouped convolutions and has no figure.
    """
    image = keras.Input(CIFAR, name="image")
    x = style.conv(image, 32, 3, "conv1")
    pairs = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 1), (1024, 1))
    for number, (channels, strides) in enumerate(pairs, start=1):
        x = style.depthwise(x, f"depthwise{number}", strides)
        x = style.conv(x, channels, 1, f"pointwise{number}")
    x = style.drop(layers.GlobalAveragePooling2D(name="pool")(x), "pool")
    return keras.Model(image, style.classify(x, CLASSES), name="mobilenet")


def _vgg(style: Style, name: str, stages: Sequence[tuple[int, int]]) -> keras.Model:
    """Build a VGG from (channels, convolutions) of each stage; dropout only after the dense layers."""
    image = x = keras.Input(CIFAR, name="image")
    for stage, (channels, count) in enumerate(stages, start=1):
        for number in range(1, count + 1):
            x = style.conv(x, channels, 3, f"conv{stage}_{number}")
        x = layers.AveragePooling2D(2, name=f"pool{stage}")(x)
    return _head(style, image, x, name)


def _head(style: Style, image: Tensor, x: Tensor, name: str) -> keras.Model:
    """End a network with two dense layers of 4,096 units and the classes."""
    x = style.drop(layers.Flatten(name="flatten")(x), "flatten")
    x = style.dense(style.dense(x, 4096, "dense1"), 4096, "dense2")
    return keras.Model(image, style.classify(x, CLASSES), name=name)
