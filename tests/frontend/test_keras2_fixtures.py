"""Files in the layouts that Keras 2.2.4 and TensorFlow 2.15 wrote give the predictions that they gave."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import kgenn.frontend
from kgenn.layers.affine import BatchNorm

FOLDER = Path(__file__).parents[1] / "fixtures" / "keras2"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in (".h5", ".keras"))


@pytest.mark.parametrize("name", FILES)
def test_forward_equals_the_stored_predictions(name):
    graph = kgenn.frontend.load(FOLDER / name)
    with np.load((FOLDER / name).with_suffix(".npz")) as data:
        inputs = [data[f"x{i}"] for i in range(len(graph.inputs))]
        expected = data["y"]
    found = graph.predict(dict(zip(graph.inputs, inputs, strict=True)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_fixtures_cover_both_versions_and_both_formats():
    assert len([name for name in FILES if name.endswith("-2.2.4.h5")]) == 6
    assert len([name for name in FILES if name.endswith("-2.15.0.h5")]) == 6
    assert len([name for name in FILES if name.endswith("-2.15.0.keras")]) == 3


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("nested")])
def test_variances_of_nested_models_are_not_mistaken_for_scales(name):
    graph = kgenn.frontend.load(FOLDER / name)
    norms = [node.layer for node in graph.nodes if isinstance(node.layer, BatchNorm)]
    assert len(norms) == 5
    # the fixtures' variances lie in 0.3 … 0.9, all other arrays in −0.3 … 0.3
    assert all(norm.variance.min() >= 0.3 and np.abs(norm.mean).max() <= 0.3 for norm in norms)
