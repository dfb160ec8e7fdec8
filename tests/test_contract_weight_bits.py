"""The contract with weights of few bits: the same spikes on every simulator, whatever computes the synapses."""

from __future__ import annotations

from typing import get_args

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
from kgenn.conversion.weight_bits import WeightBits
from kgenn.passes import LoweringOptions
from kgenn.passes.options import WeightGrid
from recordings import EVERYTHING, assert_same, converted, drive_of

CASES: list[tuple[str, str, Converter, int]] = [
    ("residual_shortcut", "poisson", DataNorm(), 21),
    ("max_pool_conv", "direct", FewSpike(), 8),  # values of two bytes, behind an input that sends none
    ("pool_conv", "direct", DataNorm(), 21),
    ("bias_conv", "if", Burst(), 21),
    ("separable", "direct", TimeToFirstSpike(), 40),
    ("concat_conv", "direct", Calibrated(), 8),
]


GRIDS: list[tuple[WeightBits, WeightGrid]] = [
    (4, "layer"),
    (8, "layer"),
    ("auto", "layer"),
    (4, "channel"),
    ("auto", "channel"),
]


@pytest.mark.parametrize(("bits", "grid"), GRIDS)
@pytest.mark.parametrize(("name", "encoder", "converter", "steps"), leading(CASES, 2))
def test_weights_of_few_bits_keep_the_contract(
    name: str, encoder: str, converter: Converter, steps: int, bits: WeightBits, grid: WeightGrid
) -> None:
    lowering = LoweringOptions(weight_bits=bits, weight_grid=grid)
    network = converted(name, encoder, converter, lowering, num_timesteps=steps)
    drive = drive_of(network, encoder)
    expected = ReferenceSimulator(network).run(drive, 7, EVERYTHING)
    assert any(counts.any() for counts in expected.spike_counts.values())
    assert_same(expected, PipelineSimulator(network).run(drive, 7, EVERYTHING))
    for way in get_args(SynapseAlgorithm):
        program = TARGETS.get("cpu")().load(network, None, RunOptions(2, synapses=way))
        assert_same(expected, program.run(drive, 7, EVERYTHING))
