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
from kgenn.config import options_of, values_of
from kgenn.data import parse_scale
from kgenn.search import Search

KEY_DIGITS = 16


@dataclass(frozen=True)
class Task:
    """A cell ready to run.

    Attributes:
        key: of everything that determines the result.
        run: threads and the like, which change no result.
    """

    key: str
    cell: Cell
    files: Files
    run: RunOptions


def tasks_of(experiment: Experiment, library: Library, run: RunOptions) -> list[Task]:
    """Return the cells of an experiment with their files and keys."""
    found = ((cell, library.files(cell.setup)) for cell in experiment.cells)
    return [Task(key_of(cell.setup, files), cell, files, run) for cell, files in found]


def key_of(setup: Setup, files: Files) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of everything that determines a cell's result."""
    identity = {
        "schema": SCHEMA,
        "kgenn": __version__,
        "model": files.model.sha256,
        "data": {"sha256": files.data.sha256, **_test_data(setup)},
        "calibration": {"sha256": files.calibration.sha256, **_calibration(setup)},
        "options": options(setup),
        **_input_shape(setup),
    }
    text = json.dumps(identity, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]


def record(task: Task) -> dict[str, Any]:
    """Return the entry `rerun` of a line; files are named without their directories."""
    setup, files = task.cell.setup, task.files
    return {
        "model": {"file": files.model.path.name, "sha256": files.model.sha256, **_input_shape(setup)},
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
    recipe, search = setup.recipe, setup.timesteps if isinstance(setup.timesteps, Search) else None
    return {
        "converter": {"name": recipe.converter.name, **values_of(recipe.converter)},
        "encoder": {"name": recipe.encoder.name, **values_of(recipe.encoder)},
        "allow": list(recipe.allow),
        "lowering": values_of(recipe.lowering),
        "readout": recipe.readout,
        "timesteps": "auto" if search is not None else setup.timesteps,
        "search": None if search is None else values_of(search),
        "seed": recipe.seed,
        "target": setup.target,
        "layer_samples": setup.layer_samples,
        **setup.choice.to_dict(),
    }


def commands(setup: Setup, files: Files) -> list[str]:
    """Return the command lines that give the cell's result, in the directory of its files."""
    calibration, data, recipe = setup.calibration, setup.data, setup.recipe
    search = setup.timesteps if isinstance(setup.timesteps, Search) else None
    make: list[object] = ["kgenn", "compile", files.model.path.name]
    make += [] if setup.input_shape is None else ["--input-shape", ",".join(map(str, setup.input_shape))]
    make += ["--calibration", files.calibration.path.name, "--split", calibration.split]
    make += ["--calibration-samples", calibration.samples]
    make += [] if data.scale is None else ["--scale", data.scale]
    make += ["--converter", recipe.converter.name, *_flags(recipe.converter)]
    make += ["--encoder", recipe.encoder.name, *_flags(recipe.encoder)]
    make += ["--timesteps", setup.timesteps] if search is None else ["--timesteps", "auto", *_flags(search)]
    make += ["--readout", recipe.readout, "--seed", recipe.seed]
    make += [word for feature in recipe.allow for word in ("--allow", feature)]
    make += [word for name, value in setup.choice.to_dict().items() for word in (f"--{name}", value)]
    make += [*_flags(recipe.lowering), "--target", setup.target, "--no-check", "-o", "cell"]
    run: list[object] = ["kgenn", "run", "cell", "--data", files.data.path.name, "--split", data.split]
    run += [] if data.limit is None else ["--limit", data.limit]
    run += ["--curve", "--json"]
    return [_line(make), _line(run)]


def _line(words: Iterable[object]) -> str:
    return shlex.join(str(word) for word in words)


def _input_shape(setup: Setup) -> dict[str, Any]:
    """Return the entry for the input shape; none where the model has all sizes itself."""
    return {} if setup.input_shape is None else {"input_shape": list(setup.input_shape)}


def _test_data(setup: Setup) -> dict[str, Any]:
    scale = None if setup.data.scale is None else str(parse_scale(setup.data.scale))
    return {"split": setup.data.split, "limit": setup.data.limit, "scale": scale}


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
