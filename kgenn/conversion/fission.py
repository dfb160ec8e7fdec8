"""Fission: several integrate-and-fire neurons for one value, so that few timesteps of binary spikes do."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from kgenn.citations import Citation
from kgenn.conversion.base import Calibration, Converter, Dynamics, Settings
from kgenn.conversion.channel_units import channel_units
from kgenn.conversion.copies import neurons_of_a_copy, staggered
from kgenn.conversion.few_samples import sample_warnings, trusted
from kgenn.conversion.fission_neurons import Firing, fit
from kgenn.conversion.neurons import INTEGRATE_FIRE
from kgenn.conversion.quantisation import least_squares_scales
from kgenn.conversion.scales import active_scales, capped
from kgenn.conversion.sensitivity import sensitivities
from kgenn.conversion.spike_trains import KEPT, fitted
from kgenn.conversion.twins import affordable, some_of
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Node
from kgenn.ir.network import ReadoutKind

# More neurons for each value than this would be a network of another kind.
MAX_COPIES = 16


@dataclass(frozen=True)
class Fission(Converter):
    """Use up to n integrate-and-fire neurons for each value of a layer, with binary spikes.

    The n neurons of a value get the same current, and start k/n of a threshold apart. Together they act as one
    neuron that fires up to n times in a step and distinguishes n·T + 1 values in T steps. Neurons are added where
    they reduce the error of the outputs most: that of a layer falls with 1/n². Thresholds, initial potentials,
    biases and weights are fitted layer by layer to the spikes that arrive in T steps on the calibration set; see
    `kgenn.conversion.fission_neurons` and `kgenn.conversion.refit`.

    Attributes:
        extra: largest number of added neurons for each neuron of the network without them.
        copies: largest n of a layer.
        refit: fit the weights of each layer to the spikes that come; see `kgenn.conversion.refit`.

    Source: Adaptive Fission (NeurIPS 2025) splits neurons after a conversion; here the parts are copies with
    different initial potentials. Groups of neurons: Lv et al. 2024 (ICASSP). Initial potentials: Bu et al. 2022,
    doi:10.1609/aaai.v36i1.19874.
    """

    name: ClassVar[str] = "fission"
    citations: ClassVar[tuple[Citation, ...]] = ("lv2024", "bu2022potentials", "li2021calibration")
    readouts: ClassVar[tuple[ReadoutKind, ...]] = ("current",)
    default_timesteps: ClassVar[int] = 8

    extra: float = field(default=1.5, metadata={"help": "largest number of added neurons for each neuron"})
    copies: int = field(default=4, metadata={"help": "largest number of neurons for a value"})
    refit: bool = field(default=True, metadata={"help": "fit the weights of a layer to the spikes that come"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.extra < np.inf:
            raise fail("KG401", self.name, f"extra is {self.extra}; it is 0 or more")
        if not 1 <= self.copies <= MAX_COPIES:
            raise fail("KG401", self.name, f"copies is {self.copies}; it lies in 1 to {MAX_COPIES}")

    def settings(self, calibration: Calibration) -> Settings:
        graph, steps = calibration.graph, calibration.num_timesteps
        sizes = neurons_of_a_copy(graph)
        errors = sensitivities(graph, calibration.samples, calibration.memoise)
        copies = shared_out(sizes, errors, self.extra, self.copies)
        scales = self.scales(calibration, copies)
        kept, notes = some_of(calibration.samples, affordable(graph, KEPT + steps), "neurons are fitted")

        def choose(node: Node, currents: Array, values: Array) -> Firing:
            return fit(node, currents, values, steps, scales[node.name], copies[node.name])

        found = fitted(graph, kept, steps, choose, weights=self.refit)
        neurons = found.neurons.items()
        return Settings(
            {name: np.repeat(firing.scale, firing.copies) for name, firing in neurons},
            {**found.shifts, **{name: np.repeat(f.shift, f.copies) for name, f in neurons}},
            {name: staggered(firing.potential, firing.copies) for name, firing in neurons},
            copies,
            found.layers,
            (*notes, note_of(sizes, copies)),
            sample_warnings(calibration.samples, True, True),
        )

    def scales(self, calibration: Calibration, copies: Mapping[str, int]) -> dict[str, Array]:
        """Return λ of least squared error of each ReLU, for as many numbers as its neurons say in T steps."""
        graph, samples, memoise = calibration.graph, calibration.samples, calibration.memoise
        units, found = channel_units(graph, samples, memoise), {}
        for number in sorted(set(copies.values())):
            levels = number * calibration.num_timesteps
            of_levels = least_squares_scales(graph, samples, levels, True, True, memoise)
            found.update({name: scale for name, scale in of_levels.items() if copies[name] == number})
        active = active_scales(graph, found, units, "maximum")
        return capped(graph, trusted(active, units, len(samples)))

    def dynamics(self, node: Node, unit: int, num_timesteps: int) -> Dynamics:
        return Dynamics(INTEGRATE_FIRE, {"v_thresh": float(unit)})


def shared_out(
    sizes: Mapping[str, int], errors: Mapping[str, float], extra: float, max_copies: int
) -> dict[str, int]:
    """Return how many neurons stand for each value of each layer.

    The outputs are taken to have the error Σ e/n², with e that of a layer of one copy. Neurons go one copy of a
    layer at a time to where they take most of it away for their number, and nowhere where they take nothing.

    Args:
        sizes: the neurons of one copy of each layer.
        errors: e of each layer, in any unit; see `kgenn.conversion.sensitivity`.
        extra: neurons that are added, for each of those without copies.
        max_copies: the largest n of a layer.
    """
    copies = dict.fromkeys(sizes, 1)
    left = extra * sum(sizes.values())

    def gain(name: str) -> float:
        n = copies[name]
        return errors[name] * (1 / n**2 - 1 / (n + 1) ** 2) / sizes[name]

    queue = [(-gain(name), position, name) for position, name in enumerate(sizes) if errors[name] > 0]
    heapq.heapify(queue)
    while queue:
        _, position, name = heapq.heappop(queue)
        if copies[name] == max_copies or sizes[name] > left:
            continue
        copies[name] += 1
        left -= sizes[name]
        heapq.heappush(queue, (-gain(name), position, name))
    return copies


def note_of(sizes: Mapping[str, int], copies: Mapping[str, int]) -> str:
    """Return how many neurons were added, in a sentence."""
    before = sum(sizes.values())
    added = sum((copies[name] - 1) * size for name, size in sizes.items())
    share = f", {added / before:.2f} for each of the {before:,} without them" if before else ""
    return f"{added:,} neurons were added{share}; up to {max(copies.values(), default=1)} stand for one value"
