"""Early exit: the same as stopping each sample's run by hand at its first sure step, on every simulator."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import kgenn
from beside import SINGLE
from covering import leading
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.few_spike import FewSpike
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.metrics.early_exit import EarlyExit, ExitTally
from kgenn.metrics.result import Result, ResultTally
from networks import ENCODERS
from recordings import EVERYTHING, converted, goals_of

NUM_SAMPLES = 6
LABELS = np.array([0, 3, 1, 2, 0, 3])
DIFFERENTIAL = ("skip_to_readout", "direct", "differential")
NETWORKS = [
    *SINGLE,
    DIFFERENTIAL,
    ("conv_same", "poisson", "current"),
    ("relu_output", "if", "spike-count"),
    ("max_pool_conv", "poisson-signed", "late-current"),
]
each_network = pytest.mark.parametrize(("name", "encoder", "readout"), leading(NETWORKS, 4))


def network_of(name: str, encoder: str, readout: str) -> Network:
    if readout == "differential":  # a code with a readout of its own
        return converted(name, encoder, Calibrated(), num_timesteps=12)
    return converted(name, encoder, readout=readout, num_timesteps=12)  # type: ignore[arg-type]


def inputs(network: Network, encoder: str) -> Array:
    _, low, high = ENCODERS[encoder]
    rng = np.random.default_rng(5)
    return rng.uniform(0.9 * low, 0.9 * high, (NUM_SAMPLES, *network.input_shape)).astype(np.float32)


def cut(network: Network, steps: int) -> Network:
    return replace(network, num_timesteps=steps, levels=steps if network.code_name == "rate" else network.levels)


def truncated(network: Network, x: Array) -> list[Result]:
    """Return the results of runs of 1, 2, … T steps, one sample after the other in each."""
    results = []
    for steps in range(1, network.num_timesteps + 1):
        short = cut(network, steps)
        tally = ResultTally(short, goals_of(short))
        tally.add(ReferenceSimulator(short).run(short.drive(x), 0, EVERYTHING), {})
        results.append(tally.result({}, 0.0, 0.0))
    return results


def median_confidence(network: Network, encoder: str) -> float:
    """Return a confidence that some samples reach before the end, and some do not at once."""
    largest = [probabilities(r.scores).max(axis=1) for r in truncated(network, inputs(network, encoder))]
    ordered = np.unique(largest)
    middle = len(ordered) // 2
    # between two of them, so that the rounding of scores to float32 decides nothing
    return float(ordered[middle - 1 : middle + 1].mean())


def probabilities(scores: Array) -> Array:
    powers = np.exp(scores.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def exit_of(network: Network, x: Array, confidence: float, target: str = "cpu", batch_size: int = 64) -> EarlyExit:
    result = kgenn.compile(network, target).evaluate(x, LABELS, batch_size, early_exit=confidence)
    assert result.early_exit is not None
    return result.early_exit


@pytest.mark.parametrize(("name", "encoder", "readout"), leading(NETWORKS))
def test_it_is_the_same_as_stopping_each_sample_by_hand(name: str, encoder: str, readout: str) -> None:
    network = network_of(name, encoder, readout)
    x, confidence = inputs(network, encoder), median_confidence(network, encoder)
    runs = truncated(network, x)
    sure = np.array([probabilities(r.scores).max(axis=1) >= confidence for r in runs])
    steps = np.array([next((t for t in range(1, 13) if sure[t - 1, n]), 12) for n in range(NUM_SAMPLES)])
    assert len(set(steps)) > 1, "the claim would be about one number"
    right, spikes, operations = 0, 0.0, 0.0
    hidden = [p for p in network.spiking if p is not network.populations[0]]
    for n, t in enumerate(steps):
        short = cut(network, int(t))
        recording = ReferenceSimulator(short).run(short.drive(x), 0, EVERYTHING)
        right += int(recording.scores[n, -1].argmax() == LABELS[n])
        spikes += sum(int(recording.spike_counts[p.name][n].sum()) for p in hidden)
        operations += sum(
            float(recording.spike_counts[c.source][n] @ c.fan_out())
            for c in network.connections
            if c.source in recording.spike_counts
        )
    found = exit_of(network, x, confidence)
    np.testing.assert_array_equal(found.timesteps, steps)
    assert found.mean_timesteps == pytest.approx(steps.mean())
    assert found.accuracy == pytest.approx(right / NUM_SAMPLES)
    assert found.spikes_per_neuron == pytest.approx(spikes / NUM_SAMPLES / sum(p.size for p in hidden))
    assert found.synaptic_operations == pytest.approx(operations / NUM_SAMPLES)


@pytest.mark.parametrize(("name", "encoder", "readout"), leading(NETWORKS))
def test_simulators_and_batches_agree(name: str, encoder: str, readout: str) -> None:
    network = network_of(name, encoder, readout)
    x, confidence = inputs(network, encoder), median_confidence(network, encoder)
    one = exit_of(network, x, confidence, "reference")
    for two in (exit_of(network, x, confidence), exit_of(network, x, confidence, batch_size=4)):
        assert one.to_dict() == two.to_dict()
        np.testing.assert_array_equal(one.timesteps, two.timesteps)
        np.testing.assert_array_equal(one.predictions, two.predictions)


@each_network
def test_more_confidence_never_ends_a_sample_sooner(name: str, encoder: str, readout: str) -> None:
    network = network_of(name, encoder, readout)
    x = inputs(network, encoder)
    found = [exit_of(network, x, confidence, "reference") for confidence in (0.2, 0.3, 0.4, 0.6, 0.9, 1.0)]
    for less, more in pairwise(found):
        assert (less.timesteps <= more.timesteps).all()
        assert less.spikes_per_neuron <= more.spikes_per_neuron
        assert less.synaptic_operations <= more.synaptic_operations


@each_network
def test_any_class_will_do_at_the_first_step_and_certainty_takes_all(
    name: str, encoder: str, readout: str
) -> None:
    network = network_of(name, encoder, readout)
    x = inputs(network, encoder)
    # the largest of four probabilities is at least a quarter, and scores of these networks are below 37
    assert exit_of(network, x, 0.25, "reference").mean_timesteps == 1
    last = exit_of(network, x, 1.0, "reference")
    whole = kgenn.compile(network, "reference").evaluate(x, LABELS)
    assert last.mean_timesteps == network.num_timesteps
    assert last.accuracy == whole.accuracy
    assert last.spikes_per_neuron == pytest.approx(whole.spikes_per_neuron)
    assert last.synaptic_operations == pytest.approx(whole.synaptic_operations)
    np.testing.assert_array_equal(last.predictions, whole.predictions)


def test_without_labels_there_is_no_accuracy() -> None:
    network = network_of(*NETWORKS[0])
    found = kgenn.compile(network).evaluate(inputs(network, "direct"), early_exit=0.5).early_exit
    assert found is not None
    assert found.accuracy is None
    assert len(found.timesteps) == len(found.predictions) == NUM_SAMPLES


def test_a_run_without_it_has_none() -> None:
    network = network_of(*NETWORKS[0])
    result = kgenn.compile(network).evaluate(inputs(network, "direct"))
    assert result.early_exit is None
    assert "early_exit" not in result.to_dict()


@pytest.mark.parametrize("confidence", [0.0, -0.1, 1.1, float("nan")])
def test_a_confidence_out_of_range_is_kg401(confidence: float) -> None:
    network = network_of(*NETWORKS[0])
    with pytest.raises(KgennError, match="KG401"):
        ExitTally(network, confidence, goals_of(network))


def test_a_network_that_works_in_stages_is_kg401_and_told_why() -> None:
    network = converted("dense", "direct", FewSpike(), num_timesteps=4)
    with pytest.raises(KgennError, match=r"KG401.*works in stages"):
        ExitTally(network, 0.9, goals_of(network))
