"""What results keep of the first samples, few enough for a page: spikes, and outputs that are maps or signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from kgenn.bench.json_object import JsonPath, Object, as_real
from kgenn.compiled import CompiledNetwork
from kgenn.data.load import Data
from kgenn.ir.graph import Array
from kgenn.ir.recording import RASTER_BYTES
from kgenn.ir.samples import SamplesLike
from kgenn.metrics.compared_output import ComparedOutput, form_of
from kgenn.metrics.result import Result
from kgenn.tasks.segmentation import Segmentation

MAX_NEURONS = 200
# Steps from the first that are kept.
MAX_STEPS = 256
# Spikes of a population; where there are more, fewer neurons are kept.
MAX_SPIKES = 1000


def raster_of(compiled: CompiledNetwork, sample: SamplesLike) -> dict[str, Any] | None:
    """Return the spikes of one sample, population by population.

    Args:
        sample: one, as the network takes it; the first of the data set, whose random numbers it gets.

    Returns:
        The first population's name, the number of its neurons that are kept, and its spikes as [t, i] with
        0 ≤ i < neurons; `more` has the same of the other populations, and each its `size`. None where recording
        takes too much memory.
    """
    network = compiled.network
    needed = network.num_timesteps * sum(p.size for p in network.spiking)
    if needed > RASTER_BYTES or not len(network.samples(sample)):
        return None
    (recording,) = compiled.trace(sample, 1)
    assert recording.raster is not None, "a trace holds a raster"
    rows = [_population(name, raster[0]) for name, raster in recording.raster.items()]
    return {**rows[0], "more": rows[1:]} if rows else None


def _population(name: str, raster: Array) -> dict[str, Any]:
    """Return a population's entry; `raster` has shape (T, size)."""
    size = raster.shape[1]
    spikes = raster[:MAX_STEPS] != 0
    neurons = min(size, MAX_NEURONS)
    while True:
        kept = np.arange(neurons) * size // neurons  # evenly over the population
        events = np.argwhere(spikes[:, kept])
        if len(events) <= MAX_SPIKES or neurons == 1:
            break
        neurons //= 2
    return {"population": name, "size": size, "neurons": neurons, "spikes": events.tolist()}


SAMPLES = 2
# Values of all arrays of an output; a larger output is not kept.
MAX_VALUES = 20_000
# Digits of a value.
DIGITS = 4


@dataclass(frozen=True, eq=False)
class OutputExample:
    """What one output says, beside its model and the labels.

    Attributes:
        form: "map" or "signal".
        classes: of a segmentation; 0 where the values are real.
        columns: by what they are, "label", "model" and "spiking": shape (samples, height, width), or
            (samples, length, channels) of a signal.
    """

    output: str
    task: str
    form: str
    classes: int
    columns: Mapping[str, Array] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        arrays = {name: {"shape": list(a.shape), "values": a.ravel().tolist()} for name, a in self.columns.items()}
        plain = {name: getattr(self, name) for name in ("output", "task", "form", "classes")}
        return {**plain, "columns": arrays}

    @classmethod
    def from_json(cls, value: Any, place: JsonPath) -> OutputExample:
        """Read one; raise KG631 where it is malformed."""
        o = Object.of(value, place)
        columns = {}
        for name, column in o.mapping("columns").items():
            own = Object.of(column, place / "columns" / name)
            shape, values = own.list("shape", _size), own.list("values", as_real)
            if len(shape) != 3 or prod(shape) != len(values):
                raise (place / "columns" / name).expect(list(shape), f"the shape of {len(values)} values")
            columns[name] = np.array(values, np.float64).reshape(shape)
        if len({column.shape[:2] for column in columns.values()}) != 1:
            raise (place / "columns").expect(list(columns), "arrays of one size, at least one")
        form = o.word("form", ("map", "signal"))
        return cls(o.text("output"), o.text("task"), form, o.whole("classes"), columns)


def _size(value: Any, place: JsonPath) -> int:
    if type(value) is not int or value < 1:
        raise place.expect(value, "a size")
    return value


def shown_of(
    compiled: CompiledNetwork, data: Data, result: Result, kinds: Mapping[str, Any]
) -> list[OutputExample]:
    """Return what maps and signals say of the first samples.

    Args:
        kinds: task, metric and threshold of the run.
    """
    count = min(SAMPLES, len(data))
    found = compiled.compared_outputs(data.x, data.y, result, count, **kinds) if count else {}
    made = (_shown(name, output) for name, output in found.items() if form_of(output) in ("map", "signal"))
    return [shown for shown in made if sum(a.size for a in shown.columns.values()) <= MAX_VALUES]


def _shown(name: str, output: ComparedOutput) -> OutputExample:
    form, task = form_of(output), output.task
    assert form is not None
    arrays = {"label": output.labels, "model": output.model, "spiking": output.network}
    columns = {key: _plane(array, form) for key, array in arrays.items() if array is not None}
    classes = task.num_classes if isinstance(task, Segmentation) else 0
    return OutputExample(name, task.name, form, classes, columns)


def _plane(values: Array, form: str) -> Array:
    """Return values with three axes; of a map with several channels their mean."""
    if values.dtype.kind == "f":
        values = _rounded(values)
    if form == "signal":
        return values.reshape(*values.shape[:2], -1)
    return values if values.ndim == 3 else _rounded(values.mean(axis=-1))


def _rounded(values: Array) -> Array:
    """Return values to a few digits."""
    texts = [f"{value:.{DIGITS}g}" for value in values.ravel().tolist()]
    found: Array = np.array(texts, np.float64).reshape(values.shape)
    return found
