"""Build the network, and the images, that the engines are timed on.

    python -m benchmarks.engine.network -o engine.h5

writes engine.h5, untrained, and engine.npz with random images labelled by the network's own predictions. Weights
and images come from a seed by NumPy, so that they are the same with every Keras and backend. Images of independent
pixels differ too little for an untrained network to tell them apart: expect one label for all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from benchmarks.zoo.files import replacing, save_model

Array = NDArray[Any]

IMAGE = (32, 32, 3)
FILTERS = (64, 64, 128, 128, 256, 256)  # a pooling follows each second convolution
UNITS = 512
CLASSES = 10
NUM_IMAGES = 512  # enough for batches of 32 on 16 threads


def network(width: float = 1.0, seed: int = 1) -> keras.Model:
    """Build six convolutions 3x3 `same` with average pooling, and two dense layers, without biases.

    32x32x3 - 64 - 64 - pool - 128 - 128 - pool - 256 - 256 - pool - 512 - 10, with ReLU, and a softmax at the end.
    The weights are those of He et al. 2015, arXiv:1502.01852: normal with the variance 2 / fan-in.

    Args:
        width: multiplies the channels of each layer but the last.
        seed: of the weights.
    """
    image = x = keras.Input(IMAGE, name="image")
    for i, filters in enumerate(FILTERS):
        x = layers.Conv2D(
            _scaled(filters, width), 3, padding="same", activation="relu", use_bias=False, name=f"conv{i + 1}"
        )(x)
        if i % 2:
            x = layers.AveragePooling2D(2, name=f"pool{(i + 1) // 2}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(_scaled(UNITS, width), activation="relu", use_bias=False, name="dense1")(x)
    x = layers.Dense(CLASSES, activation="softmax", use_bias=False, name="dense2")(x)
    model = keras.Model(image, x, name="engine")
    rng = np.random.default_rng(seed)
    model.set_weights([_he_normal(weight.shape, rng) for weight in model.weights])
    return model


def random_images(count: int, seed: int = 1) -> Array:
    """Return uint8 images of independent uniform pixels, shape (count, 32, 32, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *IMAGE), dtype=np.uint8)


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def _he_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    """Return float32 weights of variance 2 / fan-in; the last axis counts the outputs."""
    deviation = np.sqrt(2 / np.prod(shape[:-1]))
    return (deviation * rng.standard_normal(shape)).astype(np.float32)


@click.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .h5 or .keras to write.")
@click.option("--width", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True)
@click.option("--images", type=click.IntRange(min=1), default=NUM_IMAGES, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
def main(output: Path, width: float, images: int, seed: int) -> None:
    """Write the network, and beside it a .npz with random images `x` and the network's predictions `y`."""
    model, x = network(width, seed), random_images(images, seed)
    y = model.predict(x / np.float32(255), batch_size=64, verbose=0).argmax(axis=1)
    save_model(model, output)
    with replacing(output.with_suffix(".npz")) as temporary:
        np.savez(temporary, x=x, y=y.astype(np.uint8))
    click.echo(f"{output}: {model.count_params()} weights; {output.with_suffix('.npz')}: {images} images")


if __name__ == "__main__":
    main()
