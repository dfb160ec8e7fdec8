"""Synapses give the same spikes however they are computed: by events, densely, with any processor's vectors."""

from __future__ import annotations

import ctypes
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import kgenn
from beside import PROGRAMS, driven, network_of, of_methods
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions, SynapseAlgorithm
from kgenn.backends.cpp_library import ALGORITHMS, CppSimulator
from kgenn.backends.program_context import WEIGHTS
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.burst import Burst
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.grid import LARGEST_WEIGHT
from kgenn.conversion.neurons import in_double
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from networks import Build, samples
from processors import PROCESSORS, refusal, shared_library
from programs import emit
from recordings import EVERYTHING, METHODS, assert_same, converted, drive_of

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")

each_way = pytest.mark.parametrize("way", ["events", "dense"])


def simulator(network: Network, way: SynapseAlgorithm) -> CppSimulator:
    made = TARGETS.get("cpu")().load(network, None, RunOptions(1, synapses=way))
    assert isinstance(made, CppSimulator)
    return made


def agree(network: Network, program: CppSimulator, encoder: str) -> None:
    drive = drive_of(network, encoder)
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    assert_same(expected, program.run(drive, 3, EVERYTHING))


@each_way
@pytest.mark.parametrize("methods", PROGRAMS.values(), ids=PROGRAMS)
def test_every_way_gives_the_same_spikes(methods: tuple[str, ...], way: SynapseAlgorithm) -> None:
    assert_way_is_reference(*of_methods(methods), way)


@pytest.mark.slow
@each_way
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["residual_shortcut", "concat_pool_conv"])
def test_every_way_gives_the_same_spikes_of_a_network_alone(name: str, method: str, way: SynapseAlgorithm) -> None:
    encoder = METHODS[method][0].default_encoder
    network = network_of(name, method, encoder)
    assert_way_is_reference(network, drive_of(network, encoder), way)


def assert_way_is_reference(network: Network, drive: Array, way: SynapseAlgorithm) -> None:
    """Fail where a program departs from the reference, or does not compute synapses in the way it was given."""
    program = simulator(network, way)
    assert_same(ReferenceSimulator(network).run(drive, 3, EVERYTHING), program.run(drive, 3, EVERYTHING))
    assert {way for work in program.work for way in work.algorithms} <= {
        *ALGORITHMS[:1] * (way == "events"),
        *ALGORITHMS[1:3] * (way == "dense"),
        "other",
    }


@pytest.mark.slow
@each_way
@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize(
    ("name", "method"), [("residual_shortcut", "data-norm"), ("pool_add", "few-spike"), ("wide_33", "burst")]
)
def test_every_processor_gives_the_same_spikes(
    tmp_path: Path, name: str, method: str, processor: str, way: SynapseAlgorithm
) -> None:
    why = refusal(processor)
    if why:
        pytest.skip(why)
    converter, lengths = METHODS[method]
    network = converted(name, converter.default_encoder, converter, num_timesteps=lengths[0])
    directory = emit(network, tmp_path)
    library = shared_library(directory, processor)
    words = (directory / WEIGHTS).read_bytes()
    program = CppSimulator(network, ctypes.CDLL(str(library)), words, RunOptions(1, synapses=way))
    agree(network, program, converter.default_encoder)


@cache
def large_weights() -> tuple[Network, Array]:
    """Return networks with the largest weights of products, and with larger ones, as one network, and a drive."""
    base, wide = converted("residual_shortcut", "poisson"), converted("wide_33", "poisson")
    cases = {f"times {factor}": (times(base, factor), "poisson") for factor in (8, 9)}
    cases |= {
        f"all {largest}": (with_random_signs(wide, largest), "poisson") for largest in (LARGEST_WEIGHT, 32767)
    }
    return driven({**cases, "granules": (with_granules(200), "poisson")}, 5)  # 200: several blocks of columns


def times(base: Network, factor: int) -> Network:
    """Return the network with weights that are so many times as large, beyond 16 bits."""
    connections = tuple(
        replace(c, connectivity=c.connectivity.with_weights(c.connectivity.weights * factor))
        for c in base.connections
    )
    assert max(np.abs(c.connectivity.weights).max() for c in connections) > 32767
    return replace(base, connections=connections)


def with_granules(width: int) -> Network:
    """Return a network with a connection of so many columns, whose weights beyond 16 bits have granules."""
    b = Build("many outputs", (7,))
    graph = b.graph(b.dense(b.relu(b.dense("input", 9)), width))
    x = np.random.default_rng(1).random((32, 7), dtype=np.float32)
    base = kgenn.convert(graph, calibration=x, encoder="poisson", timesteps=21, check=False, seed=3)
    *others, last = base.connections
    weights = last.connectivity.weights * 2.0 ** (3 + np.arange(width) % 3)
    assert np.abs(weights).max() > 32767
    new = replace(last, connectivity=last.connectivity.with_weights(weights))
    return replace(base, connections=(*others, new))


