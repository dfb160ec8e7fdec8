"""Inputs that change with time keep the contract: one network, one spike train, in every batch and backend."""

from __future__ import annotations

import numpy as np
import pytest

from covering import leading
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from recordings import (
    EVERYTHING,
    assert_batches_change_nothing,
    assert_same,
    changing,
    compiled,
    converted,
    frames,
)
from streams import Stream

NETWORKS = [
    ("residual_shortcut", "poisson"),
    ("concat_pool_conv", "poisson-signed"),
    ("conv_same", "direct"),
    ("pool_input", "direct"),
    ("bias_conv", "direct"),
    ("conv_conv", "if"),
    ("skip_to_readout", "spike"),
]


@pytest.mark.parametrize(("name", "encoder"), leading(NETWORKS, 2))
def test_every_simulator_gives_the_same_spikes(name: str, encoder: str) -> None:
    network = changing(converted(name, encoder))
    drive = network.drive(frames(network, encoder, 4))
    assert drive.shape == (4, network.num_timesteps, network.num_inputs)
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    assert_same(expected, PipelineSimulator(network).run(drive, 3, EVERYTHING))
    assert_same(expected, compiled(network).run(drive, 3, EVERYTHING))


@pytest.mark.parametrize(("name", "encoder"), leading([("residual_shortcut", "poisson"), ("bias_conv", "direct")]))
def test_threads_and_batches_change_nothing(name: str, encoder: str) -> None:
    network = changing(converted(name, encoder))
    drive = network.drive(frames(network, encoder, 7))
    for threads in (1, 3):
        assert_batches_change_nothing(network, drive, 2, threads)


@pytest.mark.parametrize(("name", "encoder"), leading(NETWORKS, 2))
def test_frames_that_are_all_alike_are_an_input_that_holds(name: str, encoder: str) -> None:
    still = converted(name, encoder)
    network = changing(still)
    first = frames(network, encoder, 2)[:, 0]
    repeated = np.repeat(first[:, None], network.num_timesteps, axis=1)
    expected = ReferenceSimulator(still).run(still.drive(first), 0, EVERYTHING)
    assert_same(expected, compiled(network).run(network.drive(repeated), 0, EVERYTHING))


@pytest.mark.parametrize(
    ("name", "encoder"), leading([("skip_to_readout", "spike"), ("bias_conv", "direct"), ("conv_conv", "if")])
)
def test_a_hundred_steps_through_a_stream_are_the_run(name: str, encoder: str) -> None:
    network = changing(converted(name, encoder, num_timesteps=100))
    x = frames(network, encoder, 2)
    expected = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert expected.raster is not None
    for stream in (Stream(network), Stream(converted(name, encoder))):
        for sample in (0, 1):
            stream.reset(sample)
            for step in range(100):
                assert stream.step(x[sample, step]) == 0
                spikes = np.concatenate([expected.raster[p.name][sample, step] for p in network.spiking])
                assert np.array_equal(stream.spikes, spikes)
                assert np.array_equal(stream.scores, expected.scores[sample, step])
