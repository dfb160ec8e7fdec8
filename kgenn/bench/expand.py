"""Expand a sweep: each combination of the values on its axes is a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from kgenn.bench.axes import AUTO, SEARCHED, SweepAxis, axes, named
from kgenn.bench.experiment import CalibrationData, Cell, NamedFile, RunData, Setup
from kgenn.bench.input_shapes import NO_SHAPES, InputShapes
from kgenn.bench.kinds import UNSPECIFIED, Kinds, kinds_of
from kgenn.bench.scope import ConfigTable, ConfigValue
from kgenn.bench.toml_file import TomlPath
from kgenn.config import make, options_of
from kgenn.conversion import CONVERTERS
from kgenn.conversion.base import checked_timesteps
from kgenn.conversion.constraints import ALL, FEATURES, admitted
from kgenn.conversion.recipe import Recipe
from kgenn.diagnostics import KgennError
from kgenn.ir.graph import Shape
from kgenn.ir.random import LARGEST_SEED
from kgenn.methods import encoders_of
from kgenn.passes import LoweringOptions
from kgenn.timestep_search import TimestepSearch

LOWERING = options_of(LoweringOptions)
MODEL_SUFFIXES = (".h5", ".keras")
# What a sweep may say beside its axes.
OTHER_KEYS = ("models", "allow", "input-shape", "task", "metric", "threshold", "frames")


@dataclass(frozen=True)
class Common:
    """What all cells of an experiment share; input shape, kinds and frames are those of a sweep; see `Setup`."""

    data: RunData
    calibration: CalibrationData
    layer_samples: int
    ann_samples: int | None = None
    input_shape: InputShapes = NO_SHAPES
    kinds: Kinds = UNSPECIFIED
    frames: bool = False


def expand(scope: ConfigTable, common: Common) -> list[Cell]:
    """Return the cells of a sweep: models first, then its keys as they stand, the last one fastest.

    An option applies to the converters and encoders of the sweep that have it; combinations that it does not
    tell apart are one cell.

    Raises:
        KgennError: KG620 with the line of the first key that is wrong.
    """
    scope.need("converter", 'say which: converter = "few-spike", or a list')
    models = [source_of(f, MODEL_SUFFIXES) for f in scope.need("models", 'name some: models = ["vgg13"]').items()]
    allow = features_of(scope)
    common = replace(common, input_shape=input_shape_of(scope), kinds=kinds_of(scope))
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
    for entry in found.items():
        value = axis.read(entry.value, entry.place)
        if axis.name == "timesteps" and value != AUTO and value < 1:
            raise entry.place.fail(f"timesteps is {value}", "give at least 1, or 'auto'")
        if axis.name == "seed" and not 0 <= value <= LARGEST_SEED:
            raise entry.place.fail(f"seed is {value}", f"it lies in 0 to {LARGEST_SEED}")
        values.append(value)
    return list(dict.fromkeys(values))


def _cell(
    scope: ConfigTable, common: Common, model: NamedFile, allow: tuple[str, ...], values: Mapping[str, Any]
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
