"""Find the models and data sets that configurations name, and tell them by their contents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kgenn.bench.expand import MODEL_SUFFIXES
from kgenn.bench.experiment import Experiment, NamedFile, Setup
from kgenn.bench.keras_data import fetched, kept
from kgenn.diagnostics import Diagnostic, KgennError, fail
from kgenn.files.checksums import sha256_of


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
