"""Where float32 cannot hold a layer's currents, it has float64: the same spikes everywhere, the model's scores."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from covering import leading
from kgenn.backends import TARGETS, RunOptions
from kgenn.backends.base import SynapseAlgorithm
from kgenn.backends.pipeline import PipelineSimulator
from kgenn.backends.reference import ReferenceSimulator
from kgenn.conversion.base import Converter
from kgenn.conversion.burst import Burst
from kgenn.conversion.calibrated import Calibrated
from kgenn.conversion.data_norm import DataNorm
from kgenn.conversion.few_spike import FewSpike
from kgenn.conversion.time_to_first_spike import TimeToFirstSpike
from kgenn.ir.network import EXACT, Network
from kgenn.ir.serialise import from_plain, npz_bytes, to_plain
from kgenn.ir.validate import check_network
from recordings import EVERYTHING, assert_same
from wide_pools import graph, images, wide

METHODS: list[tuple[Converter, int, str]] = [
    (DataNorm(channelwise=True), 21, "direct"),
    (FewSpike(), 8, "few-spike"),
    (FewSpike(), 12, "direct"),
    (TimeToFirstSpike(), 500, "direct"),
    (DataNorm(), 9, "poisson"),
    (Burst(channelwise=True), 11, "direct"),
    (Calibrated(channelwise=True), 8, "direct"),
]
each_method = pytest.mark.parametrize(
    ("converter", "steps", "encoder"), METHODS, ids=lambda value: getattr(value, "name", value)
)


def in_double(network: Network) -> list[str]:
    """Return the populations whose currents of a step float32 cannot add up."""
    return [p.name for p in network.populations[1:] if network.has_double_currents(p)]


@each_method
def test_the_hidden_layer_has_currents_that_float32_does_not_hold(
    converter: Converter, steps: int, encoder: str
) -> None:
    network = wide(converter, steps, encoder)
    assert in_double(network)
    largest = max(converter.spike_range(steps))
    for name in in_double(network):
        reach = sum(c.magnitude() for c in network.incoming[name] if not network.is_analog(c))
        assert EXACT <= largest * np.max(reach) < 1 << 53


@pytest.mark.parametrize(
    ("converter", "steps", "encoder"), leading(METHODS), ids=lambda value: getattr(value, "name", value)
)
def test_reference_pipeline_and_every_way_of_the_program_give_the_same_spikes(
    converter: Converter, steps: int, encoder: str
) -> None:
    network = wide(converter, steps, encoder)
    drive = network.drive(images(3, seed=1))
    expected = ReferenceSimulator(network).run(drive, 7, EVERYTHING)
    assert_same(expected, PipelineSimulator(network).run(drive, 7, EVERYTHING))
    for way in get_args(SynapseAlgorithm):
        program = TARGETS.get("cpu")().load(network, None, RunOptions(2, synapses=way))
        assert_same(expected, program.run(drive, 7, EVERYTHING))


@pytest.mark.parametrize("steps", leading([6, 8, 10, 12]))
def test_more_bits_are_never_worse(steps: int) -> None:
    network, x = wide(FewSpike(), steps), images(64, seed=2)
    scores = ReferenceSimulator(network).run(network.drive(x), 0).scores[:, -1].astype(np.float64)
    model = np.asarray(graph().predict(x))
    correlation = np.corrcoef((scores - scores.mean(0)).ravel(), (model - model.mean(0)).ravel())[0, 1]
    assert correlation > {6: 0.995}.get(steps, 0.999)


@each_method
def test_a_network_in_double_precision_survives_being_stored(
    converter: Converter, steps: int, encoder: str, tmp_path: Path
) -> None:
    network = wide(converter, steps, encoder)
    plain, arrays = to_plain(network)
    (tmp_path / "network.npz").write_bytes(npz_bytes(arrays))
    with np.load(tmp_path / "network.npz") as archive:
        copy = check_network(from_plain(plain, dict(archive)))
    drive = network.drive(images(2, seed=3))
    assert_same(
        ReferenceSimulator(network).run(drive, 0, EVERYTHING), ReferenceSimulator(copy).run(drive, 0, EVERYTHING)
    )
