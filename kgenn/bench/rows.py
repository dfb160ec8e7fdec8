"""What a sweep leaves behind, as values: experiments, and one row for each finished cell.

Accuracies are shares, 0 to 1, in rows, and in % in what was published. `from_json` checks names and types, and
leaves out nothing of a result: what it does not know is kept in `others`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from kgenn.bench.examples import OutputExample
from kgenn.bench.json_object import AxisValue, JsonPath, Object, as_axes, as_text
from kgenn.tasks.metric import difference_to, share_of

Kind = Literal["table", "curve", "pareto"]
KINDS: tuple[Kind, ...] = get_args(Kind)
OK, FAILED = "ok", "failed"


@dataclass(frozen=True)
class Published:
    """A figure of the literature.

    Attributes:
        where: the axes of the cells that it compares with.
        ann, accuracy: of the published model and of its spiking network, in %.
        spikes_per_neuron, synaptic_operations: of one inference.
        label: what to call it.
    """

    where: Mapping[str, AxisValue]
    ann: float | None = None
    accuracy: float | None = None
    spikes_per_neuron: float | None = None
    synaptic_operations: float | None = None
    label: str | None = None

    @property
    def share(self) -> float | None:
        """Return the accuracy as a share of the published ANN's."""
        return self.accuracy / self.ann if self.accuracy is not None and self.ann else None

    def matches(self, axes: Mapping[str, AxisValue]) -> bool:
        """Tell whether it compares with a cell."""
        return all(name in axes and axes[name] == value for name, value in self.where.items())

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> Published:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        return cls(
            where=o.axes("where"),
            ann=o.optional_number("ann"),
            accuracy=o.optional_number("accuracy"),
            spikes_per_neuron=o.optional_number("spikes_per_neuron"),
            synaptic_operations=o.optional_number("synaptic_operations"),
            label=o.optional_text("label"),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures that are known."""
        figures = {name: value for name, value in vars(self).items() if name != "where" and value is not None}
        return {"where": dict(self.where), **figures}


@dataclass(frozen=True)
class ExperimentRecord:
    """One table or figure.

    Attributes:
        note: a paragraph about it; may be empty.
        source: the publication whose figures it is compared with.
        kind: what is shown first.
        rows, columns: axes, as the paper's table has them.
        cells: keys, in the order of the sweep.
        axes: of each cell, since a cell of two experiments has one row, with the axes of the first; empty: as in
            the rows.
    """

    name: str
    title: str
    note: str = ""
    source: str | None = None
    kind: Kind = "table"
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    published: tuple[Published, ...] = ()
    cells: tuple[str, ...] = ()
    axes: tuple[Mapping[str, AxisValue], ...] = ()

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> ExperimentRecord:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        cells, axes = o.list("cells", as_text), o.list("axes", as_axes)
        if axes and len(axes) != len(cells):
            raise (place / "axes").expect(len(axes), f"an entry for each of the {len(cells)} cells")
        return cls(
            o.text("name"),
            o.text("title"),
            o.optional_text("note") or "",
            o.optional_text("source"),
            o.word("kind", KINDS),  # type: ignore[arg-type]
            o.list("rows", as_text),
            o.list("columns", as_text),
            o.list("published", Published.from_json),
            cells,
            axes,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        lists = {name: list(getattr(self, name)) for name in ("rows", "columns", "cells")}
        axes = [dict(point) for point in self.axes]
        return {**vars(self), **lists, "published": [p.to_json() for p in self.published], "axes": axes}


@dataclass(frozen=True)
class Failure:
    """A diagnostic of a cell that failed; its code may be another version's."""

    code: str
    where: str
    what: str
    help: str = ""

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> Failure:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        return cls(o.text("code"), o.text("where"), o.text("what"), o.optional_text("help") or "")


@dataclass(frozen=True)
class LayerRecord:
    """One hidden population; see `kgenn.metrics.layer_error.LayerError`.

    Attributes:
        spikes_per_neuron: of one inference.
        error: ‖rate − activation‖ / ‖activation‖.
        own: the mean error that is made in this layer.
        saturated: the share of activations that no rate can reach.
    """

    name: str
    neurons: int
    spikes_per_neuron: float | None = None
    error: float | None = None
    own: float | None = None
    saturated: float | None = None

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> LayerRecord:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        figures = [o.optional_number(name) for name in ("spikes_per_neuron", "error", "own", "saturated")]
        return cls(o.text("name"), o.whole("neurons"), *figures)


@dataclass(frozen=True)
class Raster:
    """The spikes of some neurons of a population for the first sample.

    Attributes:
        neurons: how many of them, evenly over the population.
        spikes: (timestep, neuron), from 0.
        size: of the population.
        more: the same of other populations.
    """

    population: str
    neurons: int
    spikes: tuple[tuple[int, int], ...] = field(repr=False)
    size: int | None = None
    more: tuple[Raster, ...] = ()

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> Raster:
        """Read one; raise KG631 where it is malformed."""

        def spike(pair: Any, at: JsonPath) -> tuple[int, int]:
            # not bool, which is an int, too
            if not isinstance(pair, list) or [type(n) for n in pair] != [int, int] or min(pair) < 0:
                raise at.expect(pair, "a timestep and a neuron")
            return pair[0], pair[1]

        o = Object.of(value, place)
        spikes = o.list("spikes", spike)
        size, more = o.optional_whole("size"), o.list("more", cls.from_json)
        return cls(o.text("population"), o.whole("neurons"), spikes, size, more)


def measured(result: Mapping[str, Any]) -> tuple[str, Any, Any]:
    """Return the metric of a result of a cell, and its value for the network and for its model.

    A result of an earlier version has accuracies alone.
    """
    if "metric" not in result:
        return "accuracy", result.get("accuracy"), result.get("ann_accuracy")
    return result["metric"], result.get("value"), result.get("ann_value")


def outputs_of(result: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the figures of each output of a result of a cell by its name; "" of a single one."""
    return result.get("outputs") or {"": result}


def ann_values_of(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the metric of the model in a result of a cell, of each output by its name; "" of a single one."""
    found = {name: own.get("ann_value") for name, own in outputs_of(result).items()}
    return {name: value for name, value in found.items() if value is not None}


class Measured:
    """A metric of a network beside that of its model.

    Attributes:
        metric, value, ann_value: see `ResultRecord`.
    """

    metric: str
    value: float | None
    ann_value: float | None

    @property
    def share(self) -> float | None:
        """Return the metric as a share of the model's; None where that says nothing."""
        return share_of(self.metric, self.value, self.ann_value)

    @property
    def difference(self) -> float | None:
        """Return the metric less the model's, where it has no share."""
        return difference_to(self.metric, self.value, self.ann_value)


@dataclass(frozen=True)
class OutputFigures(Measured):
    """The figures of one of several outputs; see `ResultRecord` for the fields."""

    name: str
    metric: str
    value: float | None = None
    ann_value: float | None = None
    curve: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ResultRecord(Measured):
    """What a cell gave; see `kgenn.metrics.result.Result`.

    Attributes:
        accuracy, ann_accuracy: of the network and of its model on the same samples, 0 to 1.
        metric: of the task of the model's first output, such as "accuracy" or "mse".
        value, ann_value: that metric of the network and of its model.
        curve: the metric after each step.
        timesteps_found: T, where it was searched for.
        layers: the hidden populations, in order.
        raster: of the first sample.
        others: the rest: energy, direct_macs …
        outputs: each of several outputs, the first one too.
        shown: outputs that are maps or signals, on the first samples.
    """

    accuracy: float | None
    num_samples: int
    num_timesteps: int
    spikes_per_neuron: float
    synaptic_operations: float
    ann_macs: float | None = None
    ann_accuracy: float | None = None
    curve: tuple[float, ...] | None = None
    timesteps_found: int | None = None
    layers: tuple[LayerRecord, ...] = ()
    raster: Raster | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "accuracy"
    value: float | None = None
    ann_value: float | None = None
    outputs: tuple[OutputFigures, ...] = ()
    shown: tuple[OutputExample, ...] = ()

    def of(self, output: OutputFigures) -> ResultRecord:
        """Return the outcome with the figures of another output in place of the first one's."""
        own = {name: getattr(output, name) for name in ("metric", "value", "ann_value", "curve")}
        return replace(self, **own, accuracy=None, ann_accuracy=None)

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> ResultRecord:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        known = [name for name in cls.__dataclass_fields__ if name != "others"]
        raster = o.values.get("raster")
        earlier = "metric" not in o.values
        return cls(
            accuracy=o.optional_number("accuracy"),
            num_samples=o.whole("num_samples"),
            num_timesteps=o.whole("num_timesteps"),
            spikes_per_neuron=o.number("spikes_per_neuron"),
            synaptic_operations=o.number("synaptic_operations"),
            ann_macs=o.optional_number("ann_macs"),
            ann_accuracy=o.optional_number("ann_accuracy"),
            curve=o.curve("curve"),
            timesteps_found=o.optional_whole("timesteps_found"),
            layers=o.list("layers", LayerRecord.from_json),
            raster=None if raster is None else Raster.from_json(raster, place / "raster"),
            others=o.others(*known),
            metric="accuracy" if earlier else o.text("metric"),
            value=o.optional_real("accuracy" if earlier else "value"),
            ann_value=o.optional_real("ann_accuracy" if earlier else "ann_value"),
            outputs=_outputs(o.mapping("outputs"), place / "outputs"),
            shown=o.list("shown", OutputExample.from_json),
        )


def _outputs(values: Mapping[str, Any], place: JsonPath) -> tuple[OutputFigures, ...]:
    """Read the figures of several outputs; raise KG631 where they are malformed."""
    found = []
    for name, value in values.items():
        o = Object.of(value, place / name)
        figures = o.optional_real("value"), o.optional_real("ann_value"), o.curve("curve")
        found.append(OutputFigures(name, o.text("metric"), *figures))
    return tuple(found)


@dataclass(frozen=True)
class Row:
    """One finished cell.

    Attributes:
        key: 16 hex digits over everything that determines the result.
        axes: the value on each axis, by the flag's name.
        error: why it failed; empty where it did not.
        result: None where it failed.
        rerun: files with their hashes, options, version and the commands that give the cell again.
        host, cost: where it ran and what it took; empty in results.jsonl.
    """

    key: str
    experiment: str
    axes: Mapping[str, AxisValue]
    error: tuple[Failure, ...] = ()
    result: ResultRecord | None = None
    rerun: Mapping[str, Any] = field(default_factory=dict)
    host: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Return "ok" or "failed"."""
        return FAILED if self.result is None else OK

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> Row:
        """Read one line of cells.jsonl or results.jsonl; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        o.check_schema()
        done = o.word("status", (OK, FAILED)) == OK
        cost = Object(o.mapping("cost"), place / "cost")
        return cls(
            key=o.text("key"),
            experiment=o.text("experiment"),
            axes=o.axes("axes"),
            error=o.list("error", Failure.from_json),
            result=ResultRecord.from_json(o.values.get("result"), place / "result") if done else None,
            rerun=o.mapping("rerun"),
            host=o.mapping("host"),
            cost={name: cost.number(name) for name in cost.values if cost.values[name] is not None},
        )
