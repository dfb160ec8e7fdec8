"""A linear layer of several inputs is the sum of its shares, each of one input."""

from __future__ import annotations

import numpy as np
import pytest

from kgenn.ir.graph import Array, Layer, Shape
from kgenn.layers.merge import Add, Average, Concatenate, Subtract

pytestmark = pytest.mark.quick

ROW, IMAGE = (1, 4, 2), (3, 4, 2)
LAYERS: dict[str, tuple[Layer, tuple[Shape, ...]]] = {
    "add": (Add(), (IMAGE, IMAGE, IMAGE)),
    "add with broadcast": (Add(), (IMAGE, ROW, (4, 2), (2,))),
    "add where no input has the whole shape": (Add(), (ROW, (3, 1, 2))),
    "subtract": (Subtract(), (IMAGE, IMAGE)),
    "subtract from what is repeated": (Subtract(), (ROW, IMAGE)),
    "subtract what is repeated": (Subtract(), (IMAGE, (2,))),
    "average": (Average(), (IMAGE, ROW, IMAGE)),
    "concatenate channels": (Concatenate(), (IMAGE, (3, 4, 5))),
    "concatenate rows": (Concatenate(-3), (IMAGE, ROW, IMAGE)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_the_shares_add_up_to_the_value(name: str) -> None:
    layer, shapes = LAYERS[name]
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(5, *shape)) for shape in shapes]
    whole = layer.forward(*inputs)
    assert whole.shape[1:] == layer.output_shape(*shapes)
    total: Array = np.zeros_like(whole)
    for x, chain in zip(inputs, layer.shares(*shapes), strict=True):
        for step in chain:
            x = step.forward(x)
        assert x.shape == whole.shape
        total += x
    np.testing.assert_allclose(total, whole, atol=1e-12)
