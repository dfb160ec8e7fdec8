"""Max pooling by neurons: the value of what a pool sends is exactly the largest of what its window sent."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgenn
from covering import covering, leading
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import PopulationRun, ReferenceSimulator
from kgenn.backends.simulate import simulate
from kgenn.conversion.burst import Burst
from kgenn.conversion.convert import convert_graph
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.max_pool import MAX_BITS, most_sources, pool_dynamics, pool_kernel, radix
from kgenn.conversion.recipe import recipe_of
from kgenn.encoders import encoders_of
from kgenn.encoders.base import Encoder
from kgenn.encoders.direct import Direct
from kgenn.encoders.stage import FewSpikeSignedInput
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import EXACT, Population
from kgenn.ir.network_input import InputCoding
from kgenn.ir.spike_code import CodeName
from kgenn.ir.windows import Padding
from kgenn.layers.pooling import MaxPool
from kgenn.passes.max_pool import split_max_pools
from networks import ALLOW, ENCODERS, RECIPES, STAGED_ENCODERS, Build, lone, samples
from recordings import EVERYTHING, METHODS, assert_same, compiled, conversion, inputs_of

# the values of a spike: of plain neurons, of bursts, and of a signed encoder
RANGES = ((0, 1), (0, 5), (-1, 1), (-1, 5))
each_range = pytest.mark.parametrize("spike_range", RANGES)


def pool_run(
    sources: int, code: CodeName, spike_range: tuple[int, int], steps: int, samples: int
) -> PopulationRun:
    """Return one pool neuron, ready to run."""
    made = pool_dynamics(sources, code, spike_range, steps)
    population = Population("pool", (1,), made.neuron, made.params, made.initial, maximum=True)
    coding = InputCoding("none", 1, 0.0, 1.0)
    network = lone(population, coding, steps, code)
    return PopulationRun(network, population, np.zeros((samples, 1), np.float32), 0)


def currents(spikes: Array, code: CodeName, spike_range: tuple[int, int]) -> Array:
    """Return the synaptic current of spikes of shape (N, T, sources), shape (N, T, 1), float32."""
    digits = pool_kernel((spikes.shape[-1], 1), 1, code, spike_range).reshape(-1, 1).astype(np.float32)
    return spikes.astype(np.float32) @ digits


def trains(seed: int, shape: tuple[int, ...], spike_range: tuple[int, int]) -> Array:
    """Return random spike trains, some samples busy, some almost silent."""
    rng = np.random.default_rng(seed)
    busy = rng.random((shape[0], 1, 1))
    return rng.integers(spike_range[0], spike_range[1], shape, endpoint=True) * (rng.random(shape) < busy)


@each_range
@given(st.integers(0, 9999), st.data())
def test_in_rate_code_the_sum_of_spikes_is_the_largest_sum_at_every_step(
    spike_range: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    sources = data.draw(st.integers(1, most_sources(spike_range)))
    spikes = trains(seed, (6, 25, sources), spike_range)
    run = pool_run(sources, "rate", spike_range, 25, 6)
    current = currents(spikes, "rate", spike_range)
    sent = np.stack([run.step(current[:, t], t)[:, 0] for t in range(25)], axis=1)
    assert np.array_equal(np.cumsum(sent, axis=1), np.cumsum(spikes, axis=1).max(axis=2))


@pytest.mark.parametrize("spike_range", [(0, 1), (-1, 1)])
@given(st.integers(0, 9999), st.data())
def test_in_binary_code_the_number_is_the_largest_number(
    spike_range: tuple[int, int], seed: int, data: st.DataObject
) -> None:
    sources = data.draw(st.integers(1, most_sources(spike_range)))
    steps = data.draw(st.integers(1, 16))
    spikes = trains(seed, (6, steps, sources), (0, 1))
    if spike_range[0] < 0:
        # every spike of a number has its sign
        spikes = spikes * np.random.default_rng(seed).choice([-1, 1], (6, 1, sources))
    weights = 2 ** np.arange(steps)[::-1]
    run = pool_run(sources, "binary", spike_range, steps, 6)
    current = currents(spikes, "binary", spike_range)
    for t in range(steps):
        run.listen(current[:, t], t)
    sent = np.stack([run.step(None, t)[:, 0] for t in range(steps)], axis=1)
    assert np.array_equal(sent @ weights, np.einsum("nts,t->ns", spikes, weights).max(axis=1))


@given(st.integers(0, 9999), st.integers(1, 24), st.integers(1, 60))
def test_in_latency_code_the_earliest_spike_of_the_window_is_sent(seed: int, sources: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    # the number 0 sends no spike
    numbers = rng.integers(0, steps, (8, sources), endpoint=True) * (rng.random((8, 1)) < 0.8)
    spikes = (np.arange(steps)[:, None] == steps - numbers[:, None, :]).astype(np.int64)
    run = pool_run(sources, "latency", (0, 1), steps, 8)
    current = currents(spikes, "latency", (0, 1))
    for t in range(steps):
        run.listen(current[:, t], t)
    sent = np.stack([run.step(None, t)[:, 0] for t in range(steps)], axis=1)
    assert np.array_equal(sent @ np.arange(steps, 0, -1), numbers.max(axis=1))
    assert sent.sum(axis=1).max() <= 1


@each_range
def test_the_digits_of_the_largest_window_are_exact_in_float32(spike_range: tuple[int, int]) -> None:
    sources = most_sources(spike_range)
    digits = pool_kernel((sources, 1), 1, "rate", spike_range).ravel()
    assert radix(spike_range) ** sources <= 2**MAX_BITS < radix(spike_range) ** (sources + 1)
    assert max(map(abs, spike_range)) * digits.sum() < EXACT


POOLED = [name for name in RECIPES if name.startswith("max_pool")]
SENDING = ("data-norm", "few-spike", "ttfs", "burst", "calibrated")


@pytest.mark.parametrize(("method", "name"), covering(SENDING, POOLED))
def test_a_pool_population_is_the_max_pooling_of_its_source(method: str, name: str) -> None:
    converter, (steps, *_) = METHODS[method]
    for encoder in encoders_of(converter.code):
        made = conversion(name, encoder, converter, num_timesteps=steps)
        network = made.network
        drive = network.drive(inputs_of(network, encoder))
        recording = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
        pools = [node for node in made.lowered.nodes if isinstance(node.layer, MaxPool)]
        assert pools
        for node in pools:
            (connection,) = network.incoming[node.name]
            values = [recording.train_values]
            if network.code.schedule == "synchronous":
                # at every step, not only at the end
                assert recording.raster is not None
                sums = {p: np.cumsum(r.astype(np.int64), axis=1) for p, r in recording.raster.items()}
                values = [{p: s[:, t] for p, s in sums.items()} for t in range(steps)]
            for train_values in values:
                assert train_values is not None
                image = train_values[connection.source].reshape(-1, *made.lowered.shapes[node.inputs[0]])
                expected = node.layer.forward(image.astype(np.float64))
                assert np.array_equal(train_values[node.name], expected.reshape(len(expected), -1))


def of_the_input(size: tuple[int, int], padding: str = "valid") -> Graph:
    b = Build(f"pooled input {size} {padding}", (6, 6, 2))
    return b.graph(b.classify(b.conv_relu(b.max_pool("input", size, (2, 2), padding), 3)))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "encoder"),
    leading([("data-norm", "poisson-signed"), ("burst", "poisson-signed"), ("few-spike", "few-spike-signed")]),
)
def test_negative_values_of_a_signed_input_are_pooled_too(method: str, encoder: str) -> None:
    graph = of_the_input((2, 2))
    converter, (steps, *_) = METHODS[method]
    coder = {**ENCODERS, **STAGED_ENCODERS}[encoder][0]
    x = samples(graph, 8, -1.0, 0.2)
    network = convert_graph(graph, recipe_of(converter, coder, ALLOW), x, steps, simulate).network
    recording = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert_same(recording, PipelineSimulator(network).run(network.drive(x), 0, EVERYTHING))
    assert_same(recording, compiled(network).run(network.drive(x), 0, EVERYTHING))
    train_values = recording.train_values
    assert train_values is not None
    first, pool = network.populations[:2]
    windows = train_values[first.name].reshape(8, 3, 2, 3, 2, 2).max(axis=(2, 4))
    assert windows.min() < 0
    assert np.array_equal(train_values[pool.name], windows.reshape(8, -1))


@pytest.mark.parametrize("size", [(1, 10), (12, 1), (9, 9)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_window_that_no_neuron_can_hold_is_split(size: tuple[int, int], padding: Padding) -> None:
    assert prod(size) > most_sources((0, 5))
    b = Build(f"wide {size}", (14, 13, 2))
    whole = b.graph(b.max_pool(b.conv_relu("input", 3), size, (2, 3), padding))
    split = split_max_pools(whole, most_sources((0, 5)))
    assert len(split.nodes) > len(whole.nodes)
    x = samples(whole, 5)
    assert np.array_equal(np.asarray(split.predict(x)), np.asarray(whole.predict(x)))
    assert kgenn.check(b.graph(b.classify(whole.ends[0])), Burst(), ALLOW) == []


@pytest.mark.parametrize(
    ("size", "padding", "encoder"),
    leading(
        [
            ((2, 2), "valid", Direct()),
            ((3, 3), "same", Direct()),
            ((3, 3), "same", FewSpikeSignedInput()),
            ((3, 3), "valid", FewSpikeSignedInput()),
        ]
    ),
)
def test_an_input_that_neurons_cannot_pool_is_shifted_above_zero(
    size: tuple[int, int], padding: str, encoder: Encoder
) -> None:
    graph = of_the_input(size, padding)
    x = samples(graph, 60, -1.0, 0.5)
    network = convert_graph(graph, recipe_of(FewSpike(), encoder, ALLOW), x, 10, simulate).network
    recording = ReferenceSimulator(network).run(network.drive(x), 0, EVERYTHING)
    assert_same(recording, compiled(network).run(network.drive(x), 0, EVERYTHING))
    expected = np.asarray(graph.predict(x))
    scores = kgenn.compile(network, target="reference").evaluate(x).scores
    assert np.abs(scores - expected).max() < 0.03 * np.ptp(expected)
