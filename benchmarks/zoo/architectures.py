"""The architectures, one function each, and one table of how they are trained.

Every network here is strict: no bias, ReLU, average pooling, padding `valid` or `same`, a softmax at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers


@dataclass(frozen=True)
class Recipe:
    """A network and how it is trained.

    Attributes:
        build: return the untrained network.
        dataset: the name of its data set in `keras.datasets`.
        epochs: passes over the training set.
        batch_size: images for one update.
        learning_rate: at the start; it falls to zero along a cosine.
        weight_decay: of AdamW, decoupled from the gradient.
        max_shift: the augmentation moves each image by up to so many pixels along each axis.
    """

    build: Callable[[], keras.Model]
    dataset: str
    epochs: int
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    max_shift: int = 2


def mnist_cnn() -> keras.Model:
    """Build two convolutions and two fully connected layers, with 79,376 weights.

    28x28x1 - conv 5x5 - 24x24x16 - pool - 12x12x16 - conv 3x3 - 12x12x32 - pool - 6x6x32 - 64 - 10.
    """
    return keras.Sequential(
        [
            keras.Input((28, 28, 1), name="image"),
            layers.Conv2D(16, 5, activation="relu", use_bias=False, name="conv1"),
            layers.AveragePooling2D(2, name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", use_bias=False, name="conv2"),
            layers.AveragePooling2D(2, name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", use_bias=False, name="dense1"),
            layers.Dense(10, activation="softmax", use_bias=False, name="dense2"),
        ],
        name="mnist_cnn",
    )


RECIPES: dict[str, Recipe] = {
    "mnist-cnn": Recipe(build=mnist_cnn, dataset="mnist", epochs=30),
}
