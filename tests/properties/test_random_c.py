"""Integer C of random networks with several inputs and outputs gives the scores of the reference, step by step."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from bare_machine import Machine
from drawn_ports import PortCase, port_cases
from examples import examples
from kgenn.backends.reference import ReferenceSimulator
from kgenn.export.c import obstacles
from test_random_frames import timed_cases

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
FIRST_SAMPLE = 3


def assert_scores_are_the_reference_s(case: PortCase, held: bool) -> None:
    """Fail where a score after a step is another one.

    Args:
        held: give an input that holds in the first step alone.
    """
    network, drive = case.network, case.drive
    assume(not list(obstacles(network)))
    event(f"{len(network.inputs)} inputs, {len(network.outputs)} outputs")
    expected = ReferenceSimulator(network).run(drive, FIRST_SAMPLE).scores
    with TemporaryDirectory() as directory:
        machine = Machine(network, Path(directory))
        for sample, values in enumerate(np.ascontiguousarray(drive, machine.value)):
            machine.call("reset", FIRST_SAMPLE + sample)
            for step in range(network.num_timesteps):
                own = values[step] if network.changing else values
                assert machine.step(None if held and step else own) == 0
                assert np.array_equal(machine.scores, expected[sample, step])


@pytest.mark.slow
@examples(20)
@given(case=port_cases(most_samples=2), held=st.booleans())
def test_integer_c_gives_the_scores_of_the_reference_after_every_step(case: PortCase, held: bool) -> None:
    assert_scores_are_the_reference_s(case, held)


@pytest.mark.slow
@examples(10)
@given(case=timed_cases(most_samples=2))
def test_integer_c_gives_the_scores_of_the_reference_for_frames(case: PortCase) -> None:
    assert_scores_are_the_reference_s(case, held=False)
