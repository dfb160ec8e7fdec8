"""A random graph computes what Keras does, as built and as read back from Keras."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn.frontend
from drawn_graphs import graphs
from examples import examples
from kgenn.ir.graph import Graph
from networks import samples

if find_spec("keras") is None:
    pytest.skip("needs Keras", allow_module_level=True)

from keras_twin import keras_output, keras_twin


def assert_forward_is_keras(graph: Graph, form: str) -> None:
    """Fail where the graph, or what is read from its Keras model in some form, computes something else."""
    x = samples(graph, 2, -1.0, 1.0)
    model = keras_twin(graph)
    expected = keras_output(model, x)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras calls .h5 legacy
        path = Path(folder) / f"model.{form}"
        if form != "live":
            model.save(path)
        read = kgenn.frontend.load(model if form == "live" else path)
    scale = max(1.0, float(np.abs(expected).max()))
    for computed in (graph.predict(x), read.predict(x)):
        np.testing.assert_allclose(computed, expected, rtol=1e-4, atol=1e-5 * scale)


@examples(20)
@given(graph=graphs())
def test_a_random_forward_equals_keras(graph: Graph) -> None:
    assert_forward_is_keras(graph, "live")


@pytest.mark.slow
@examples(100)
@given(graph=graphs(), form=st.sampled_from(("h5", "keras")))
def test_a_random_forward_equals_keras_through_files(graph: Graph, form: str) -> None:
    assert_forward_is_keras(graph, form)
