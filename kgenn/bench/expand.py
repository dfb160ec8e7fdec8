"""Expand a sweep: each combination of the values on its axes is a cell.

An axis is an option of the command line that changes a network, by the name of its flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_args

from kgenn.backends import TARGETS
from kgenn.bench.config_file import ConfigTable, ConfigValue, TomlPath
from kgenn.bench.experiment import (
    NO_SHAPES,
    UNSPECIFIED,
    CalibrationData,
    Cell,
    InputShapes,
    NamedFile,
    RunData,
    Setup,
    TaskOptions,
    task_options_of,
)
from kgenn.comma_list import entries, entry
from kgenn.config import flags_of, make, options_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import checked_timesteps
from kgenn.conversion.constraints import ALL, FEATURES, admitted
from kgenn.conversion.recipe import Recipe
from kgenn.diagnostics import KgennError, known_names
from kgenn.ir.graph import Shape
from kgenn.ir.network import ReadoutKind
from kgenn.ir.random import LARGEST_SEED
from kgenn.method_options import converters, encoders, encoders_of
from kgenn.passes import LoweringOptions
from kgenn.timestep_search import TimestepSearch

AUTO = "auto"
# Who has the options of `kgenn.timestep_search.TimestepSearch`.
SEARCHED = "timesteps auto"
WORDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


@dataclass(frozen=True)
class SweepAxis:
    """A key of a sweep.

    Attributes:
        name: the key, as the flag is called.
        kind: bool, int, float or str.
        choices: the legal values, where they are few.
        owners: the converters and encoders that have the option, as "converter few-spike", or `SEARCHED` where
            it is one of the search for timesteps; none for an option that every sweep has.
        word: a value beside those of the kind, such as "auto".
        of_inputs: a value may be a table of inputs, or name them in a text, as "image=poisson, meta=direct".
    """

    name: str
    kind: type
    choices: tuple[str, ...] = ()
    owners: frozenset[str] = frozenset()
    word: str | None = None
    of_inputs: bool = False

    @property
    def field(self) -> str:
        """Return the option's name as a field."""
        return self.name.replace("-", "_")

    def read(self, value: Any, place: TomlPath) -> Any:
        """Return a value after checking its type, and that it is one of the choices.

        Raises:
            KgennError: KG620.
        """
        if self.word is not None and value == self.word:
            return value
        if self.of_inputs and isinstance(value, dict) and value:
            return ", ".join(entry(f"{name}={self.read(each, place / name)}") for name, each in value.items())
        fits = isinstance(value, (int, float) if self.kind is float else self.kind)
        if not fits or (isinstance(value, bool) and self.kind is not bool):
            also = f" or {self.word!r}" if self.word is not None else ""
            raise place.fail(f"{self.name} is {value!r}", f"give {WORDS[self.kind]}{also}")
        try:
            values = [*named(str(value)).values()] if self.of_inputs else [value]
        except ValueError as error:
            advice = "give a table of inputs, or put an entry with a comma in quotes"
            raise place.fail(str(error), advice) from error
        for own in values:
            if self.choices and own not in self.choices:
                raise place.fail(f"{self.name} is {own!r}", known_names(own, self.choices))
        return float(value) if self.kind is float else value


def named(text: str) -> dict[str, str]:
    """Return the values of a text such as "image=poisson, meta=direct" by name; "" for one of all inputs.

    Raises:
        ValueError: where it is no list.
    """
    parts = (part.rpartition("=") for part in entries(text))
    return {name.strip(): value.strip() for name, _, value in parts}


