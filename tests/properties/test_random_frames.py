"""Random networks of which some inputs change with time fire one spike train on every backend."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drawn_ports import PortCase, port_cases
from examples import examples
from genn_python import genn_python
from kgenn.backends.base import RunOptions
from kgenn.backends.genn import GennSimulator
from kgenn.backends.genn_program import emit_genn
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference_stepper import ReferenceStepper
from kgenn.backends.stepping import Stepper
from recordings import EVERYTHING, assert_same, compiled
from test_random_backends import FIRST_SAMPLE, assert_generated_is_reference, reference

needs_gxx = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@st.composite
def timed_cases(draw: st.DrawFn, most_samples: int = 4) -> PortCase:
    """Draw a network with a frame for each timestep: of a changing input the samples in turn."""
    case = draw(port_cases(most_samples=most_samples))
    network = case.network
    assume(network.code.steady)
    changes = draw(st.lists(st.booleans(), min_size=len(network.inputs), max_size=len(network.inputs)))
    assume(any(changes))
    inputs = tuple(replace(i, changing=own) for i, own in zip(network.inputs, changes, strict=True))
    steps = range(network.num_timesteps)
    x = {
        i.name: np.stack([np.roll(case.x[i.name], t, axis=0) * np.float32(t % 3 != 2) for t in steps], axis=1)
        if i.changing
        else case.x[i.name]
        for i in inputs
    }
    return replace(case, network=replace(network, inputs=inputs), x=x)


@examples(30)
@given(case=timed_cases())
def test_the_pipelines_order_changes_no_spike_of_frames(case: PortCase) -> None:
    expected = reference(case)  # type: ignore[arg-type]
    assert_same(expected, PipelineSimulator(case.network).run(case.drive, FIRST_SAMPLE, EVERYTHING))


@pytest.mark.slow
@needs_gxx
@examples(5)
@given(case=timed_cases(most_samples=7), split=st.integers(1, 6))
def test_generated_cpp_fires_the_same_spikes_for_frames(case: PortCase, split: int) -> None:
    assert_generated_is_reference(case, split, "portable")  # type: ignore[arg-type]


@pytest.mark.slow
@examples(3)
@given(case=timed_cases())
def test_genn_fires_the_same_spikes_for_frames(case: PortCase) -> None:
    options = RunOptions(genn_python=genn_python())
    simulator = GennSimulator(case.network, "cpu", emit_genn(case.network, "cpu"), None, options)
    assert_same(reference(case), simulator.run(case.drive, FIRST_SAMPLE, EVERYTHING))  # type: ignore[arg-type]


def assert_stepped(case: PortCase, stepper: Stepper) -> None:
    """Fail where steps with frames, or with an input that is held, depart from a run of all samples."""
    network, expected = case.network, reference(case)  # type: ignore[arg-type]
    assert expected.raster is not None
    for sample in range(len(case.drive)):
        stepper.reset(FIRST_SAMPLE + sample)
        for step in range(network.num_timesteps):
            own = ((i.changing, case.x[i.name][sample]) for i in network.inputs)
            values = np.concatenate([(x[step] if changing else x).ravel() for changing, x in own])
            stepper.step(values.astype(np.float32) if network.changing or step == 0 else None)
            spikes = [expected.raster[p.name][sample, step] for p in network.spiking]
            assert np.array_equal(stepper.spikes, np.concatenate([np.zeros(0), *spikes]))
            assert np.array_equal(stepper.scores, expected.scores[sample, step])


@examples(30)
@given(case=timed_cases(most_samples=2) | port_cases(most_samples=2))
def test_the_reference_steps_through_any_network_as_it_runs_it(case: PortCase) -> None:
    assume(not case.network.code.staged)
    assert_stepped(case, ReferenceStepper(case.network))


@pytest.mark.slow
@needs_gxx
@examples(4)
@given(case=timed_cases(most_samples=2) | port_cases(most_samples=2))
def test_generated_cpp_steps_through_any_network_as_the_reference_runs_it(case: PortCase) -> None:
    assume(not case.network.code.staged)
    stepper = compiled(case.network).stepper()
    assert stepper is not None
    assert_stepped(case, stepper)
