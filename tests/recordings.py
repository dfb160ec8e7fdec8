"""Run a network on each simulator, and tell whether two recordings are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from kgenn.backends import TARGETS, RunOptions
from kgenn.backends.base import Simulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter, Memory
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.fission import Fission
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.spike_norm import SpikeNorm
from kgenn.conversion.threshold_relu import ThresholdReLU
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.graph import Array, Graph, Shape
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.ir.scores import heads_of
from kgenn.passes import LoweringOptions
from kgenn.tasks.goal import Goal, goal
from networks import ALLOW, ENCODERS, STAGED_ENCODERS, build, samples, with_caps


def goals_of(network: Network) -> dict[str, Goal]:
    """Return what the outputs of a network are for, guessed from how they end."""
    return {head.name: goal(head.end) for head in heads_of(network)}


NUM_SAMPLES = 4
# part of a block of the generated program, which runs 32 timesteps at once
NUM_TIMESTEPS = 21
EVERYTHING = RecordingOptions(trace=True, train_values=True)
ALL_ENCODERS = {**ENCODERS, **STAGED_ENCODERS}

# every method, with the numbers of timesteps that its tests run
METHODS: dict[str, tuple[Converter, tuple[int, ...]]] = {
    "data-norm": (DataNorm(), (21, 32, 70)),
    "few-spike": (FewSpike(), (7, 1, 2, 12)),
    "ttfs": (TimeToFirstSpike(), (40, 1, 5)),
    "burst": (Burst(), (21, 70)),
    "threshold-relu": (ThresholdReLU(), (21,)),
    "spike-norm": (SpikeNorm(norm_samples=16, norm_timesteps=20), (21,)),
    "calibrated": (Calibrated(), (8, 33)),
    "fission": (Fission(), (4, 33)),
}


@cache
def conversion(
    name: str,
    encoder: str = "direct",
    converter: Converter | None = None,
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    num_timesteps: int = NUM_TIMESTEPS,
    seed: int = 3,
) -> Conversion:
    """Return what converting a network of `networks` gives."""
    capped = isinstance(converter, ThresholdReLU)
    coder, low, high = ALL_ENCODERS[encoder]
    graph, calibration, memory = calibrated_on(name, capped, low, high)
    recipe = recipe_of(converter, coder, ALLOW, lowering, readout, seed)
    return convert_graph(graph, recipe, calibration, num_timesteps, on_reference, memory.memoise)


@cache
def calibrated_on(name: str, capped: bool, low: float, high: float) -> tuple[Graph, Array, Memory]:
    """Return a network, with caps or without, samples from low to high, and what conversions on these share."""
    graph = with_caps(build(name)) if capped else build(name)
    return graph, samples(graph, 16, low, high), Memory()


def on_reference(
    network: Network, x: Array, record: RecordingOptions, *, once: bool = False
) -> Iterator[Recording]:
    """Simulate for the methods that calibrate by simulation, without compiling anything."""
    yield ReferenceSimulator(network).run(network.drive(x), 0, record)


def converted(
    name: str,
    encoder: str = "direct",
    converter: Converter | None = None,
    lowering: LoweringOptions | None = None,
    readout: ReadoutKind | None = None,
    num_timesteps: int = NUM_TIMESTEPS,
    seed: int = 3,
) -> Network:
    """Return a network of `networks`, converted."""
    return conversion(name, encoder, converter, lowering, readout, num_timesteps, seed).network


def inputs_of(network: Network, encoder: str, count: int = NUM_SAMPLES) -> Array:
    """Return random inputs that the encoder takes, and that lie in the calibrated range."""
    return values_for(network.input_shape, encoder, count)


def values_for(shape: Shape, encoder: str, count: int) -> Array:
    """Return random samples of a shape that an encoder takes."""
    _, low, high = ALL_ENCODERS[encoder]
    rng = np.random.default_rng(11)
    # direct input is legal up to what the calibration data had
    return rng.uniform(0.9 * low, 0.9 * high, (count, *shape)).astype(np.float32)


def drive_of(network: Network, encoder: str, count: int = NUM_SAMPLES) -> Array:
    """Return the drive of `inputs_of`."""
    return network.drive(inputs_of(network, encoder, count))


def changing(network: Network) -> Network:
    """Return the network with inputs that change with time."""
    return replace(network, inputs=tuple(replace(i, changing=True) for i in network.inputs))


def frames(network: Network, encoder: str, count: int) -> Array:
    """Return random samples of frames, most of them sparse."""
    return frames_for(network.input_shape, encoder, count)


def frames_for(shape: Shape, encoder: str, count: int) -> Array:
    """Return random samples of frames, shape (count, T, *sizes), that an encoder takes."""
    _, low, high = ENCODERS[encoder]
    rng = np.random.default_rng(5)
    x = rng.uniform(0.9 * low, 0.9 * high, (count, *shape)) * (rng.uniform(size=(count, *shape)) < 0.5)
    return (np.rint(x / 0.9) if encoder == "spike" else x).astype(np.float32)


def compiled(network: Network, num_threads: int = 1) -> Simulator:
    """Return the generated C++ program of a network."""
    return TARGETS.get("cpu")().load(network, None, RunOptions(num_threads))


def differences(a: Recording, b: Recording) -> Iterator[str]:
    """Yield what is not bit for bit the same in two recordings."""
    assert a.raster is not None
    assert b.raster is not None
    assert a.train_values is not None
    assert b.train_values is not None
    if a.scores.shape != b.scores.shape or not np.array_equal(a.scores, b.scores):
        yield "scores"
    kinds = {
        "counts": (a.spike_counts, b.spike_counts),
        "train_values": (a.train_values, b.train_values),
        "raster": (a.raster, b.raster),
    }
    for kind, (one, two) in kinds.items():
        if list(one) != list(two):
            yield f"populations of the {kind}: {list(one)}, {list(two)}"
            continue
        yield from (f"{kind} of {name}" for name in one if not np.array_equal(one[name], two[name]))


def assert_same(a: Recording, b: Recording) -> None:
    """Fail where two recordings differ in any score, count or spike."""
    assert list(differences(a, b)) == []


def assert_batches_change_nothing(network: Network, drive: Array, first_sample: int, num_threads: int) -> None:
    """Fail where the program, on a whole of 7 samples or on parts of it, departs from the reference."""
    assert len(drive) == 7
    whole = ReferenceSimulator(network).run(drive, first_sample, EVERYTHING)
    program = compiled(network, num_threads)
    assert_same(whole, program.run(drive, first_sample, EVERYTHING))
    for start, stop in ((0, 1), (1, 4), (4, 7)):
        part = program.run(drive[start:stop], first_sample + start, EVERYTHING)
        assert np.array_equal(part.scores, whole.scores[start:stop])
        for one, two in ((part.raster, whole.raster), (part.train_values, whole.train_values)):
            assert one is not None
            assert two is not None
            assert all(np.array_equal(values, two[name][start:stop]) for name, values in one.items())
