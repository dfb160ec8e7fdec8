"""Which values spikes carry, against every spike that runs of all methods send."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.data_norm import DataNorm
from kgenn.ir.spike_values import LARGEST, SpikeValues, spike_values
from recordings import EVERYTHING, METHODS, converted, drive_of

pytestmark = pytest.mark.quick


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["dense", "residual_shortcut", "max_pool_conv", "max_pool_skip"])
def test_every_spike_carries_one_of_the_values(name: str, method: str) -> None:
    converter, (steps, *_) = METHODS[method]
    network = converted(name, "direct", converter, num_timesteps=steps)
    raster = ReferenceSimulator(network).run(drive_of(network, "direct"), 0, EVERYTHING).raster
    assert raster is not None
    values = spike_values(network)
    assert list(values) == list(raster)
    for p, spikes in raster.items():
        assert values[p].low <= spikes.min(initial=0)
        assert values[p].high >= spikes.max(initial=0)


@pytest.mark.parametrize(
    ("encoder", "converter", "inputs", "hidden"),
    [
        ("poisson", DataNorm(), "unit", "unit"),
        ("poisson-signed", DataNorm(), "signed, −1 and 1", "unit"),
        ("if", Burst(gamma=5), "unit", "graded, 0 to 5 (3 bits)"),
        ("if", Burst(gamma=1), "unit", "unit"),
        ("direct", Calibrated(members=3), None, "graded, −4 to 4 (4 bits)"),
    ],
)
def test_the_values_are_those_of_the_method(
    encoder: str, converter: DataNorm | Burst | Calibrated, inputs: str | None, hidden: str
) -> None:
    network = converted("max_pool_conv", encoder, converter)
    words = {name: str(values) for name, values in spike_values(network).items()}
    assert words.pop(network.inputs[0].name, None) == inputs
    assert set(words.values()) == {hidden}
    assert len(words) > 1


def test_a_neuron_whose_values_have_no_bound_sends_as_much_as_backends_hold() -> None:
    network = converted("dense", "if")
    first, hidden, last = network.populations
    unbounded = replace(hidden.neuron, emit="floor(v / v_thresh)")
    network = replace(network, populations=(replace(first, neuron=unbounded), hidden, last))
    assert spike_values(network)[first.name] == SpikeValues(-LARGEST, LARGEST)


@pytest.mark.parametrize(("low", "high", "bits"), [(0, 1, 1), (-1, 1, 2), (0, 5, 3), (-8, 8, 5), (-64, 64, 8)])
def test_bits_tell_all_values_and_no_spike_apart(low: int, high: int, bits: int) -> None:
    assert SpikeValues(low, high).bits == bits