@cache
def axes() -> Mapping[str, SweepAxis]:
    """Return all axes by name: those that every sweep has, then the options of converters and encoders."""
    found = [
        SweepAxis("converter", str, tuple(converters().classes)),
        SweepAxis("encoder", str, tuple(encoders().classes), of_inputs=True),
        SweepAxis("timesteps", int, word=AUTO),
        SweepAxis("readout", str, get_args(ReadoutKind)),
        SweepAxis("seed", int),
        SweepAxis("target", str, TARGETS.names()),
    ]
    found += [SweepAxis(o.flag[2:], o.kind, o.choices, word=o.word) for o in options_of(LoweringOptions)]
    found += [SweepAxis(o.flag[2:], o.kind, o.choices, frozenset({SEARCHED})) for o in options_of(TimestepSearch)]
    for kind, classes in (("converter", converters().classes), ("encoder", encoders().classes)):
        found += [
            SweepAxis(
                f.option.flag[2:],
                f.option.kind,
                f.option.choices,
                frozenset(f"{kind} {name}" for name in f.owners),
            )
            for f in flags_of(classes).values()
        ]
    by_name = {axis.name: axis for axis in found}
    assert len(by_name) == len(found), "two options have one name"
    return by_name


LOWERING = options_of(LoweringOptions)
MODEL_SUFFIXES = (".h5", ".keras")
# What a sweep may say beside its axes.
OTHER_KEYS = ("models", "allow", "input-shape", "task", "metric", "threshold", "frames")


@dataclass(frozen=True)
class SharedOptions:
    """What all cells of an experiment share; input shape, kinds and frames are those of a sweep; see `Setup`."""

    data: RunData
    calibration: CalibrationData
    layer_samples: int
    ann_samples: int | None = None
    input_shape: InputShapes = NO_SHAPES
    kinds: TaskOptions = UNSPECIFIED
    frames: bool = False


def expand(scope: ConfigTable, common: SharedOptions) -> list[Cell]:
    """Return the cells of a sweep: models first, then its keys as they stand, the last one fastest.

    An option applies to the converters and encoders of the sweep that have it; combinations that it does not
    tell apart are one cell.

    Raises:
        KgennError: KG620 with the line of the first key that is wrong.
    """
    scope.need("converter", 'say which: converter = "few-spike", or a list')
    models = [source_of(f, MODEL_SUFFIXES) for f in scope.need("models", 'name some: models = ["vgg13"]').items()]
    allow = features_of(scope)
    common = replace(common, input_shape=input_shape_of(scope), kinds=task_options_of(scope))
    common = replace(common, frames=changes_of(scope))
    names = [name for name in scope.keys() if name in axes()]  # noqa: SIM118 (a scope is no mapping)
    choices = [_values(scope, axes()[name]) for name in names]
    cells = []
    for model in models:
        for values in product(*choices):
            cells.append(_cell(scope, common, model, allow, dict(zip(names, values, strict=True))))
    return list(dict.fromkeys(cells))


def source_of(found: ConfigValue, suffixes: tuple[str, ...]) -> NamedFile:
    """Return a model or data set: a name, or a path from the configuration's directory."""
    text = found.text()
    if "/" not in text and not text.endswith(suffixes):
        return NamedFile(text)
    path = Path(text).expanduser()
    return NamedFile(path.stem, found.place.path.parent / path)


def features_of(scope: ConfigTable) -> tuple[str, ...]:
    """Return the features that a sweep admits, in order."""
    found = scope.get("allow")
    if found is None or found.value == []:
        return ()
    return tuple(sorted(admitted([entry.one_of((*FEATURES, ALL)) for entry in found.items()])))


def input_shape_of(scope: ConfigTable) -> InputShapes:
    """Return the input shape of a sweep's models, or those of some inputs, where they leave a size open."""
    found = scope.get("input-shape")
    if found is None or found.value == []:
        return NO_SHAPES
    if isinstance(found.value, dict):
        named = ((name, _sizes(ConfigValue(own, found.place / name))) for name, own in found.value.items())
        return InputShapes(tuple(named))
    return InputShapes((("", _sizes(found)),))


def _sizes(found: ConfigValue) -> Shape:
    return tuple(size.whole(1) for size in found.items())


def changes_of(scope: ConfigTable) -> bool:
    """Tell whether the inputs of a sweep's models change with time."""
    found = scope.get("frames")
    if found is None:
        return False
    if not isinstance(found.value, bool):
        raise found.place.fail(f"frames is {found.value!r}", "give true or false")
    steps = scope.get("timesteps")
    if found.value and steps is not None:
        raise steps.place.fail("timesteps beside frames = true", "leave it out: T is the number of frames")
    return found.value


