"""Read configurations: a file is one experiment, or several as [[experiment]], each of one or more [[sweep]].

A key that an inner table lacks is taken from the table around it, so that what all sweeps share stands once.
Published figures stand beside the cells that they are compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import cast

from kgenn.bench.config_file import ConfigTable, ConfigValue, read_toml
from kgenn.bench.expand import OTHER_KEYS, SharedOptions, axes, expand, source_of
from kgenn.bench.experiment import SPLITS, CalibrationData, Cell, Experiment, GivenScale, RunData
from kgenn.bench.rows import KINDS, Kind, Published
from kgenn.data.load import parse_scale
from kgenn.diagnostics import Diagnostic, KgennError, fail, known_names

DATA_SUFFIXES = (".npz",)
CALIBRATION_SAMPLES = 1024
# Computing the error of each layer takes two passes in NumPy; this many samples tell it well enough.
LAYER_SAMPLES = 32
WORDS = ("title", "note", "source", "kind", "rows", "columns")
HEAD = (*WORDS, "data", "split", "scale", "limit", "calibration", "layer-samples", "ann-samples")
TABLES = ("sweep", "published")


def read_configs(paths: Sequence[Path], limit: int | None = None) -> list[Experiment]:
    """Return the experiments of some configurations.

    Args:
        limit: of every experiment, the test samples at most.

    Raises:
        KgennError: KG620 with everything that is wrong, each with its file and line; two of one name.
    """
    problems: list[Diagnostic] = []
    experiments: list[Experiment] = []
    for path in paths:
        with _collecting(problems):
            experiments += _read(path, limit)
    names = [experiment.name for experiment in experiments]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        problems += fail("KG620", name, "names two experiments", "rename a file, or give a name").diagnostics
    if problems:
        raise KgennError(problems)
    return experiments


@contextmanager
def _collecting(problems: list[Diagnostic]) -> Iterator[None]:
    try:
        yield
    except KgennError as error:
        problems.extend(error.diagnostics)


def _read(path: Path, limit: int | None) -> list[Experiment]:
    values, place = read_toml(path)
    file = ConfigTable(values, place)
    inner = file.tables("experiment")
    problems = list(
        file.unknown((*_sweep_keys(), *HEAD, *(("experiment",) if inner else ("experiment", *TABLES))))
    )
    experiments: list[Experiment] = []
    scopes = inner or [file]
    for scope in inner:
        problems += scope.unknown((*_sweep_keys(), *HEAD, *TABLES, "name"))
    swept = [scope.tables("sweep") or [scope] for scope in scopes]
    for sweep in (sweep for sweeps in swept for sweep in sweeps if sweep not in scopes):
        problems += sweep.unknown(_sweep_keys())
    if problems:
        raise KgennError(problems)
    for scope, sweeps in zip(scopes, swept, strict=True):
        with _collecting(problems):
            name = path.stem if scope is file else f"{path.stem}/{scope.need('name', 'give it one').text()}"
            experiments.append(_experiment(name, scope, sweeps, limit))
    if not problems:
        everything = dict.fromkeys([file, *scopes, *(sweep for sweeps in swept for sweep in sweeps)])
        problems += _without_effect(everything)
    if problems:
        raise KgennError(problems)
    return experiments


def _sweep_keys() -> tuple[str, ...]:
    return (*OTHER_KEYS, *axes())


def _without_effect(scopes: Iterable[ConfigTable]) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each option that no cell has."""
    for scope in scopes:
        for key in scope.values:
            if key in axes() and axes()[key].owners and key not in scope.used:
                what = f"no cell of the sweep has the option {key}"
                owners = f"it is one of {', '.join(sorted(axes()[key].owners))}"
                yield from (scope.place / key).fail(what, owners).diagnostics


def _experiment(name: str, scope: ConfigTable, sweeps: Sequence[ConfigTable], limit: int | None) -> Experiment:
    common = _common(scope, limit)
    cells = list(dict.fromkeys(cell for sweep in sweeps for cell in expand(sweep, common)))
    known = list(dict.fromkeys(name for cell in cells for name in cell.axes))
    kind = scope.get("kind")
    return Experiment(
        name=name,
        title=scope.need("title", "say in a line what it shows").text(),
        note=_text(scope, "note") or "",
        source=_text(scope, "source"),
        kind="table" if kind is None else cast(Kind, kind.one_of(KINDS)),
        rows=_axis_names(scope, "rows", known),
        columns=_axis_names(scope, "columns", known),
        published=tuple(published_of(table, known, cells) for table in scope.tables("published")),
        cells=tuple(cells),
    )


