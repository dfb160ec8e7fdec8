"""The file of every spike: whole, whatever parts of a raster its spikes are listed in."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.recording import Recording
from kgenn.trace import TraceWriter, read_trace
from recordings import EVERYTHING, converted, drive_of


@pytest.mark.parametrize("part_bytes", [1, 2000, 1 << 24])
def test_a_trace_holds_every_spike_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr("kgenn.trace.PART_BYTES", part_bytes)
    network = converted("residual_shortcut", "poisson-signed")
    drive = drive_of(network, "poisson-signed", 5)
    with TraceWriter(tmp_path / "trace.npz", network) as writer:
        for start, stop in ((0, 2), (2, 5)):
            writer.add(start, ReferenceSimulator(network).run(drive[start:stop], start, EVERYTHING))
    raster = ReferenceSimulator(network).run(drive, 0, EVERYTHING).raster
    trace = read_trace(tmp_path / "trace.npz")
    assert raster is not None
    assert (trace.num_samples, trace.num_timesteps) == (5, network.num_timesteps)
    for p in network.spiking:
        found, (sample, timestep, neuron) = trace.populations[p.name], np.nonzero(raster[p.name])
        assert np.array_equal(found.sample, sample)
        assert np.array_equal(found.timestep, timestep)
        assert np.array_equal(found.neuron, neuron)
        assert np.array_equal(found.value, raster[p.name][sample, timestep, neuron])
        assert len(found.value)


def test_listing_spikes_takes_the_memory_of_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgenn.trace.PART_BYTES", 1 << 16)
    network = converted("dense")
    # every neuron spikes in every step: 4 MiB of spikes at least, whose positions would take 160 MiB
    steps = (1 << 22) // (64 * min(p.size for p in network.spiking))
    raster = {p.name: np.ones((64, steps, p.size), np.int8) for p in network.spiking}
    recording = Recording(np.zeros((64, 1, network.num_scores), np.float32), {}, raster)
    with TraceWriter(tmp_path / "trace.npz", network) as writer:
        tracemalloc.start()
        try:
            writer.add(0, recording)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 32 << 20
