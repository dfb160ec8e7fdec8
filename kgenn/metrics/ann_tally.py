"""Add up what a network's weights give as an ANN, with activations of any value and with quantised ones."""

from __future__ import annotations

from collections.abc import Mapping

from kgenn.ir.graph import Array
from kgenn.ir.network import Network
from kgenn.ir.scores import heads_of
from kgenn.metrics.layer_error import ann_predictions, cut, ideal_rates, parts
from kgenn.metrics.output_result import AnnValue, OutputResult
from kgenn.metrics.result import Result
from kgenn.metrics.twin import TwinTally, twin_activations, twin_unit
from kgenn.tasks.goal import Goal
from kgenn.tasks.metric import MetricTally


class AnnTally:
    """Add up the metrics of the ANN and of its quantised twin batch by batch, for outputs that have labels."""

    def __init__(self, network: Network, goals: Mapping[str, Goal]) -> None:
        self.network, self.goals = network, goals
        self.heads = {head.name: head for head in heads_of(network)}
        self.twin = TwinTally(network)
        self.metrics = {name: (MetricTally(g.metric), MetricTally(g.metric)) for name, g in goals.items()}

    def add(self, drive: Array, labels: Mapping[str, Array]) -> None:
        """Add one batch of drives, with labels of some outputs."""
        for part in parts(drive):
            self._add_part(drive[part], cut(labels, part))

    def _add_part(self, drive: Array, labels: Mapping[str, Array]) -> None:
        quantised = twin_activations(self.network, drive)
        self.twin.add(quantised)
        if not labels:
            return
        ideal, one = ideal_rates(self.network, drive), twin_unit(self.network)
        readouts = {p.name: quantised[p.name] / one for p in self.network.readouts}
        for name, own in labels.items():
            head, task = self.heads[name], self.goals[name].task
            for tally, rates in zip(self.metrics[name], (ideal, readouts), strict=True):
                tally.add(ann_predictions(head, task, rates)[:, None], own)

    def added_to(self, result: Result, labels: Mapping[str, Array]) -> Result:
        """Return the result of a run with these figures; `labels` are those of all samples that were added."""
        found = {name: [_value(tally, own) for tally in self.metrics[name]] for name, own in labels.items()}
        beside = {
            name: AnnValue(len(labels[name]), ann, self._network_value(name, result.outputs[name], labels[name]))
            for name, (ann, _) in found.items()
        }
        return result.with_ann(beside, self.twin.result({name: twin for name, (_, twin) in found.items()}))

    def _network_value(self, name: str, own: OutputResult, labels: Array) -> float:
        """Return the network's own metric on the same samples."""
        tally = MetricTally(self.goals[name].metric)
        tally.add(own.predictions[: len(labels), None], labels)
        return _value(tally, labels)


def _value(tally: MetricTally, labels: Array) -> float:
    values = tally.values(labels)
    assert values is not None
    return float(values[0])
