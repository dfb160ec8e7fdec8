"""Random graphs with one to four inputs and outputs: what Keras computes, and one spike train on every backend."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_ports import PortCase, port_cases, port_graphs
from examples import examples
from genn_python import genn_python
from keras_twin import Twin
from kgenn.backends.base import RunOptions
from kgenn.backends.genn import GennSimulator
from kgenn.backends.genn_program import emit_genn
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.ir.graph import Array, Graph
from kgenn.passes import LoweringOptions, lower
from recordings import EVERYTHING, assert_same
from test_random_backends import FIRST_SAMPLE, assert_generated_is_reference, reference

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def arrays_for(graph: Graph, count: int = 3) -> dict[str, Array]:
    """Return random samples of each input."""
    rng = np.random.default_rng(5)
    return {n: rng.uniform(-1, 1, (count, *s)).astype(np.float32) for n, s in graph.input_shapes.items()}


def outputs_of(graph: Graph, x: object) -> list[Array]:
    """Return what a graph predicts, as a list also of one output."""
    found = graph.predict(x)  # type: ignore[arg-type]
    return list(found) if isinstance(found, tuple) else [found]


@examples(15)
@given(graph=port_graphs())
def test_a_list_a_tuple_and_a_mapping_give_what_keras_computes(graph: Graph) -> None:
    x = arrays_for(graph)
    model = Twin(graph).model()
    given_to_keras = list(x.values()) if len(x) > 1 else next(iter(x.values()))
    expected = model.predict(given_to_keras, verbose=0)
    expected = expected if isinstance(expected, list) else [expected]
    for given_as in (list(x.values()), tuple(x.values()), x):
        for one, two in zip(expected, outputs_of(graph, given_as), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@examples(40)
@given(graph=port_graphs())
def test_lowering_leaves_every_output_as_it_is(graph: Graph) -> None:
    x, lowered = arrays_for(graph), lower(graph, LoweringOptions())
    assert lowered.inputs == graph.inputs
    assert [o.name for o in lowered.outputs] == [o.name for o in graph.outputs]
    for one, two in zip(outputs_of(graph, x), outputs_of(lowered, x), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@examples(40)
@given(case=port_cases())
def test_the_pipelines_order_changes_no_spike_of_several_inputs_and_outputs(case: PortCase) -> None:
    expected = reference(case)  # type: ignore[arg-type]
    assert_same(expected, PipelineSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING))


@pytest.mark.slow
@needs_gxx
@examples(5)
@given(case=port_cases(most_samples=7), split=st.integers(1, 6))
def test_generated_cpp_fires_the_same_spikes_for_several_inputs_and_outputs(case: PortCase, split: int) -> None:
    assert_generated_is_reference(case, split, "portable")  # type: ignore[arg-type]


@pytest.mark.slow
@examples(3)
@given(case=port_cases())
def test_genn_fires_the_same_spikes_for_several_inputs_and_outputs(case: PortCase) -> None:
    options = RunOptions(genn_python=genn_python())
    simulator = GennSimulator(case.network, "cpu", emit_genn(case.network, "cpu"), None, options)
    assert_same(reference(case), simulator.run(case.drive, FIRST_SAMPLE, EVERYTHING))  # type: ignore[arg-type]
