"""What a line of results holds so that the cell can be run again: its key, every option, and commands."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kgenn import __version__
from kgenn.backends.base import RunOptions
from kgenn.bench.experiment import Cell, Experiment, Setup
from kgenn.bench.files import Files, Library
from kgenn.bench.json_object import SCHEMA
from kgenn.comma_list import entry
from kgenn.config import options_of, values_of
from kgenn.conversion.recipe import Recipe
from kgenn.data.load import parse_scale
from kgenn.timestep_search import TimestepSearch

KEY_DIGITS = 16


@dataclass(frozen=True)
class CellTask:
    """A cell ready to run.

    Attributes:
        key: of everything that determines the result.
        run: threads and the like, which change no result.
    """

    key: str
    cell: Cell
    files: Files
    run: RunOptions


def tasks_of(experiment: Experiment, library: Library, run: RunOptions) -> list[CellTask]:
    """Return the cells of an experiment with their files and keys."""
    found = ((cell, library.files(cell.setup)) for cell in experiment.cells)
    return [CellTask(key_of(cell.setup, files), cell, files, run) for cell, files in found]


def key_of(setup: Setup, files: Files) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of everything that determines a cell's result."""
    identity = {
        "schema": SCHEMA,
        "kgenn": __version__,
        "model": files.model.sha256,
        "data": {"sha256": files.data.sha256, **_test_data(setup)},
        "calibration": {"sha256": files.calibration.sha256, **_calibration(setup)},
        "options": options(setup),
        **setup.input_shape.record(),
    }
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def record(task: CellTask) -> dict[str, Any]:
    """Return the entry `rerun` of a line; files are named without their directories."""
    setup, files = task.cell.setup, task.files
    return {
        "model": {"file": files.model.path.name, "sha256": files.model.sha256, **setup.input_shape.record()},
        "data": {"file": files.data.path.name, "sha256": files.data.sha256, **_test_data(setup)},
        "calibration": {
            "file": files.calibration.path.name,
            "sha256": files.calibration.sha256,
            **_calibration(setup),
        },
        "options": options(setup),
        "kgenn": __version__,
        "command": commands(setup, files),
    }


def options(setup: Setup) -> dict[str, Any]:
    """Return every option of a cell as JSON-able data."""
    recipe, search = setup.recipe, setup.timesteps if isinstance(setup.timesteps, TimestepSearch) else None
    return {
        "converter": {"name": recipe.converter.name, **values_of(recipe.converter)},
        "encoder": {"name": recipe.encoder.name, **values_of(recipe.encoder)},
        **({"encoders": _own_encoders(recipe)} if recipe.encoders else {}),
        "allow": list(recipe.allow),
        "lowering": values_of(recipe.lowering),
        "readout": recipe.readout,
        "timesteps": "auto" if search is not None else setup.timesteps,
        "search": None if search is None else values_of(search),
        "seed": recipe.seed,
        "target": setup.target,
        "layer_samples": setup.layer_samples,
        **({} if setup.ann_samples is None else {"ann_samples": setup.ann_samples}),
        **({"frames": True} if setup.frames else {}),
        **setup.kinds.to_dict(),
    }


def commands(setup: Setup, files: Files) -> list[str]:
    """Return the command lines that give the cell's result, in the directory of its files."""
    calibration, data, recipe = setup.calibration, setup.data, setup.recipe
    make: list[object] = ["kgenn", "compile", files.model.path.name]
    make += setup.input_shape.flags()
    make += ["--calibration", files.calibration.path.name, "--split", calibration.split]
    make += ["--calibration-samples", calibration.samples]
    make += [word for text in _scales(setup) for word in ("--scale", text)]
    make += ["--converter", recipe.converter.name, *_flags(recipe.converter)]
    make += _encoders(recipe)
    make += _timesteps(setup)
    make += ["--readout", recipe.readout, "--seed", recipe.seed]
    make += [word for feature in recipe.allow for word in ("--allow", feature)]
    make += setup.kinds.flags()
    make += [*_flags(recipe.lowering), "--target", setup.target, "--no-check", "-o", "cell"]
    run: list[object] = ["kgenn", "run", "cell", "--data", files.data.path.name, "--split", data.split]
    run += [] if data.limit is None else ["--limit", data.limit]
    run += [] if setup.ann_samples is None else ["--ann-samples", setup.ann_samples]
    run += ["--curve", "--json"]
    return [_line(make), _line(run)]


def _own_encoders(recipe: Recipe) -> dict[str, Any]:
    return {name: {"name": encoder.name, **values_of(encoder)} for name, encoder in recipe.encoders}


def _encoders(recipe: Recipe) -> list[object]:
    """Return the flags of all encoders; an option that several have stands once."""
    every = (("", recipe.encoder), *recipe.encoders)
    named = [entry(f"{place}={encoder.name}" if place else encoder.name) for place, encoder in every]
    words = [word for text in named for word in ("--encoder", text)]
    options = dict.fromkeys(tuple(_flags(encoder)) for _, encoder in every)
    return [*words, *(word for flags in options for word in flags)]


def _timesteps(setup: Setup) -> list[object]:
    """Return the flags that say T, or how to find it."""
    if isinstance(setup.timesteps, TimestepSearch):
        return ["--timesteps", "auto", *_flags(setup.timesteps)]
    return ["--frames"] if setup.frames else ["--timesteps", setup.timesteps]


def _line(words: Iterable[object]) -> str:
    return shlex.join(str(word) for word in words)


def _test_data(setup: Setup) -> dict[str, Any]:
    given = setup.data.scale
    scale: str | dict[str, str] | None = None
    if isinstance(given, str):
        scale = str(parse_scale(given))
    elif given is not None:
        scale = {name: str(parse_scale(text)) for name, text in given}
    return {"split": setup.data.split, "limit": setup.data.limit, "scale": scale}


def _scales(setup: Setup) -> list[str]:
    """Return the values of --scale."""
    given = setup.data.scale
    if given is None or isinstance(given, str):
        return [] if given is None else [given]
    return [entry(f"{name}={text}") for name, text in given]


def _calibration(setup: Setup) -> dict[str, Any]:
    return {"split": setup.calibration.split, "samples": setup.calibration.samples}


def _flags(value: object) -> list[str]:
    """Return the flags of the options that are not at their defaults."""
    default, words = type(value)(), []
    for option in options_of(type(value)):
        own = getattr(value, option.name)
        if own == getattr(default, option.name):
            continue
        if option.kind is bool:
            words.append(option.flag if own else f"--no-{option.flag[2:]}")
        else:
            words += [option.flag, str(own)]
    return words
