"""Image sets in the layout of keras.datasets, and the random shifts and mirror images of the training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Dataset:
    """A training and a test set: images uint8, labels of one axis."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


def load(path: Path) -> Dataset:
    """Read a local .npz that has x_train, y_train, x_test and y_test."""
    with np.load(path) as file:
        x_train, y_train, x_test, y_test = (file[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    return Dataset(x_train, y_train.ravel(), x_test, y_test.ravel())


def download(name: str) -> Dataset:
    """Get a set of `keras.datasets`, which keeps it in its own cache."""
    from keras import datasets

    (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data()
    return Dataset(x_train, y_train.ravel(), x_test, y_test.ravel())


def scale(images: Array) -> Array:
    """Map uint8 pixels to [0, 1] as float32, and give grey images a channel axis."""
    x = images.astype(np.float32) / np.float32(255)
    return x if x.ndim == 4 else x[..., np.newaxis]


def shift(images: Array, max_shift: int, rng: np.random.Generator) -> Array:
    """Move each image by -max_shift … max_shift pixels along each axis; zeros come in at the border.

    Args:
        images: shape (N, height, width, C).
    """
    count, height, width, _ = images.shape
    pad = (max_shift, max_shift)
    padded = np.pad(images, ((0, 0), pad, pad, (0, 0)))
    corners = rng.integers(0, 2 * max_shift + 1, size=(2, count, 1))
    rows = (corners[0] + np.arange(height))[:, :, np.newaxis]
    columns = (corners[1] + np.arange(width))[:, np.newaxis, :]
    shifted: Array = padded[np.arange(count)[:, np.newaxis, np.newaxis], rows, columns]
    return shifted


def mirror(images: Array, rng: np.random.Generator) -> Array:
    """Turn left and right round in half of the images, of shape (N, height, width, C)."""
    turned = rng.random(len(images)) < 0.5
    return np.where(turned[:, np.newaxis, np.newaxis, np.newaxis], images[:, :, ::-1], images)


def cutout(images: Array, size: int, rng: np.random.Generator) -> Array:
    """Blank a square of `size` pixels a side in each image, in part outside it where its centre is at the border.

    Source: DeVries & Taylor 2017, arXiv:1708.04552.
    """
    count, height, width, _ = images.shape
    centres = rng.integers(0, (height, width), size=(count, 2))
    # the square of an even size has its centre at the lower right of its middle
    blank = inside((height, width), centres - 0.5 * (size % 2 == 0), np.full((count, 2), size))
    return np.where(blank[..., np.newaxis], np.zeros((), images.dtype), images)


def cutmix(images: Array, labels: Array, share: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Put a rectangle of another image of the batch into a share of the images.

    The rectangle has the aspect ratio of the image and its centre anywhere. Its area, before it is cut at the
    border, is 0 to 1 of the image. The label is that of both images in proportion to their pixels.

    Args:
        images: shape (N, height, width, C).
        labels: shape (N, classes).

    Source: Yun et al. 2019, arXiv:1905.04899.
    """
    count, height, width, _ = images.shape
    sides = np.sqrt(rng.random(count)) * (rng.random(count) < share)
    centres = rng.random((count, 2))
    other = rng.permutation(count)
    size = np.array([height, width])
    replaced = inside((height, width), centres * size - 0.5, sides[:, np.newaxis] * size)
    taken = replaced.mean(axis=(1, 2), dtype=np.float32)[:, np.newaxis]
    mixed = np.where(replaced[..., np.newaxis], images[other], images)
    return mixed, labels + taken * (labels[other] - labels)


def inside(size: tuple[int, int], centres: Array, sides: Array) -> Array:
    """Tell which pixels lie in a rectangle of each image.

    Args:
        size: height and width of the images.
        centres: of the rectangles, in pixels, of which the first is at 0; rows and columns, shape (N, 2).
        sides: of the rectangles, shape (N, 2).

    Returns:
        Shape (N, height, width), bool.
    """
    rows, columns = (
        np.abs(np.arange(pixels) - centre[:, np.newaxis]) < side[:, np.newaxis] / 2
        for pixels, centre, side in zip(size, centres.T, sides.T, strict=True)
    )
    return rows[:, :, np.newaxis] & columns[:, np.newaxis, :]
