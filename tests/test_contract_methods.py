"""The contract for every conversion method: one spike train on every simulator, whatever the spikes stand for."""

from __future__ import annotations

import numpy as np
import pytest

from beside import FEW, PROGRAMS, driven, encoders_of, network_of, of_method, of_methods, sample_of
from covering import in_parts, leading
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion import CONVERTERS
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.passes import LoweringOptions
from networks import RECIPES, build
from recordings import (
    EVERYTHING,
    METHODS,
    NUM_SAMPLES,
    assert_batches_change_nothing,
    assert_same,
    compiled,
    converted,
    drive_of,
)

FIRST_SAMPLE = 1_000_003
STAGED = [method for method, (converter, _) in METHODS.items() if converter.code != "rate"]
each_staged = pytest.mark.parametrize("method", STAGED)


def assert_contract(network: Network, drive: Array) -> Recording:
    """Fail where reference, pipeline order and generated program differ; return what they give."""
    reference = ReferenceSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING)
    assert_same(reference, PipelineSimulator(network).run(drive, FIRST_SAMPLE, EVERYTHING))
    assert_same(reference, compiled(network).run(drive, FIRST_SAMPLE, EVERYTHING))
    return reference


ALONE = [(m, name, e) for m in METHODS for name, e in sample_of(m)]
# those that are not in `FEW`, in programs of several
REST = [(m, pairs) for m in METHODS for pairs in in_parts(sample_of(m, (r for r in RECIPES if r not in FEW)))]
# few-spike first: test_contract.py has a rate code of any length
LENGTHS = [(method, t) for method in METHODS for t in METHODS[method][1][:0:-1]]
LENGTHS.sort(key=lambda length: length[0] != "few-spike")


def test_every_method_is_here() -> None:
    # `none` differs from data-norm in its scales alone
    assert {*METHODS, "none"} == set(CONVERTERS.names())
    assert all(converter.name == method for method, (converter, _) in METHODS.items())
    assert sorted(METHODS) == sorted(method for methods in PROGRAMS.values() for method in methods)


