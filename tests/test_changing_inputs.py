"""Inputs that change with time keep the contract: one network, one spike train, in every batch and backend."""

from __future__ import annotations

import numpy as np
import pytest

from beside import SEVERAL, samples_of_several, several
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from recordings import (
    EVERYTHING,
    NUM_TIMESTEPS,
    assert_batches_change_nothing,
    assert_same,
    changing,
    compiled,
    converted,
    frames,
    frames_for,
)
from streams import Stream


def framed(num_timesteps: int = NUM_TIMESTEPS, count: int = 4) -> tuple[Network, dict[str, Array]]:
    """Return networks as one whose inputs change with time, and samples of it."""
    network = changing(several(num_timesteps))
    return network, samples_of_several(network, frames_for, count)


def assert_every_simulator_gives_the_same_spikes(network: Network, drive: Array) -> None:
    assert drive.shape == (4, network.num_timesteps, network.num_inputs)
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    assert_same(expected, PipelineSimulator(network).run(drive, 3, EVERYTHING))
    assert_same(expected, compiled(network).run(drive, 3, EVERYTHING))


def test_every_simulator_gives_the_same_spikes() -> None:
    network, x = framed()
    assert_every_simulator_gives_the_same_spikes(network, network.drive(x))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder"), SEVERAL)
def test_every_simulator_gives_the_same_spikes_of_a_network_alone(name: str, encoder: str) -> None:
    network = changing(converted(name, encoder))
    assert_every_simulator_gives_the_same_spikes(network, network.drive(frames(network, encoder, 4)))


def test_threads_and_batches_change_nothing() -> None:
    network, x = framed(count=7)
    for threads in (1, 3):
        assert_batches_change_nothing(network, network.drive(x), 2, threads)


def test_frames_that_are_all_alike_are_an_input_that_holds() -> None:
    network, x = framed(count=2)
    still, first = several(), {name: array[:, 0] for name, array in x.items()}
    repeated = {name: np.repeat(array[:, None], network.num_timesteps, axis=1) for name, array in first.items()}
    expected = ReferenceSimulator(still).run(still.drive(first), 0, EVERYTHING)
    assert_same(expected, compiled(network).run(network.drive(repeated), 0, EVERYTHING))


def test_a_hundred_steps_through_a_stream_are_the_run() -> None:
    network, x = framed(100, count=2)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert expected.raster is not None
    # without time, each frame is an input of a network whose input holds
    for stream in (Stream(network), Stream(several())):
        for sample in (0, 1):
            stream.reset(sample)
            for step in range(100):
                assert stream.step(np.concatenate([x[i.name][sample, step].ravel() for i in network.inputs])) == 0
                spikes = np.concatenate([expected.raster[p.name][sample, step] for p in network.spiking])
                assert np.array_equal(stream.spikes, spikes)
                assert np.array_equal(stream.scores, expected.scores[sample, step])
