"""Random networks fire the same spikes in the reference, in the pipeline's order, as generated C++ and in GeNN."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_networks import Case, cases
from examples import examples
from generated import compiled_for
from genn_python import genn_python
from kgenn.backends.base import RunOptions, SynapseAlgorithm
from kgenn.backends.genn import GennSimulator
from kgenn.backends.genn_program import emit_genn
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.recording import Recording
from processors import PROCESSORS, refusal
from recordings import EVERYTHING, assert_same

FIRST_SAMPLE = 1_000_003
# each way of computing synapses, with a number of threads
WAYS: tuple[tuple[SynapseAlgorithm, int], ...] = (("auto", 1), ("events", 3), ("dense", 2))
needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


def reference(case: Case) -> Recording:
    return ReferenceSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING)


def part(recording: Recording, samples: slice) -> Recording:
    """Return the recording of some of the samples."""
    kinds = (recording.spike_counts, recording.raster, recording.train_values)
    counts, raster, train_values = ({n: v[samples] for n, v in (kind or {}).items()} for kind in kinds)
    return Recording(recording.scores[samples], counts, raster, train_values)


def assert_generated_is_reference(case: Case, split: int, *processors: str) -> None:
    """Fail where C++ compiled for some processors differs, by any way, with any threads, in parts or whole."""
    expected = reference(case)
    with compiled_for(case.network, *processors) as program:
        for processor in processors:
            for way, threads in WAYS:
                simulator = program.simulator(processor, way, threads)
                assert_same(expected, simulator.run(case.drive, FIRST_SAMPLE, EVERYTHING))
                for samples in (slice(0, split), slice(split, None)):
                    start = FIRST_SAMPLE + samples.start
                    found = simulator.run(case.drive[samples], start, EVERYTHING)
                    assert_same(part(expected, samples), found)


@examples(60)
@given(case=cases())
def test_the_pipelines_order_changes_no_spike(case: Case) -> None:
    expected = reference(case)
    assert_same(expected, PipelineSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING))


@needs_gxx
@pytest.mark.slow
@examples(12)
@given(case=cases(most_samples=7), split=st.integers(1, 6))
def test_generated_cpp_fires_the_same_spikes_by_every_way(case: Case, split: int) -> None:
    assert_generated_is_reference(case, split, "portable")


@needs_gxx
@pytest.mark.slow
@examples(20)
@given(case=cases(most_samples=40), split=st.integers(1, 6))
def test_every_processor_fires_the_same_spikes_by_every_way(case: Case, split: int) -> None:
    able = [name for name in PROCESSORS if not refusal(name)]
    assert_generated_is_reference(case, split, *able)


@pytest.mark.slow
@examples(3)
@given(case=cases())
def test_genn_fires_the_same_spikes(case: Case) -> None:
    options = RunOptions(genn_python=genn_python())
    simulator = GennSimulator(case.network, "cpu", emit_genn(case.network, "cpu"), None, options)
    assert_same(reference(case), simulator.run(case.drive, FIRST_SAMPLE, EVERYTHING))