def _values(scope: ConfigTable, axis: SweepAxis) -> list[Any]:
    """Return the values on an axis, each once."""
    found = scope.get(axis.name)
    assert found is not None, "the names of axes come from the scope"
    values = []
    for item in found.items():
        value = axis.read(item.value, item.place)
        if axis.name == "timesteps" and value != AUTO and value < 1:
            raise item.place.fail(f"timesteps is {value}", "give at least 1, or 'auto'")
        if axis.name == "seed" and not 0 <= value <= LARGEST_SEED:
            raise item.place.fail(f"seed is {value}", f"it lies in 0 to {LARGEST_SEED}")
        values.append(value)
    return list(dict.fromkeys(values))


def _cell(
    scope: ConfigTable, common: SharedOptions, model: NamedFile, allow: tuple[str, ...], values: Mapping[str, Any]
) -> Cell:
    """Return the cell of one value on each axis."""
    method = CONVERTERS.get(values["converter"])
    encoder = values.get("encoder", method.default_encoder)
    timesteps = None if common.frames else values.get("timesteps", method.default_timesteps)
    encoded = {"": method.default_encoder, **named(encoder)}
    owners = {f"encoder {name}" for name in encoded.values()}
    have = {f"converter {method.name}", *owners, *([SEARCHED] if timesteps == AUTO else [])}
    applied = {name: value for name, value in values.items() if have & axes()[name].owners}
    for name in applied:
        scope.mark(name)
    lowering = {option.name: values[name] for option in LOWERING if (name := option.flag[2:]) in values}
    try:
        converter = make(method, f"converter {method.name}", _fields(applied, f"converter {method.name}"))
        common_encoder, own = encoders_of(named(encoder), method.default_encoder, _fields(applied, *owners))
        recipe = Recipe(
            converter=converter,
            encoder=common_encoder,
            encoders=tuple(sorted(own.items())),
            allow=allow,
            lowering=make(LoweringOptions, "lowering", lowering),
            readout=values.get("readout", method.readouts[0]),
            seed=values.get("seed", 0),
        )
        if timesteps not in (AUTO, None):
            checked_timesteps(converter, timesteps)
        setup = Setup(
            model=model,
            data=common.data,
            calibration=common.calibration,
            recipe=recipe,
            timesteps=make(TimestepSearch, SEARCHED, _fields(applied, SEARCHED))
            if timesteps == AUTO
            else timesteps,
            target=values.get("target", "cpu"),
            layer_samples=common.layer_samples,
            ann_samples=common.ann_samples,
            input_shape=common.input_shape,
            kinds=common.kinds,
            frames=common.frames,
        )
    except KgennError as error:
        raise _blamed(scope, values, error) from error
    first = {"model": model.name, "converter": method.name, "encoder": encoder}
    first |= {"timesteps": timesteps} if timesteps is not None else {"frames": True}
    rest = {name: values[name] for name in values if name in applied or not axes()[name].owners}
    return Cell(setup, {**first, "target": setup.target, "seed": recipe.seed, **rest})


def _fields(applied: Mapping[str, Any], *owners: str) -> dict[str, Any]:
    return {axes()[name].field: value for name, value in applied.items() if axes()[name].owners & {*owners}}


def _blamed(scope: ConfigTable, values: Mapping[str, Any], error: KgennError) -> KgennError:
    """Return an error of the option that a diagnostic speaks of, or else of the converter."""
    (diagnostic,) = error.diagnostics
    words = f"{diagnostic.where} {diagnostic.what}"
    named = [name for name in values if name in words or axes()[name].field in words]
    found = scope.get(next((name for name in named if name != "converter"), "converter"))
    assert found is not None, "a sweep has a converter"
    return _place(found, values).fail(f"{diagnostic.where}: {diagnostic.what}", diagnostic.help)


def _place(found: ConfigValue, values: Mapping[str, Any]) -> TomlPath:
    """Return the place of the value that a combination has, in a list of them."""
    if not isinstance(found.value, list):
        return found.place
    read = axes()[found.key].read
    return next(e.place for e in found.items() if read(e.value, e.place) == values[found.key])
