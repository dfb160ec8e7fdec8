"""What the cells of a process share: models, samples, statistics of activations, the models' metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from kgenn.api import as_graph
from kgenn.baseline import Baseline
from kgenn.bench.experiment import CalibrationData, GivenScale, InputShapes, RunData, Setup, TaskOptions
from kgenn.bench.files import File, Files
from kgenn.conversion.base import Memory
from kgenn.conversion.outputs import ends_of
from kgenn.data.load import Data, labels_by_output, load_data, parse_scale
from kgenn.diagnostics import fail, known_names
from kgenn.files.checksums import sha256_of
from kgenn.ir.frames import frames_of, timed_shapes
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.samples import samples_of as samples_of_inputs
from kgenn.tasks.aims import aims_of, or_input


@dataclass(frozen=True)
class Ports:
    """What a model takes and gives.

    Attributes:
        inputs: their names, and the shape of one sample of each.
        outputs: their names.
        frames: samples have a frame for each timestep, of inputs that change.
        naming: what else there is to the names.
    """

    inputs: tuple[tuple[str, Shape], ...]
    outputs: tuple[str, ...]
    frames: bool = False
    naming: Naming = ALL_NAMED

    @staticmethod
    def of(graph: Graph, frames: bool = False) -> Ports:
        """Return those of a model."""
        outputs = tuple(output.name for output in graph.outputs)
        return Ports(tuple(graph.input_shapes.items()), outputs, frames, graph.naming)


@lru_cache(maxsize=2)
def model_of(file: File, input_shape: InputShapes) -> Graph:
    """Return a model as a graph."""
    return as_graph(unchanged(file).path, input_shape.given)


@lru_cache(maxsize=4)
def samples_of(file: File, split: str, limit: int | None, scale: GivenScale, ports: Ports) -> Data:
    """Return the first samples of a data file as a model takes them.

    Raises:
        KgennError: KG601 where there are none, or as `load_data` and `prepare`.
    """
    shapes: Mapping[str, Shape] = dict(ports.inputs)
    data = load_data(unchanged(file).path, split, tuple(shapes), ports.outputs, ports.naming, limit)
    if not len(data.x):
        raise fail("KG601", str(file.path), "holds no samples", "save it with numpy.savez(path, x=..., y=...)")
    if ports.frames:
        shapes = timed_shapes(samples_of_inputs(data.x, shapes, str(file.path)), shapes, str(file.path))
    return data.prepared(shapes, _parsed(scale, shapes, ports.naming), str(file.path))


def _parsed(
    scale: GivenScale, inputs: Mapping[str, Shape], naming: Naming
) -> Fraction | dict[str, Fraction] | None:
    """Return a scale, or those of some inputs; raise KG401 for an input that a model lacks."""
    if scale is None or isinstance(scale, str):
        return None if scale is None else parse_scale(scale)
    named = naming.of_inputs(dict(scale), inputs)
    for name in named:
        if name not in inputs:
            raise fail("KG401", f"scale of {name}", "no such input", known_names(name, inputs))
    return {name: parse_scale(text) for name, text in named.items()}


def on_average(data: Data, ports: Ports) -> Data:
    """Return the mean of the frames in place of samples that have some."""
    if not ports.frames:
        return data
    shapes = dict(ports.inputs)
    return data.timed(frames_of(samples_of_inputs(data.x, shapes, "data"), shapes, "data"))


@lru_cache(maxsize=2)
def memory_of(
    model: File, input_shape: InputShapes, data: File, split: CalibrationData, scale: GivenScale, frames: bool
) -> Memory:
    """Return what conversions of a model on a calibration set share."""
    return Memory()


def values_of(files: Files, setup: Setup) -> dict[str, float]:
    """Return the metric of a model, as NumPy computes it, of each output that has labels."""
    return _values_of(files.model, setup.input_shape, files.data, setup.data, setup.kinds, setup.frames)


@lru_cache(maxsize=8)
def _values_of(
    model: File, input_shape: InputShapes, file: File, data: RunData, kinds: TaskOptions, frames: bool
) -> dict[str, float]:
    graph = model_of(model, input_shape)
    ports = Ports.of(graph, frames)
    test = on_average(samples_of(file, data.split, data.limit, data.scale, ports), ports)
    samples, ends = graph.samples(test.x), ends_of(graph)
    chosen = kinds.choices(ports.outputs)
    given = or_input(labels_by_output(test.y, ports.outputs, graph.naming), ends, chosen, samples)
    return Baseline(graph, samples, aims_of(ends, chosen, given, len(samples))).values()


def unchanged(file: File) -> File:
    """Return a file after checking that it is the one that the sweep began with.

    Raises:
        KgennError: KG621.
    """
    try:
        same = sha256_of(file.path) == file.sha256
    except OSError as error:
        raise fail("KG621", str(file.path), f"cannot be read: {error.strerror or error}") from error
    if not same:
        what = "has changed since the sweep began"
        raise fail("KG621", str(file.path), what, "start kgenn bench again: keys are of contents")
    return file
