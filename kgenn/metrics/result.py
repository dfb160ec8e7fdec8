"""What a run gives, and how it is added up batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from kgenn.diagnostics import Diagnostic
from kgenn.display import Displayed
from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.recording import Recording
from kgenn.ir.scores import heads_of
from kgenn.ir.spike_values import SpikeValues
from kgenn.ir.timing import Timing
from kgenn.ir.words import counted
from kgenn.metrics.cost_rows import cost_rows
from kgenn.metrics.counts import spikes_per_neuron, spikes_per_value, synaptic_operations
from kgenn.metrics.early_exit import EarlyExit
from kgenn.metrics.energy import Energies, energy_of, energy_of_macs
from kgenn.metrics.operations import Operations, direct_macs, operations_of, values_of_hidden, values_of_inputs
from kgenn.metrics.output_result import AnnValue, OutputResult, OutputTally
from kgenn.metrics.twin import Twin
from kgenn.tasks.goal import Goal
from kgenn.tasks.metric import title


@dataclass(frozen=True, eq=False, repr=False)
class Result(Displayed):
    """The figures of a network on a data set.

    `accuracy`, `metric`, `value`, `curve`, `predictions`, `scores` and `ann` are those of the first output;
    `outputs` has them of each.

    Attributes:
        accuracy: the share of samples whose class is their label, 0 to 1; None without labels, and for an output
            that predicts no class.
        metric: the name of the metric of the output's task, such as "accuracy" or "mse"; see `kgenn.tasks`.
        value: that metric; None without labels.
        num_samples, num_timesteps: N and T, the steps in which a population works.
        latency_steps: steps from a sample's start until the readout has worked, where every connection takes one,
            as in hardware and GeNN: depth + T, or depth · (T + 1) + T of a staged network, whose populations
            listen for T steps before they send; see `kgenn.ir.timing`.
        num_stages: populations on the longest path, the readout among them.
        curve: the metric after each step, shape (T,); None without labels, if it was not requested, and for a
            staged network, which decides only after its last stage.
        spikes_per_neuron: mean spikes of a neuron in one inference, without those of the encoder.
        spikes_per_value: the same of all neurons that stand for one value of the model; `fission` has several.
        spikes: mean spikes of each spiking population in one inference.
        spike_values: the values that spikes carry, those of inputs aside.
        synaptic_operations: spikes of one inference times the synapses that they cross.
        operations: the operations of one inference, by kind.
        direct_macs: multiply-accumulates of a direct input in one inference, of all its frames if it changes.
        ann_macs: multiply-accumulates of the source model.
        energy: energy of one inference, under several assumptions.
        wall_seconds, cpu_seconds: times of the simulation.
        kernel_seconds: time of each kind of kernel, if it was requested and the backend measures it.
        predictions: the prediction for each sample, shape (N, ...): a class, yes or no, a map, or values.
        scores: shape (N, num_outputs), float32: the readout after the last step in the model's units, after the
            model's final activation.
        ann: figures of the network's weights as an ANN; None unless requested.
        early_exit: the result of stopping each sample when it is certain; None unless requested.
        twin: figures of the ANN quantised to as many levels; None unless requested.
        warnings: reasons to doubt the figures.
        outputs: the figures of each output by its name, in the model's order.
        input_spike_values: the values that the spikes of inputs carry; None where no input sends spikes.
    """

    accuracy: float | None
    metric: str
    value: float | None
    num_samples: int
    num_timesteps: int
    latency_steps: int
    num_stages: int
    curve: Array | None
    spikes_per_neuron: float
    spikes_per_value: float
    spikes: Mapping[str, float]
    spike_values: SpikeValues
    synaptic_operations: float
    operations: Operations
    direct_macs: int
    ann_macs: int
    energy: Energies
    wall_seconds: float
    cpu_seconds: float
    kernel_seconds: Mapping[str, float]
    predictions: Array
    scores: Array
    early_exit: EarlyExit | None = None
    ann: AnnValue | None = None
    twin: Twin | None = None
    warnings: tuple[Diagnostic, ...] = ()
    outputs: Mapping[str, OutputResult] = field(default_factory=dict)
    input_spike_values: SpikeValues | None = None

    display: ClassVar[str] = "result"

    def __repr__(self) -> str:
        figures = ", ".join(f"{title(own.metric)} {own.in_words(own.value)}" for own in self.outputs.values())
        size = f"{counted(self.num_samples, 'sample')}, T = {self.num_timesteps:,}"
        return f"<Result: {figures}; {size}, {self.spikes_per_neuron:.3f} spikes per neuron>"

    def to_dict(self, curve: bool = False) -> dict[str, Any]:
        """Return the figures as JSON-able data, without the arrays; the curve on request."""
        first = next(iter(self.outputs.values()))
        plain: dict[str, Any] = {
            **first.to_dict(curve),
            "num_samples": self.num_samples,
            "num_timesteps": self.num_timesteps,
            "latency_steps": self.latency_steps,
            "num_stages": self.num_stages,
            "spikes_per_neuron": self.spikes_per_neuron,
            "spikes_per_value": self.spikes_per_value,
            "spikes": dict(self.spikes),
            "spike_values": asdict(self.spike_values),
            "input_spike_values": None if self.input_spike_values is None else asdict(self.input_spike_values),
            "synaptic_operations": self.synaptic_operations,
            "direct_macs": self.direct_macs,
            "ann_macs": self.ann_macs,
            "operations": self.operations.to_dict(),
            "energy": self.energy.to_dict(),
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.cpu_seconds,
            "warnings": [diagnostic.to_dict() for diagnostic in self.warnings],
        }
        if self.kernel_seconds:
            plain["kernel_seconds"] = dict(self.kernel_seconds)
        if self.ann is not None:
            plain["ann"] = asdict(self.ann)
        if self.twin is not None:
            plain["twin"] = self.twin.to_dict()
        if self.early_exit is not None:
            plain["early_exit"] = self.early_exit.to_dict()
        if len(self.outputs) > 1:
            plain["outputs"] = {name: own.to_dict(curve) for name, own in self.outputs.items()}
        return plain

    def rows(self) -> list[tuple[str, str]]:
        """Return the figures as (name, value with its unit), for a table."""
        return [
            *self._of_outputs(),
            ("samples", f"{self.num_samples:,}"),
            ("timesteps", f"{self.num_timesteps:,}"),
            ("latency", f"{self.latency_steps:,} steps ({self.num_stages} populations deep)"),
            *cost_rows(self),
            ("time", f"{self.wall_seconds:.2f} s wall, {self.cpu_seconds:.2f} s CPU"),
            *((f"GeNN {kind}", f"{seconds:.3f} s") for kind, seconds in self.kernel_seconds.items()),
            *(() if self.early_exit is None else self.early_exit.rows()),
        ]

    def _of_outputs(self) -> list[tuple[str, str]]:
        several = len(self.outputs) > 1
        return [row for name, own in self.outputs.items() for row in own.rows(f" of {name}" * several)]

    def with_ann(self, values: Mapping[str, AnnValue], twin: Twin) -> Result:
        """Return the result with what the weights give as an ANN, by the names of outputs, and as its twin."""
        outputs = {name: replace(own, ann=values.get(name)) for name, own in self.outputs.items()}
        energy = replace(self.energy, twin=twin.energy)
        return replace(self, outputs=outputs, ann=next(iter(outputs.values())).ann, twin=twin, energy=energy)

    def __str__(self) -> str:
        rows = (f"{name:20} {value}" for name, value in self.rows())
        return "\n".join([*rows, *map(str, self.warnings)])


class ResultTally:
    """Add up recordings batch by batch."""

    def __init__(self, network: Network, goals: Mapping[str, Goal]) -> None:
        self.network = network
        self.outputs = {head.name: OutputTally(head, goals[head.name]) for head in heads_of(network)}
        self.final_scores: list[Array] = []
        self.counts = {p.name: np.zeros(p.size, np.int64) for p in network.spiking}

    def add(self, recording: Recording, labels: Mapping[str, Array]) -> None:
        """Add one batch; `labels` are those of some outputs, by their names."""
        self.final_scores.append(recording.scores[:, -1])
        for name, output in self.outputs.items():
            output.add(recording.scores, labels.get(name))
        for name, counts in recording.spike_counts.items():
            self.counts[name] += counts.sum(axis=0)

    def result(
        self,
        labels: Mapping[str, Array],
        wall_seconds: float,
        cpu_seconds: float,
        kernel_seconds: Mapping[str, float] | None = None,
        early_exit: EarlyExit | None = None,
    ) -> Result:
        """Return the result over all batches; `labels` are of all samples, for some outputs by their names."""
        network = self.network
        raw = np.concatenate([np.zeros((0, network.num_scores), np.float32), *self.final_scores])
        num_samples = len(raw)
        share = 1 / max(num_samples, 1)
        operations = operations_of(network, self.counts, max(num_samples, 1))
        analog = {i.name: network.num_timesteps if i.changing else 1 for i in network.inputs if i.coding.analog}
        macs = sum(analog[c.source] * direct_macs(c) for c in network.connections if c.source in analog)
        outputs = {name: output.result(labels.get(name), raw) for name, output in self.outputs.items()}
        first = next(iter(outputs.values()))
        return Result(
            accuracy=first.accuracy,
            metric=first.metric,
            value=first.value,
            num_samples=num_samples,
            num_timesteps=network.num_timesteps,
            latency_steps=Timing(network).num_steps,
            num_stages=max(network.depths[p.name] for p in network.readouts) + 1,
            curve=first.curve,
            spikes_per_neuron=spikes_per_neuron(network, self.counts, max(num_samples, 1)),
            spikes_per_value=spikes_per_value(network, self.counts, max(num_samples, 1)),
            spikes={name: int(counts.sum()) * share for name, counts in self.counts.items()},
            spike_values=values_of_hidden(network),
            synaptic_operations=synaptic_operations(network, self.counts, max(num_samples, 1)),
            operations=operations,
            direct_macs=macs,
            ann_macs=network.ann_macs,
            energy=Energies(energy_of(operations), energy_of_macs(network.ann_macs)),
            wall_seconds=wall_seconds,
            cpu_seconds=cpu_seconds,
            kernel_seconds=kernel_seconds or {},
            predictions=first.predictions,
            scores=first.scores,
            early_exit=early_exit,
            outputs=outputs,
            input_spike_values=values_of_inputs(network),
        )