@pytest.mark.parametrize("methods", PROGRAMS.values(), ids=PROGRAMS)
def test_every_method_gives_the_same_spikes_on_every_simulator(methods: tuple[str, ...]) -> None:
    recording = assert_contract(*of_methods(methods))
    # the claim would be empty for silent neurons
    assert [name for name, counts in recording.spike_counts.items() if not counts.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize(("method", "name", "encoder"), ALONE)
def test_a_network_of_any_method_fires_the_same_spikes_alone(method: str, name: str, encoder: str) -> None:
    network = network_of(name, method, encoder)
    recording = assert_contract(network, drive_of(network, encoder))
    assert all(counts.any() for counts in recording.spike_counts.values())


@pytest.mark.slow
@pytest.mark.parametrize(("method", "pairs"), REST)
def test_any_network_of_any_method_fires_the_same_spikes(method: str, pairs: list[tuple[str, str]]) -> None:
    cases = {f"{name} {encoder}": (network_of(name, method, encoder), encoder) for name, encoder in pairs}
    recording = assert_contract(*driven(cases))
    assert [name for name, counts in recording.spike_counts.items() if not counts.any()] == []


@pytest.mark.slow
@pytest.mark.parametrize("method", leading(sorted(METHODS, key=lambda method: method != "few-spike")))
def test_compiled_as_by_users_each_method_gives_the_same_spikes(method: str, as_users_compile: None) -> None:
    encoder = encoders_of(method)[0]
    network = network_of("max_pool_skip", method, encoder)
    assert_contract(network, drive_of(network, encoder))


@pytest.mark.parametrize(("method", "num_timesteps"), leading(LENGTHS))
def test_runs_of_any_length_keep_the_contract(method: str, num_timesteps: int) -> None:
    recording = assert_contract(*of_method(method, num_timesteps=num_timesteps))
    assert recording.scores.shape[1] == num_timesteps


@pytest.mark.slow
@pytest.mark.parametrize("method", leading(["calibrated", "burst"]))
def test_sums_of_large_spikes_over_a_large_window_are_exact(method: str) -> None:
    converter = METHODS[method][0]
    network = converted("wide_global_pool", "direct", converter, LoweringOptions(pooling="fold"), num_timesteps=4)
    drive = drive_of(network, "direct")
    reference = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    assert_same(reference, compiled(network).run(drive, 0, EVERYTHING))


@pytest.mark.slow
@pytest.mark.parametrize("readout", leading(["spike-count", "current"]))
def test_a_max_pool_at_the_output_keeps_the_contract(readout: ReadoutKind) -> None:
    network = converted("max_pool_output", "poisson", readout=readout)
    recording = assert_contract(network, drive_of(network, "poisson"))
    assert recording.scores[:, -1].any()


@pytest.mark.parametrize("method", METHODS)
def test_train_values_are_the_spikes_weighted_with_the_weight_of_each_step(method: str) -> None:
    network, drive = of_method(method)
    recording = ReferenceSimulator(network).run(drive, 0, EVERYTHING)
    last = network.num_timesteps - 1
    weight = {"binary": lambda t: 2 ** (last - t), "latency": lambda t: last - t + 1}.get(
        network.code_name, lambda _: 1
    )
    weights = np.array([weight(t) for t in range(last + 1)])
    assert recording.raster is not None
    assert recording.train_values is not None
    for name, raster in recording.raster.items():
        assert np.array_equal(
            np.einsum("nts,t->ns", raster.astype(np.int64), weights), recording.train_values[name]
        )


@pytest.mark.parametrize("method", leading(STAGED))
@pytest.mark.parametrize("num_threads", [1, 3])
def test_threads_and_batches_change_nothing_in_stages(method: str, num_threads: int) -> None:
    network, drive = of_methods((method,), count=7)
    assert_batches_change_nothing(network, drive, FIRST_SAMPLE, num_threads)


@pytest.mark.parametrize("method", leading(STAGED))
def test_no_sample_leaves_a_trace_in_the_next_of_a_staged_network(method: str) -> None:
    network, drive = of_methods((method,))
    alone = [ReferenceSimulator(network).run(drive[i : i + 1], i).scores for i in range(NUM_SAMPLES)]
    for simulator in (PipelineSimulator(network), compiled(network)):
        for i in reversed(range(NUM_SAMPLES)):
            assert np.array_equal(simulator.run(drive[i : i + 1], i).scores, alone[i])


@pytest.mark.parametrize("methods", leading((pytest.param(m, id=name) for name, m in PROGRAMS.items()), 2))
def test_without_the_curve_scores_are_the_last_of_it_everywhere(methods: tuple[str, ...]) -> None:
    network, drive = of_methods(methods)
    for simulator in (ReferenceSimulator(network), PipelineSimulator(network), compiled(network)):
        curve, last = (
            simulator.run(drive, 0, RecordingOptions(train_values=True, curve=c)) for c in (True, False)
        )
        assert curve.scores.shape[1] == network.num_timesteps
        assert np.array_equal(curve.scores[:, -1:], last.scores)
        assert curve.train_values is not None
        assert last.train_values is not None
        assert all(np.array_equal(w, last.train_values[name]) for name, w in curve.train_values.items())


@pytest.mark.parametrize("method", METHODS)
def test_no_method_sends_more_than_a_relu_s_cap(method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    if "relu-cap" not in converter.represents:
        pytest.skip("the method says that it has no caps")
    network = converted("relu_cap", "direct", converter, num_timesteps=steps)
    drive = drive_of(network, "direct")
    train_values = ReferenceSimulator(network).run(drive, 0, EVERYTHING).train_values
    assert train_values is not None
    (relu,) = network.spiking
    sent = train_values[relu.name].reshape(-1, *relu.shape) * relu.scale / network.levels
    graph = build("relu_cap")
    x = drive.reshape(-1, *network.input_shape) / np.float32(network.inputs[0].coding.levels)
    before = dict(graph.forward(x))["conv_1"]
    before = np.repeat(
        before, relu.shape[-1] // before.shape[-1], axis=-1
    )  # several neurons may stand for a value
    # far beyond the cap, what is sent is at most the cap, and nearly all of it
    beyond = before > 0.9
    assert beyond.any()
    assert sent.max() <= 0.6 * (1 + 1e-6)
    assert sent[beyond].mean() > 0.5