@each_way
def test_spikes_add_up_the_largest_weights_and_those_beyond_16_bits(way: SynapseAlgorithm) -> None:
    network, drive = large_weights()
    program = simulator(network, way)
    assert_same(ReferenceSimulator(network).run(drive, 3, EVERYTHING), program.run(drive, 3, EVERYTHING))
    # what all weights of a target have in common is no part of the product
    other = {work.target.split(".")[0] for work in program.work if "other" in work.algorithms}
    assert "times 9" in other
    assert not other & {"times 8", "granules", f"all {LARGEST_WEIGHT}"}


def with_random_signs(base: Network, largest: float) -> Network:
    """Return the network with weights that are all as large, of either sign."""
    rng = np.random.default_rng(5)
    connections = tuple(
        replace(
            c,
            connectivity=c.connectivity.with_weights(
                rng.choice([-largest, largest], c.connectivity.weights.shape)
            ),
        )
        for c in base.connections
    )
    return replace(base, connections=connections)


@each_way
def test_sums_that_32_bits_do_not_hold_are_moved_in_time_and_groups_are_computed_as_each_needs(
    way: SynapseAlgorithm,
) -> None:
    large = with_random_signs(converted("wide_33", "few-spike", FewSpike(), num_timesteps=12), 32639.0)
    base = converted("conv_groups", "few-spike", FewSpike(), num_timesteps=12)
    connections = tuple(
        replace(c, connectivity=c.connectivity.with_weights(_growing(c.connectivity.weights.shape)))
        for c in base.connections
    )
    groups = replace(base, connections=connections)
    cases = {"large": large, "groups": groups, "windows": with_random_signs(_windows_in_parts(), 32639.0)}
    network, drive = driven({name: (case, "few-spike") for name, case in cases.items()}, 5)
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    assert_same(expected, simulator(network, way).run(drive, 3, EVERYTHING))


@each_way
def test_limbs_of_a_weight_need_not_be_computed_alike(way: SynapseAlgorithm) -> None:
    b = Build("pooled", (10, 10, 2))
    graph = b.graph(b.dense(b.global_pool(b.conv_relu("input", 32)), 10))
    x = np.random.default_rng(1).random((32, 10, 10, 2), dtype=np.float32)
    base = kgenn.convert(graph, calibration=x, converter=Burst(), timesteps=16, check=False)
    # 32 bits hold few sums of the low limb, and many of the high one
    signed = with_random_signs(base, 32768.0 + 16383.0)
    network = replace(
        signed,
        populations=tuple(replace(p, neuron=in_double(p.neuron)) for p in signed.populations),
    )
    drive = network.drive(x[:5])
    expected = ReferenceSimulator(network).run(drive, 3, EVERYTHING)
    assert_same(expected, simulator(network, way).run(drive, 3, EVERYTHING))


def _windows_in_parts() -> Network:
    """Return a network whose first layer reads windows of 18 values, which begin 5 values apart.

    With large weights, 32-bit sums take 10 of them and then the other 8, which begin where the window after the
    next one does.
    """
    b = Build("windows_in_parts", (1, 78, 1))
    # so many channels that each pixel is computed alone
    graph = b.graph(b.classify(b.conv_relu("input", 64, (1, 18), (1, 5), "valid")))
    x = samples(graph, 8)
    method, encoder = FewSpike(), "few-spike"
    return kgenn.convert(
        graph, calibration=x, converter=method, encoder=encoder, timesteps=12, check=False, seed=3
    )


def _growing(shape: tuple[int, ...]) -> Array:
    """Return weights that grow from channel to channel, through all sizes that products tell apart."""
    sizes = np.array([60.0, 127.0, 32700.0, 32767.0, 40001.0, 2.0**20 + 1])
    signs = np.random.default_rng(5).choice([-1.0, 1.0], shape)
    return signs * sizes[np.arange(shape[-1]) * len(sizes) // shape[-1]]


@pytest.mark.parametrize("methods", [PROGRAMS["rate"], PROGRAMS["few-spike"]], ids=["rate", "few-spike"])
def test_the_work_tells_how_many_values_of_each_source_are_not_zero(methods: tuple[str, ...]) -> None:
    network, drive = of_methods(methods)
    program = simulator(network, "auto")
    recording = program.run(drive, 0, EVERYTHING)
    # those of a step, or of a stage
    values = recording.train_values if network.code.staged else recording.raster
    assert values is not None
    carry_spikes = [c for c in network.connections if not network.is_analog(c)]
    for work, connection in zip(program.work, carry_spikes, strict=True):
        assert (work.source, work.target) == (connection.source, connection.target)
        assert sum(work.algorithms.values()) == pytest.approx(1)
        if connection.pool is None:
            assert work.density == pytest.approx((values[work.source] != 0).mean())
