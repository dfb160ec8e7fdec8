"""The models and data sets that configurations name: find them, and read each once for the cells of a process.

A file is identified by its contents. Data sets of keras.datasets are used as Keras has kept them, or fetched by
Keras in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from kgenn.api import as_graph
from kgenn.backends.build_cache import cache_directory
from kgenn.baseline import Baseline
from kgenn.bench.expand import MODEL_SUFFIXES
from kgenn.bench.experiment import (
    CalibrationData,
    Experiment,
    GivenScale,
    InputShapes,
    NamedFile,
    RunData,
    Setup,
    TaskOptions,
)
from kgenn.conversion.base import Memory
from kgenn.conversion.outputs import ends_of
from kgenn.data.load import Data, labels_by_output, load_data, parse_scale
from kgenn.diagnostics import Diagnostic, KgennError, fail, known_names
from kgenn.files.checksums import sha256_of
from kgenn.files.durable import replace
from kgenn.files.scratch import scratch
from kgenn.ir.frames import frames_of, timed_shapes
from kgenn.ir.graph import Graph, Shape
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.samples import samples_of as samples_of_inputs
from kgenn.tasks.labelled_goals import labelled_goals, or_input

# Those whose samples are images with one label.
DATASETS = ("mnist", "fashion_mnist", "cifar10", "cifar100")
# What Keras says while it fetches goes to stderr; what it raises is not of one kind.
FETCH = """
import sys
from importlib import import_module
import numpy as np
(x_train, y_train), (x_test, y_test) = import_module(f"keras.datasets.{sys.argv[1]}").load_data()
np.savez(sys.argv[2], x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
"""


def kept(name: str) -> Path | None:
    """Return the file of a data set that Keras, or `fetched`, left on this machine; None where there is none."""
    if name not in DATASETS:
        return None
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    found = (path for path in (home / "datasets" / f"{name}.npz", _place(name)) if path.is_file())
    return next(found, None)


def fetched(name: str) -> Path | None:
    """Return the file of a data set after Keras has fetched it; None where there is no such, or no Keras.

    Raises:
        KgennError: KG621 where it cannot be fetched, KG606 where it cannot be written.
    """
    if name not in DATASETS or find_spec("keras") is None:
        return None
    path = _place(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch(path) as place:
            fresh = place / "data.npz"
            command = [sys.executable, "-c", FETCH, name, str(fresh)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                replace(fresh, path)
    except OSError as error:
        raise fail("KG606", str(path), f"cannot be written: {error.strerror or error}") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise fail(
            "KG621", f"data {name}", f"Keras cannot fetch it: {last}", f"pass --data DIR or --data {name}=FILE"
        )
    return path


def _place(name: str) -> Path:
    return cache_directory() / "data" / f"{name}.npz"


@dataclass(frozen=True)
class File:
    """A file and its SHA-256."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Files:
    """The files of a cell."""

    model: File
    data: File
    calibration: File


@dataclass(frozen=True)
class FileSearch:
    """Where files are looked for by name.

    Attributes:
        directories: searched in order for NAME with a suffix.
        named: files given one by one.
    """

    directories: tuple[Path, ...] = ()
    named: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of(cls, arguments: Iterable[str]) -> FileSearch:
        """Return the shelf of some arguments, each a directory or NAME=PATH."""
        directories, named = [], {}
        for argument in arguments:
            name, equals, path = argument.partition("=")
            if equals and "/" not in name:
                named[name] = Path(path)
            else:
                directories.append(Path(argument))
        return cls(tuple(directories), named)

    def find(self, source: NamedFile, suffixes: Sequence[str]) -> Path | None:
        """Return the file of a name, or None."""
        if source.path is not None:
            return source.path if source.path.is_file() else None
        if source.name in self.named:
            return self.named[source.name] if self.named[source.name].is_file() else None
        places = (directory / f"{source.name}{suffix}" for directory in self.directories for suffix in suffixes)
        return next((path for path in places if path.is_file()), None)


@dataclass
class Library:
    """The files of a sweep; each is looked for and read once.

    Attributes:
        models, data: where they are looked for.
    """

    models: FileSearch
    data: FileSearch
    found: dict[tuple[str, NamedFile], File] = field(default_factory=dict)

    def look_up(self, experiments: Iterable[Experiment], fetch: bool = True) -> None:
        """Find every model and data set of some experiments.

        Args:
            fetch: let Keras fetch its data sets that are not there.

        Raises:
            KgennError: KG621 for each that is not there.
        """
        problems: dict[Diagnostic, None] = {}
        setups = [cell.setup for experiment in experiments for cell in experiment.cells]
        for kind, source in dict.fromkeys(pair for setup in setups for pair in _sources(setup)):
            try:
                path = self._model(source) if kind == "model" else self._data(source, fetch)
                self.found[kind, source] = File(path, sha256_of(path))
            except KgennError as error:
                problems.update(dict.fromkeys(error.diagnostics))
        if problems:
            raise KgennError(problems)

    def files(self, setup: Setup) -> Files:
        """Return the files of a cell, after `look_up`."""
        model, data, calibration = (self.found[pair] for pair in _sources(setup))
        return Files(model, data, calibration)

    def _model(self, source: NamedFile) -> Path:
        path = self.models.find(source, MODEL_SUFFIXES)
        if path is None:
            advice = f"train it with benchmarks/zoo; pass --models DIR or --models {source.name}=FILE"
            raise fail("KG621", f"model {source}", "was not found", advice)
        return path

    def _data(self, source: NamedFile, fetch: bool) -> Path:
        path = self.data.find(source, (".npz",))
        if path is None and source.path is None:
            path = kept(source.name) or (fetched(source.name) if fetch else None)
        if path is None:
            what = "was not found" if source.path is not None else f"was not found as {source.name}.npz"
            raise fail("KG621", f"data {source}", what, f"pass --data DIR or --data {source.name}=FILE")
        return path


def _sources(setup: Setup) -> tuple[tuple[str, NamedFile], ...]:
    return ("model", setup.model), ("data", setup.data.source), ("data", setup.calibration.source)


# ---- what the cells of a process share


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
    return Baseline(graph, samples, labelled_goals(ends, chosen, given, len(samples))).values()


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
