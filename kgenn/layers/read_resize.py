"""Read layers and operations that resize images, as tensorflow.image.resize does.

Pixel i of n new ones lies at (i + ½) m/n − ½ of m old ones. `nearest` takes the pixel that this is in, `bilinear`
mixes the two beside it; beyond the ends it takes the last one. With antialiasing it mixes all pixels within m/n of
it, where m is larger than n. `bicubic` mixes the four about it by the cubic of Keys with a = −½, without those
beyond the ends; distances are rounded to 1/1,024, as in TensorFlow.

Source: Keys 1981, doi:10.1109/TASSP.1981.1163711.
"""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.activation import Identity
from kgenn.layers.along import Along, Take, check_matrix, check_positions
from kgenn.layers.config import LayerConfig
from kgenn.layers.data_format import data_format
from kgenn.layers.shape import ZeroPad
from kgenn.layers.weights import Weights

Chain = tuple[Layer, ...]
METHODS = ("nearest", "bilinear", "bicubic")
# Steps of the table of the cubic between two pixels.
_STEPS = 1024


def read_resizing(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read Resizing; Keras before 2.7 has no ratio to keep."""
    size = (config.integer("height"), config.integer("width"))
    return _resized(config, inputs, size, str(config.get("interpolation", "bilinear")))


def read_resize(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read an image that is resized by an operation."""
    size = config.argument(1, "size")
    if not isinstance(size, list) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
        raise config.odd("size", size, "two positive integers")
    return _resized(
        config, inputs, (size[0], size[1]), str(config.argument(2, "interpolation", "method", default="bilinear"))
    )


def read_center_crop(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read CenterCrop, which resizes what is smaller than the crop, its ratio kept."""
    layout = data_format(config, inputs, 2)
    size = (config.integer("height"), config.integer("width"))
    sizes = layout.shape[:2]
    if size[0] > sizes[0] or size[1] > sizes[1]:
        return layout.wrap(*_window(sizes, size), *interpolated(_cropped(sizes, size), size, "bilinear"))
    starts = [(old - new) // 2 for old, new in zip(sizes, size, strict=True)]
    return layout.wrap(*_part(starts, size) or (Identity(),))


def read_random_crop(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> Chain:
    """Read RandomCrop to the size of its input; of others, versions of Keras make different things."""
    layout = data_format(config, inputs, 2)
    size = (config.integer("height"), config.integer("width"))
    if layout.shape[:2] != size:
        what = f"crops {layout.shape[:2]} to {size} in training; at inference versions of Keras differ"
        raise config.error("KG107", what, "use CenterCrop or Resizing, and crop the training data at random")
    return (Identity(),)


def _resized(config: LayerConfig, inputs: tuple[Shape, ...], size: tuple[int, int], method: str) -> Chain:
    if method not in METHODS:
        raise config.odd("interpolation", method, ", ".join(METHODS))
    smooth = config.flag("antialias", False)
    if smooth and method == "bicubic":
        raise config.odd("antialias", True, "false for bicubic")
    layout = data_format(config, inputs, 2)
    sizes = layout.shape[:2]
    before: Chain = ()
    if config.flag("crop_to_aspect_ratio", False):
        before, sizes = _window(sizes, size), _cropped(sizes, size)
    elif config.flag("pad_to_aspect_ratio", False) or config.flag("preserve_aspect_ratio", False):
        if config.flag("preserve_aspect_ratio", False) or config.number("fill_value", 0.0):
            raise config.odd("fill_value, preserve_aspect_ratio", "others", "0, false")
        around = tuple((max(0, int((_whole(sizes, size, i) - sizes[i]) / 2)),) * 2 for i in (0, 1))
        before = (ZeroPad(around),) if any(map(any, around)) else ()
        sizes = tuple(old + 2 * pad for old, (pad, _) in zip(sizes, around, strict=True))
    return layout.wrap(*(*before, *interpolated(sizes, size, method, smooth)) or (Identity(),))


def _whole(sizes: Shape, size: Shape, axis: int) -> int:
    """Return the length of an axis with the other's ratio to the target, rounded down as float32."""
    return int(np.float32(sizes[1 - axis] * size[axis]) / np.float32(size[1 - axis]))


def _cropped(sizes: Shape, size: Shape) -> Shape:
    """Return the largest window of a ratio in an image."""
    return tuple(max(1, min(sizes[axis], _whole(sizes, size, axis))) for axis in (0, 1))


def _window(sizes: Shape, size: Shape) -> Chain:
    """Return the layers that take this window, from the middle."""
    window = _cropped(sizes, size)
    return _part([(old - new) // 2 for old, new in zip(sizes, window, strict=True)], window)


def _part(starts: list[int], size: Shape) -> Chain:
    """Return the layers that take the pixels from some on."""
    check_positions(*size)
    return tuple(
        Take(np.arange(start, start + n), axis) for axis, start, n in zip((-3, -2), starts, size, strict=True)
    )


def interpolated(sizes: Shape, size: Shape, method: str, smooth: bool = False) -> Chain:
    """Return a layer for each axis whose length changes; the shapes are (height, width).

    Args:
        smooth: whether an axis that gets shorter is smoothed by as much, which `nearest` does not do.
    """
    for old, new in zip(sizes, size, strict=True):
        check_positions(old, new)
        check_matrix(new, old)
    return tuple(
        Take(_nearest(old, new), axis) if method == "nearest" else Along(_mixed(old, new, method, smooth), axis)
        for axis, old, new in zip((-3, -2), sizes, size, strict=True)
        if old != new
    )


def _centres(old: int, new: int) -> Array:
    """Return the places of the new pixels' centres, from 0 to `old`, in float32 as TensorFlow has them."""
    places: Array = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * np.float32(
        np.float32(old) / np.float32(new)
    )
    return places


def _nearest(old: int, new: int) -> Array:
    return np.minimum(np.floor(_centres(old, new)).astype(np.int64), old - 1)


def _mixed(old: int, new: int, method: str, smooth: bool) -> Array:
    """Return the matrix that mixes the old pixels, shape (new, old)."""
    if method == "bicubic":
        return _bicubic(old, new)
    return _smoothed(old, new) if smooth else _bilinear(old, new)


def _bicubic(old: int, new: int) -> Array:
    """Return the matrix that mixes the four pixels about each place."""
    place = _centres(old, new) - np.float32(0.5)
    below = np.floor(place)
    share = np.rint((place - below) * _STEPS) / _STEPS
    matrix = np.zeros((new, old))
    for step in (-1, 0, 1, 2):
        far = np.abs(share - step)
        near = (1.5 * far - 2.5) * far**2 + 1
        beyond = ((-0.5 * far + 2.5) * far - 4) * far + 2
        pixel = (below + step).astype(np.int64)
        inside = (pixel >= 0) & (pixel < old)
        matrix[np.flatnonzero(inside), pixel[inside]] = np.where(far <= 1, near, beyond)[inside]
    rows: Array = matrix / matrix.sum(axis=1, keepdims=True)
    return rows


def _bilinear(old: int, new: int) -> Array:
    """Return the matrix that mixes the two pixels beside each place."""
    place = _centres(old, new) - np.float32(0.5)
    below = np.floor(place)
    matrix = np.zeros((new, old))
    for neighbour, share in ((below, 1 - (place - below)), (below + 1, place - below)):
        np.add.at(matrix, (np.arange(new), np.clip(neighbour, 0, old - 1).astype(np.int64)), share)
    return matrix


def _smoothed(old: int, new: int) -> Array:
    """Return the matrix of triangles about each place, as wide as the new pixels are; each row adds up to 1."""
    distance = np.abs(np.arange(old) + 0.5 - _centres(old, new).astype(np.float64)[:, None])
    triangles = np.maximum(1 - distance / max(old / new, 1.0), 0)
    rows: Array = triangles / triangles.sum(axis=1, keepdims=True)
    return rows
