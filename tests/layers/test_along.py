"""Linear layers reach what they compute, and those along one axis refuse axes that no model has."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.ir.reach import Reach
from kgenn.layers.adaptive import AdaptivePool
from kgenn.layers.along import Along, Take
from kgenn.layers.cropping import Crop
from kgenn.layers.local import LocallyConnected
from kgenn.layers.per_step import LinearPerStep, per_step
from kgenn.layers.pointwise import Pointwise
from kgenn.layers.upsampling import UpSample

pytestmark = pytest.mark.quick

RNG = np.random.default_rng(0)
SPARSE = RNG.normal(size=(5, 4)) * (RNG.random((5, 4)) > 0.5)
LAYERS: dict[str, tuple[Layer, Shape]] = {
    "rows mixed": (Along(SPARSE, -3), (4, 3, 2)),
    "columns mixed": (Along(SPARSE, -2), (3, 4, 2)),
    "channels mixed": (Along(SPARSE, -1), (3, 4)),
    "enlarged": (UpSample((2, 3), "bilinear"), (3, 2, 2)),
    "a box enlarged": (UpSample((2, 1, 3)), (2, 2, 2, 1)),
    "a box cut": (Crop(((1, 0), (0, 1), (1, 1))), (3, 2, 4, 2)),
    "windows of many sizes": (AdaptivePool((3, 2)), (7, 3, 2)),
    "kernels of each position": (LocallyConnected(RNG.normal(size=(2, 3, 2, 1, 2, 3)), None, (2, 1)), (5, 3, 2)),
    "rows taken": (Take(np.array([2, 0, 0, 3]), -2), (4, 3)),
}


def matrix_of(reach: Reach, count: int, size: int) -> Array:
    """Return the contributions of some values as a matrix, added up."""
    matrix = np.zeros((count, size))
    np.add.at(matrix, (reach.rows, reach.targets), reach.factors)
    return matrix


@pytest.mark.parametrize("name", LAYERS)
def test_what_values_reach_is_what_unit_vectors_give(name: str) -> None:
    layer, shape = LAYERS[name]
    positions = RNG.permutation(np.prod(shape))[:7]
    size = int(np.prod(layer.output_shape(shape)))
    found = matrix_of(layer.reach(shape, positions), 7, size)
    np.testing.assert_allclose(found, matrix_of(Layer.reach(layer, shape, positions), 7, size), atol=1e-12)


@pytest.mark.parametrize("indices", [[4], [-1], []])
def test_positions_outside_the_axis_are_refused(indices: list[int]) -> None:
    with pytest.raises(ValueError, match=r"positions up to|nothing is left"):
        Take(np.asarray(indices, np.int64), -1).output_shape((4,))


def test_a_layer_applied_to_steps_gives_what_it_gives_for_each() -> None:
    layer = Pointwise(RNG.normal(size=(2, 2, 3)))
    x = RNG.normal(size=(2, 5, 6, 4))
    y = x
    for step in per_step(layer, 5, (6, 4)):
        y = step.forward(y)
    np.testing.assert_allclose(y, np.stack([layer.forward(x[:, i]) for i in range(5)], axis=1))
    wrapped = LinearPerStep(layer)
    np.testing.assert_allclose(wrapped.forward(x), y)
    assert wrapped.output_shape(x.shape[1:]) == y.shape[1:]
    assert wrapped.macs(x.shape[1:]) == 5 * layer.macs((6, 4))
