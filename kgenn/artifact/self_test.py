"""The self-test of an output directory: a few samples, and the spikes and scores that they shall give.

The oracle is the NumPy reference, which is slow: it runs 64 timesteps in all, one sample for 64 steps or eight for
8. A network of more steps is tested in its first 64, since no spike depends on a later step; a staged network
decides at its end, and one sample is run to there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from kgenn.backends.base import Simulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.ir.archive import arrays
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.network_input import InputCoding
from kgenn.ir.random import neuron_keys, random24
from kgenn.ir.recording import Recording, RecordingOptions, batch_size_for
from kgenn.ir.samples import SamplesLike
from kgenn.ir.serialise import npz_bytes

SELF_TEST = "self_test.npz"
# Timesteps of all samples together, and samples at most.
TIMESTEPS = 64
SAMPLES = 8


@dataclass(frozen=True, eq=False)
class SelfTest:
    """Samples with what they shall give in the first S timesteps, P being the number of spiking populations.

    Attributes:
        drive: of `Network.drive`: shape (N, num_inputs), or (N, T, num_inputs); integers in float32.
        scores: after each of these steps, shape (N, S, num_scores), float32.
        spikes: how many each population fires in each sample, shape (P, N), int64.
        digests: the SHA-256 of the spike counts of each population's neurons, shape (P, 32), uint8.
    """

    drive: Array
    scores: Array
    spikes: Array
    digests: Array

    @property
    def num_timesteps(self) -> int:
        """Return S."""
        return int(self.scores.shape[1])

    def to_bytes(self) -> bytes:
        """Return the contents of the file; the same test gives the same bytes."""
        return npz_bytes({field.name: getattr(self, field.name) for field in fields(self)})


def read_self_test(path: Path, network: Network) -> SelfTest:
    """Return what `SelfTest.to_bytes` stored.

    Raises:
        OSError, ValueError, KeyError and others: where the file is no self-test of the network.
    """
    with arrays(path) as archive:
        test = SelfTest(**{field.name: archive[field.name] for field in fields(SelfTest)})
    num_samples, number = len(test.drive), len(network.spiking)
    shapes = {
        "drive": (num_samples, *([network.num_timesteps] if network.changing else []), network.num_inputs),
        "scores": (num_samples, test.num_timesteps, network.num_scores),
        "spikes": (number, num_samples),
        "digests": (number, 32),
    }
    for name, shape in shapes.items():
        if getattr(test, name).shape != shape:
            raise ValueError(f"{name} are not of the shape {shape}")
    return test


def self_test(network: Network, x: SamplesLike | None = None) -> SelfTest:
    """Make the self-test of a network.

    Args:
        x: samples as the network takes them, of which the first are used; random ones if not given.
    """
    num_samples, steps = extent(network)
    some = None if x is None else network.samples(x)[:num_samples]
    drive = random_drive(network, num_samples) if some is None else network.drive(some)
    shortened = replace(network, num_timesteps=steps)
    recording = ReferenceSimulator(shortened).run(drive[:, :steps] if network.changing else drive, 0)
    counts = [recording.spike_counts[p.name] for p in network.spiking]
    return SelfTest(drive, recording.scores, _totals(counts, len(drive)), _digests(counts))


def extent(network: Network) -> tuple[int, int]:
    """Return the number of samples and of timesteps that a network is tested with."""
    steps = network.num_timesteps
    num_samples = max(1, min(SAMPLES, TIMESTEPS // steps))
    return num_samples, steps if network.code.staged else min(steps, TIMESTEPS)


def random_drive(network: Network, num_samples: int) -> Array:
    """Return inputs all over the legal ranges, of the shape of `Network.drive`; always the same."""
    keys = neuron_keys(0, np.arange(num_samples), network.num_inputs)
    if not network.changing:
        return _frame(network, keys, 0)
    return np.stack([_frame(network, keys, t) for t in range(network.num_timesteps)], axis=1)


def _frame(network: Network, keys: Array, timestep: int) -> Array:
    """Return the drive of all inputs at a timestep, shape (N, num_inputs)."""
    drives = []
    for given in network.inputs:
        uniform = random24(keys, timestep if given.changing else 0) / np.float64(1 << 24)
        drives.append(_drive(given.coding, uniform[:, network.drive_columns[given.name]]))
    return np.concatenate(drives, axis=1)


def _drive(coding: InputCoding, uniform: Array) -> Array:
    """Return the drive of an input for values from 0 to 1, which stand for its range."""
    if coding.binary:
        uniform = np.rint(uniform)
    x = (coding.low + (coding.high - coding.low) * uniform).astype(np.float32)
    drive: Array = np.rint(x * np.float32(coding.levels))
    return drive


def departures(network: Network, simulator: Simulator, test: SelfTest) -> Iterator[str]:
    """Yield which populations, in topological order, fire otherwise than they shall, and whether scores differ."""
    recordings = list(_recordings(network, simulator, test))
    for number, population in enumerate(network.spiking):
        counts = np.concatenate([_counts(network, r, test.num_timesteps)[number] for r in recordings])
        totals = _totals([counts], len(counts))[0]
        if not np.array_equal(_digests([counts])[0], test.digests[number]):
            wrong = np.flatnonzero(totals != test.spikes[number])
            sample = int(wrong[0]) if len(wrong) else 0
            found = f"{totals[sample]:,} spikes in sample {sample}, {test.spikes[number, sample]:,} expected"
            what = found if len(wrong) else "as many spikes as expected, of other neurons"
            yield f"population {population.name}: {what}"
    scores = np.concatenate([r.scores[:, : test.num_timesteps] for r in recordings])
    if not np.array_equal(scores, test.scores):
        sample, step = (int(index[0]) for index in np.nonzero((scores != test.scores).any(axis=2)))
        yield f"scores: differ in sample {sample} from step {step + 1} on"


def _recordings(network: Network, simulator: Simulator, test: SelfTest) -> Iterator[Recording]:
    # a program runs all its steps: only a trace tells which spikes are later
    part = test.num_timesteps < network.num_timesteps
    size = batch_size_for(network, len(test.drive)) if part else len(test.drive)
    for start in range(0, len(test.drive), size):
        yield simulator.run(test.drive[start : start + size], start, RecordingOptions(trace=part))


def _counts(network: Network, recording: Recording, steps: int) -> list[Array]:
    """Return each population's spikes of each neuron in the first steps, shape (N, size)."""
    if recording.raster is None:
        return [recording.spike_counts[p.name] for p in network.spiking]
    rasters = [(recording.raster[p.name][:, :steps], p.neuron.graded) for p in network.spiking]
    return [(r != 0 if graded else np.abs(r)).sum(axis=1, dtype=np.int32) for r, graded in rasters]


def _totals(counts: list[Array], num_samples: int) -> Array:
    return np.array([c.sum(axis=1, dtype=np.int64) for c in counts], np.int64).reshape(len(counts), num_samples)


def _digests(counts: list[Array]) -> Array:
    digests = [hashlib.sha256(np.ascontiguousarray(c, "<i4").tobytes()).digest() for c in counts]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(len(counts), 32)
