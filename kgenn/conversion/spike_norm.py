"""Spike-based normalisation: the scale of a layer is the largest current that the spiking layers below deliver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.activations import known_scales, measured_relus
from kgenn.conversion.base import Calibration, Settings
from kgenn.conversion.neurons import PEAK
from kgenn.conversion.rate_coded import SingleSpikes
from kgenn.conversion.scales import active_scales, capped
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Graph
from kgenn.ir.recording import RecordingOptions
from kgenn.ir.samples import Samples
from kgenn.ir.spike_code import MAX_STEPS

# Products of synapses and timesteps in all simulations of a conversion: one or two minutes on two cores.
BUDGET = 2e12
# Samples that are simulated, at most and at least.
MAX_SAMPLES = 128
MIN_SAMPLES = 8


@dataclass(frozen=True)
class SpikeNorm(SingleSpikes):
    """Let λ be the largest current that a neuron gets in a step from the spiking layers below, already balanced.

    Layer by layer in topological order, so that it holds for any acyclic graph::

        λ_l = P_p over neurons and samples of the max over timesteps of Σ_s Σ_j W_ij·λ_s·s_j(t) + b_i

    The simulations run on generated C++, with the network's own encoder. Each of L layers needs a simulation of
    the network below it, so together they cost as much as L/2 simulations of the whole network, and the number of
    samples is limited for large networks. The paper takes the maximum over neurons and samples, p = 100. The
    default is 99.9, as in data-norm, because in a deep network a coincidence of spikes in one neuron of one sample
    makes a scale that is several times too large for all others.

    Attributes:
        norm_percentile: p, over the neurons and samples of their largest current, in (0, 100].
        norm_samples: of the calibration set, the first so many are simulated; 0 for as many as cost at most
            `BUDGET`, from `MIN_SAMPLES` to `MAX_SAMPLES`.
        norm_timesteps: steps of these simulations; 0 for those of the network.

    Source: Sengupta et al. 2019, doi:10.3389/fnins.2019.00095.
    """

    name: ClassVar[str] = "spike-norm"
    citations: ClassVar[tuple[Citation, ...]] = ("sengupta2019",)
    default_timesteps: ClassVar[int] = 1000

    norm_percentile: float = field(
        default=99.9, metadata={"help": "percentile of the currents, above 0, up to 100 (the maximum)"}
    )
    norm_samples: int = field(
        default=0, metadata={"help": "samples to simulate for the currents; 0 for as many as take a few minutes"}
    )
    norm_timesteps: int = field(default=100, metadata={"help": "steps of these simulations; 0 for those of a run"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.norm_percentile <= 100:
            raise fail("KG401", self.name, f"norm_percentile is {self.norm_percentile}; it lies in (0, 100]")
        if self.norm_samples < 0 or not 0 <= self.norm_timesteps <= MAX_STEPS:
            what = f"norm_samples is at least 0, and norm_timesteps lies in 0 to {MAX_STEPS}"
            raise fail("KG401", self.name, what)

    def settings(self, calibration: Calibration) -> Settings:
        graph = calibration.graph
        relus = measured_relus(graph)
        steps = self.norm_timesteps or calibration.num_timesteps
        samples = calibration.samples[: self.norm_samples or affordable(graph, relus, steps)]
        scales = known_scales(graph, channelwise=False)
        for number, name in enumerate(relus, 1):
            calibration.status(f"simulating layer {number} of {len(relus)}, {name}")
            own = {name: np.asarray(self.largest_current(calibration, scales, name, samples, steps))}
            scales.update(capped(graph, active_scales(graph, own, {}, "largest current")))
        return Settings(scales, notes=_notes(len(samples), min(MAX_SAMPLES, len(calibration.samples))))

    def largest_current(
        self, calibration: Calibration, scales: dict[str, Array], node: str, samples: Samples, steps: int
    ) -> float:
        """Return the largest current that reaches a ReLU, in units of activation; 0 where none is positive."""
        network = calibration.draft(Settings(scales), node, PEAK, steps)
        (readout,) = network.readouts
        batches = calibration.simulate(network, samples, RecordingOptions(curve=False), once=True)
        peaks = [np.maximum(recording.scores[:, 0], 0) for recording in batches]
        peak = float(np.percentile(np.concatenate(peaks), self.norm_percentile))
        return peak / readout.unit * float(readout.scale)


def affordable(graph: Graph, relus: Sequence[str], num_timesteps: int) -> int:
    """Return how many samples can be simulated within the budget, up to each of these ReLUs."""
    products = sum(graph.ending_at(name).macs for name in relus) * num_timesteps
    return max(MIN_SAMPLES, min(MAX_SAMPLES, int(BUDGET / max(products, 1))))


def _notes(simulated: int, available: int) -> tuple[str, ...]:
    """Return the note that fewer samples were simulated than there are, or nothing."""
    if simulated >= available:
        return ()
    return (
        f"spike-norm simulated {simulated} of {available} samples to end in minutes; --norm-samples sets how many",
    )
