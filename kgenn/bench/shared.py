"""What the cells of a process share: models, samples, statistics of activations, the models' metrics."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kgenn.api import as_graph
from kgenn.bench.files import File
from kgenn.checksums import sha256_of
from kgenn.conversion.memory import Memory
from kgenn.conversion.outputs import ends_of
from kgenn.data import Data, labels_by_output, load_data, parse_scale
from kgenn.diagnostics import fail
from kgenn.ir.graph import Graph, Shape
from kgenn.tasks.aims import aims_of
from kgenn.tasks.goal import NO_CHOICE, Choice
from kgenn.yardstick import Yardstick


@dataclass(frozen=True)
class Ports:
    """What a model takes and gives.

    Attributes:
        inputs: their names, and the shape of one sample of each.
        outputs: their names.
    """

    inputs: tuple[tuple[str, Shape], ...]
    outputs: tuple[str, ...]

    @staticmethod
    def of(graph: Graph) -> Ports:
        """Return those of a model."""
        return Ports(tuple(graph.input_shapes.items()), tuple(output.name for output in graph.outputs))


@lru_cache(maxsize=2)
def model_of(file: File, input_shape: Shape | None) -> Graph:
    """Return a model as a graph."""
    return as_graph(unchanged(file).path, input_shape)


@lru_cache(maxsize=4)
def samples_of(file: File, split: str, limit: int | None, scale: str | None, ports: Ports) -> Data:
    """Return the first samples of a data file as a model takes them.

    Raises:
        KgennError: KG601 where there are none, or as `load_data` and `prepare`.
    """
    shapes = dict(ports.inputs)
    data = load_data(unchanged(file).path, split, tuple(shapes), ports.outputs).limited(limit)
    if not len(data.x):
        raise fail("KG601", str(file.path), "holds no samples", "save it with numpy.savez(path, x=..., y=...)")
    fraction = None if scale is None else parse_scale(scale)
    return data.prepared(shapes, fraction, str(file.path))


@lru_cache(maxsize=2)
def memory_of(
    model: File, input_shape: Shape | None, data: File, split: str, samples: int, scale: str | None
) -> Memory:
    """Return what conversions of a model on a calibration set share."""
    return Memory()


@lru_cache(maxsize=8)
def value_of(
    model: File,
    input_shape: Shape | None,
    data: File,
    split: str,
    limit: int | None,
    scale: str | None,
    choice: Choice = NO_CHOICE,
) -> float | None:
    """Return the metric of a model's first output, as NumPy computes it; None without labels."""
    graph = model_of(model, input_shape)
    test = samples_of(data, split, limit, scale, Ports.of(graph))
    ends = ends_of(graph)
    aims = aims_of(ends, {next(iter(ends)): choice}, labels_by_output(test.y, tuple(ends)), len(test.x))
    return Yardstick(graph, graph.samples(test.x), aims).values().get(next(iter(ends)))


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
