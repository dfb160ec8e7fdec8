"""Read operations that run along an axis: running sums, and differences of neighbours."""

from __future__ import annotations

import numpy as np

from kgenn.ir.graph import Layer, Shape
from kgenn.layers.along import Along, check_matrix
from kgenn.layers.config import LayerConfig, only
from kgenn.layers.weights import Weights


def read_cumulative(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read the sums of the values up to each position of an axis."""
    shape = only(inputs)
    axis = config.axis(config.argument(1, "axis", default=None), len(shape))
    dtype = config.argument(2, "dtype", default="float32")
    if dtype != "float32":
        raise config.odd("dtype", dtype, "float32")
    reverse, exclusive = config.flag("reverse", False), config.flag("exclusive", False)
    check_matrix(shape[axis], shape[axis])
    matrix = np.tri(shape[axis], k=-1 if exclusive else 0, dtype=np.float32)
    return (Along(matrix.T if reverse else matrix, axis - len(shape)),)


def read_difference(config: LayerConfig, weights: Weights, inputs: tuple[Shape, ...]) -> tuple[Layer, ...]:
    """Read the differences of neighbours along an axis, once or several times."""
    shape = only(inputs)
    axis = config.axis(config.argument(2, "axis", default=-1), len(shape))
    length, times = shape[axis], config.argument(1, "n", default=1)
    if not isinstance(times, int) or not 0 < times < length:
        raise config.odd("n", times, f"a whole number from 1 to {length - 1}")
    check_matrix(length, length)
    matrix = np.diff(np.eye(length, dtype=np.float32), times, axis=0)
    return (Along(matrix, axis - len(shape)),)
