"""The contract: one network gives one spike train, on every simulator, in any batch, on any thread."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import cycle, product
from typing import Any, get_args

import numpy as np
import pytest

from beside import SINGLE, driven, samples_of_several, several
from covering import covering, in_parts, leading
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.recipe import recipe_of
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording
from kgenn.passes import LoweringOptions
from networks import ALLOW, ENCODERS, RECIPES, Build, samples
from recordings import (
    EVERYTHING,
    NUM_SAMPLES,
    assert_batches_change_nothing,
    assert_same,
    compiled,
    converted,
    drive_of,
)

# a sample number beyond 16 bits, so that the random keys use more than the low half
FIRST_SAMPLE = 1_000_003

# each network with one encoder, and each kind of connection from a direct input
DIRECT = (
    "linear",
    "conv_conv",
    "conv_groups",
    "pool_input",
    "upsample_input",
    "residual_input",
    "channels_first_residual",
)
SAMPLE = [*((name, "direct") for name in DIRECT), *zip(RECIPES, cycle(ENCODERS), strict=False)]
ONE_SCALE = DataNorm(channelwise=False)
VARIANTS = {
    "reset to zero": ("bias_conv", DataNorm(reset="zero"), LoweringOptions()),
    "initial potential zero": ("bias_conv", DataNorm(initial_potential=0.0), LoweringOptions()),
    "maximum": ("residual_relu", DataNorm(percentile=100.0), LoweringOptions()),
    "one scale": ("separable", ONE_SCALE, LoweringOptions()),
    "one scale, concat": ("concat_conv", ONE_SCALE, LoweringOptions()),
    "one scale, pool": ("pool_conv", ONE_SCALE, LoweringOptions()),
    "one scale, groups": ("conv_groups", ONE_SCALE, LoweringOptions()),
    "one scale, flatten": ("relu_after_flatten", ONE_SCALE, LoweringOptions()),
    "include weights": ("conv_same", DataNorm(include_weights=True), LoweringOptions()),
    "residual identity": ("residual_plain", DataNorm(), LoweringOptions(residual="identity")),
    "pool population": ("pool_conv", DataNorm(), LoweringOptions(pooling="population")),
    "pool pool population": ("pool_pool", DataNorm(), LoweringOptions(pooling="population")),
    "odd pool population": ("pool_same_odd", DataNorm(), LoweringOptions(pooling="population")),
    "overlapping pool folded": ("pool_overlapping", DataNorm(), LoweringOptions(pooling="fold")),
    "global pool folded": ("global_pool", DataNorm(), LoweringOptions(pooling="fold")),
}


def assert_contract(network: Network, drive: Array) -> Recording:
    """Fail where the reference, the pipeline order and the generated program differ; return what they give."""
    reference = ReferenceSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING)
    assert_same(reference, PipelineSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING))
    assert_same(reference, compiled(network).run(drive, FIRST_SAMPLE, EVERYTHING))
    return reference


def together(pairs: Iterable[tuple[str, str]], count: int = NUM_SAMPLES, **options: Any) -> tuple[Network, Array]:
    """Return networks with their encoders as one network, and a drive of it for some samples."""
    cases = {f"{name} {encoder}": (converted(name, encoder, **options), encoder) for name, encoder in pairs}
    return driven(cases, count)


def test_reference_pipeline_and_program_give_the_same_spikes() -> None:
    cases = {f"{name} {encoder}": (converted(name, encoder), encoder) for name, encoder in SAMPLE}
    options = zip(VARIANTS.items(), cycle(ENCODERS), strict=False)
    cases |= {key: (converted(v[0], e, *v[1:]), e) for (key, v), e in options}
    recording = assert_contract(*driven(cases))
    # the claim would be empty for silent neurons
    assert [name for name, counts in recording.spike_counts.items() if not counts.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize("pairs", in_parts(product(RECIPES, ENCODERS)))
def test_any_network_of_any_encoder_fires_the_same_spikes_everywhere(pairs: list[tuple[str, str]]) -> None:
    recording = assert_contract(*together(pairs))
    assert [name for name, counts in recording.spike_counts.items() if not counts.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoder"), list(zip(RECIPES, cycle(ENCODERS), strict=False)))
def test_a_network_alone_fires_the_same_spikes_everywhere(name: str, encoder: str) -> None:
    network = converted(name, encoder)
    recording = assert_contract(network, drive_of(network, encoder))
    assert all(counts.any() for counts in recording.spike_counts.values())


def test_compiled_as_by_users_it_gives_the_same_spikes(as_users_compile: None) -> None:
    pairs = [("conv_conv", "direct"), ("residual_shortcut", "poisson"), ("max_pool_conv", "poisson-signed")]
    assert_contract(*together(pairs))


def test_a_spike_count_readout_keeps_the_contract() -> None:
    network = several(readout="spike-count")
    recording = assert_contract(network, network.drive(samples_of_several(network)))
    for name, columns in network.score_columns.items():
        assert np.array_equal(recording.scores[:, -1, columns], recording.spike_counts[name]), name


@pytest.mark.parametrize(("num_timesteps", "case"), covering([1, 15, 16, 17, 32, 50, 70], SINGLE))
def test_any_number_of_timesteps_keeps_the_contract(
    num_timesteps: int, case: tuple[str, str, ReadoutKind]
) -> None:
    name, encoder, readout = case
    network = converted(name, encoder, readout=readout, num_timesteps=num_timesteps)
    recording = assert_contract(network, drive_of(network, encoder))
    assert recording.scores.shape[1] == num_timesteps


@pytest.mark.parametrize("encoder", ENCODERS)
def test_shorter_runs_are_the_beginning_of_longer_ones(encoder: str) -> None:
    short, long = (converted("residual_relu", encoder, num_timesteps=t) for t in (7, 40))
    drive = drive_of(short, encoder)
    one, two = (ReferenceSimulator(n).run(drive, 5, EVERYTHING) for n in (short, long))
    assert np.array_equal(one.scores, two.scores[:, :7])


@pytest.mark.parametrize("num_threads", [0, 1, 2, 3])
def test_threads_and_batches_change_nothing(num_threads: int) -> None:
    network = several()
    drive = network.drive(samples_of_several(network, count=7))
    assert_batches_change_nothing(network, drive, FIRST_SAMPLE, num_threads)


@pytest.mark.quick
def test_no_sample_leaves_a_trace_in_the_next() -> None:
    network = several()
    drive = network.drive(samples_of_several(network))
    alone = [ReferenceSimulator(network).run(drive[i : i + 1], i).scores for i in range(NUM_SAMPLES)]
    for simulator in (PipelineSimulator(network), compiled(network)):
        for i in reversed(range(NUM_SAMPLES)):
            assert np.array_equal(simulator.run(drive[i : i + 1], i).scores, alone[i])


@pytest.mark.parametrize("encoder", leading(["poisson", "poisson-signed"]))
def test_random_spikes_depend_on_seed_and_sample_number(encoder: str) -> None:
    network, other = (converted("dense", encoder, seed=seed) for seed in (3, 4))
    drive = drive_of(network, encoder)
    first = compiled(network).run(drive, 0).scores
    assert not np.array_equal(first, compiled(network).run(drive, 1).scores)
    assert not np.array_equal(first, compiled(other).run(drive, 0).scores)
    assert np.array_equal(first, compiled(network).run(drive, 0).scores)


def test_sample_numbers_wrap_at_32_bits_everywhere() -> None:
    network = converted("dense", "poisson")
    drive = drive_of(network, "poisson")
    last = 2**32 - 2
    assert_same(
        ReferenceSimulator(network).run(drive, last, EVERYTHING), compiled(network).run(drive, last, EVERYTHING)
    )


@pytest.mark.quick
def test_no_samples_give_empty_recordings() -> None:
    network = converted("dense", "poisson")
    drive = drive_of(network, "poisson", 0)
    assert_same(ReferenceSimulator(network).run(drive, 0, EVERYTHING), compiled(network).run(drive, 0, EVERYTHING))


@pytest.mark.slow
@pytest.mark.parametrize("readout", leading(get_args(ReadoutKind)))
def test_scores_may_be_a_map_of_several_rows(readout: ReadoutKind) -> None:
    b = Build("map of scores", (5, 4, 2))
    graph = b.graph(b.conv(b.conv_relu("input", 3), 2, (1, 1)))
    x = samples(graph, 8)
    network = convert_graph(graph, recipe_of(allow=ALLOW, readout=readout, seed=3), x, 21, simulate).network
    drive = network.drive(x)
    expected = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert expected.scores.shape == (8, 21, 40)
    assert expected.scores[:, -1].reshape(8, 5, 8).any(axis=(0, 2)).all()
    assert_same(expected, compiled(network).run(drive, 0, EVERYTHING))