def _common(scope: ConfigTable, limit: int | None) -> SharedOptions:
    """Return what an experiment says of its data."""
    data = source_of(scope.need("data", 'name it: data = "cifar10", or a path'), DATA_SUFFIXES)
    split, most, scale = scope.get("split"), scope.get("limit"), scope.get("scale")
    own = None if most is None else most.whole(1)
    least = min((n for n in (own, limit) if n is not None), default=None)
    test = RunData(data, "test" if split is None else split.one_of(SPLITS), None, least)
    if scale is not None:
        test = replace(test, scale=_scale(scale))
    layers, anns = scope.get("layer-samples"), scope.get("ann-samples")
    calibration = CalibrationData(data, "train", CALIBRATION_SAMPLES)
    found = scope.get("calibration")
    if found is not None:
        calibration = _calibration(found.table(), calibration)
    num_layers = LAYER_SAMPLES if layers is None else layers.whole(0)
    return SharedOptions(test, calibration, num_layers, None if anns is None else anns.whole(0))


def _scale(found: ConfigValue) -> GivenScale:
    """Return a scale of all inputs, or those of some."""
    if isinstance(found.value, dict):
        return tuple((n, str(_scale(ConfigValue(v, found.place / n)))) for n, v in found.value.items())
    try:
        parse_scale(found.text())
    except KgennError as error:
        (wrong,) = error.diagnostics
        raise found.place.fail(f"scale {wrong.what}", wrong.help) from None
    return found.text()


def _calibration(table: ConfigTable, default: CalibrationData) -> CalibrationData:
    problems = list(table.unknown(("data", "split", "samples")))
    if problems:
        raise KgennError(problems)
    data, split, samples = table.get("data"), table.get("split"), table.get("samples")
    return CalibrationData(
        default.source if data is None else source_of(data, DATA_SUFFIXES),
        default.split if split is None else split.one_of(SPLITS),
        default.samples if samples is None else samples.whole(1),
    )


def _text(scope: ConfigTable, key: str) -> str | None:
    found = scope.get(key)
    return None if found is None else found.text()


def _axis_names(scope: ConfigTable, key: str, known: Sequence[str]) -> tuple[str, ...]:
    found = scope.get(key)
    return () if found is None else tuple(entry.one_of(known) for entry in found.items())


FIGURES = ("ann", "accuracy", "spikes-per-neuron", "synaptic-operations")


def published_of(table: ConfigTable, known: Sequence[str], cells: Sequence[Cell]) -> Published:
    """Return a figure after checking that there is a cell for it."""
    problems = list(table.unknown(("where", "label", *FIGURES)))
    where = table.need("where", 'say which cells: where = { converter = "few-spike" }').table()
    problems += where.unknown(known)
    if problems:
        raise KgennError(problems)
    figures = {key.replace("-", "_"): _number(table.get(key)) for key in FIGURES if key in table.values}
    if not figures:
        raise table.place.fail("gives no figure", f"give one of {', '.join(FIGURES)}")
    label = table.get("label")
    published = Published(dict(where.values), label=None if label is None else label.text(), **figures)
    if not any(published.matches(cell.axes) for cell in cells):
        raise _unmatched(where, cells)
    return published


def _unmatched(where: ConfigTable, cells: Sequence[Cell]) -> KgennError:
    """Return the error of a figure that no cell compares with, at the first value that no cell has."""
    for name, value in where.values.items():
        there = {str(cell.axes[name]) for cell in cells if name in cell.axes}
        if str(value) not in there:
            return (where.place / name).fail(f"no cell has the {name} {value!r}", known_names(str(value), there))
    return where.place.fail("no cell has all of these values", "see them with kgenn bench --dry-run")


def _number(found: ConfigValue | None) -> float:
    assert found is not None, "the key is there"
    value = found.value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not isfinite(value) or value < 0:
        raise found.place.fail(f"{found.key} is {value!r}", "give a number that is not negative")
    return value
