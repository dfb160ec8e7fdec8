"""The small MNIST nets that end in a global pool and have biases: what many tutorials build.

Their hidden units reach very unequal largest values, which is hard on a scale that a whole layer shares.
"""

from __future__ import annotations

import keras
from keras import layers

from benchmarks.zoo.architectures import CLASSES, MNIST
from benchmarks.zoo.style import Style

L2 = 1e-3  # on the hidden dense layer; it keeps units that the classes hardly need close to zero


def global_pool(style: Style) -> keras.Model:
    """Build two convolutions, a global average pooling and two dense layers.

    28x28x1 - conv 5x5 / 2 `valid` - 12x12x8 - conv 3x3 `valid` - 10x10x24 - global average pool - 64 - 10.
    """
    image = keras.Input(MNIST, name="image")
    x = style.conv(image, 8, 5, "conv1", strides=2, padding="valid")
    x = layers.GlobalAveragePooling2D(name="pool")(style.conv(x, 24, 3, "conv2", padding="valid"))
    hidden = layers.Dense(
        style.channels(64), activation="relu", kernel_regularizer=keras.regularizers.L2(L2), name="dense1"
    )
    return keras.Model(image, style.classify(hidden(x), CLASSES), name="global_pool")


def causal(style: Style) -> keras.Model:
    """Build three causal convolutions over the rows of an image and a global max pooling.

    28x28x1, read as 28 rows of 28 values - causal conv 5, 32 - causal conv 5, dilation 2, 48 - causal conv 3,
    dilation 4, 64 - global max pool - 10.

    Source: the dilations of van den Oord et al. 2016, arXiv:1609.03499.
    """
    image = keras.Input(MNIST, name="image")
    x = layers.Reshape((28, 28), name="rows")(image)
    for number, (channels, size, dilation) in enumerate(((32, 5, 1), (48, 5, 2), (64, 3, 4)), start=1):
        x = layers.Conv1D(
            style.channels(channels),
            size,
            dilation_rate=dilation,
            padding="causal",
            activation="relu",
            name=f"conv{number}",
        )(x)
    return keras.Model(image, style.classify(layers.GlobalMaxPooling1D(name="pool")(x), CLASSES), name="causal")
