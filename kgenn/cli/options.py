"""Derive flags from the fields of options classes, and read the options that commands share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
import numpy as np

from kgenn.backends.base import RunOptions
from kgenn.cli.headings import HeadedOption
from kgenn.cli.words import Known, listed, one_or_named, shapes_of, whole_or
from kgenn.config import Flag, flags_of, make
from kgenn.conversion import CONVERTERS
from kgenn.conversion.constraints import ALL, FEATURES
from kgenn.data.load import Data, load_data, parse_scale
from kgenn.diagnostics import fail, known_names
from kgenn.encoders import ENCODERS
from kgenn.files.output import refuse_file, unwritable
from kgenn.files.scratch import writable
from kgenn.ir.graph import Array, Shape
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.network import Network, ReadoutKind
from kgenn.ir.samples import place_of, samples_of
from kgenn.ir.words import counted
from kgenn.method_options import converters, encoders
from kgenn.passes import LoweringOptions
from kgenn.timestep_search import TimestepSearch

C = TypeVar("C", bound=Callable[..., Any])
T = TypeVar("T")
Decorator = Callable[[C], C]
# What cannot be read or written is a diagnostic, and no error of usage.
PATH = click.Path(path_type=Path, readable=False)
AUTO = "auto"
METAVARS: Mapping[type, str] = {int: "N", float: "X"}


def flags(classes: Mapping[str, type], heading: str | None = None) -> Decorator[C]:
    """Return a decorator that adds one flag for each option; a flag that is not given is None.

    Args:
        heading: above them in the help of a `HeadedCommand`; "{names}" in it stands for the classes that have an
            option, and "{s}" for the plural. Options of more classes come first.
    """

    def decorate(command: C) -> C:
        found = sorted(flags_of(classes).values(), key=lambda flag: (-len(flag.owners), flag.owners))
        for flag in reversed(found):
            command = _option(flag, heading)(command)
        return command

    return decorate


def _option(flag: Flag, heading: str | None) -> Callable[[C], C]:
    option = flag.option
    names, metavar = option.flag, METAVARS.get(option.kind)
    kind: Any = option.kind
    if option.kind is bool:
        names = f"{option.flag}/--no-{option.flag.removeprefix('--')}"
    elif option.choices:
        metavar, kind = f"[{'|'.join(option.choices)}]", Known(lambda: option.choices)
    words = option.help[:1].upper() + option.help[1:]
    settings: dict[str, Any] = {"type": kind, "metavar": metavar, "default": None}
    if option.word is not None:
        settings |= {"type": str, "metavar": f"{metavar}|{option.word}", "callback": whole_or(option.word)}
    settings["help"] = f"{words}.  [default: {flag.default}]" if flag.default else f"{words}."
    if heading is not None:
        plural = "s" if len(flag.owners) > 1 else ""
        heading = heading.format(names=", ".join(flag.owners), s=plural)
        settings |= {"cls": HeadedOption, "heading": heading}
    return click.option(names, option.name, **settings)


def given(classes: Mapping[str, type], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's values that were given and are options of some of the classes."""
    known = flags_of(classes)
    return {name: value for name, value in values.items() if name in known and value is not None}


def given_to_converters(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's values that were given and are options of some converter."""
    return given(converters().classes, values)


def given_to_encoders(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a command's values that were given and are options of some encoder."""
    return given(encoders().classes, values)


def lowering_of(values: Mapping[str, Any]) -> LoweringOptions:
    """Return the lowering options that were given."""
    return make(LoweringOptions, "lowering", given({"lowering": LoweringOptions}, values))


def run_options_of(values: Mapping[str, Any]) -> RunOptions:
    """Return the options of a run that were given."""
    return make(RunOptions, "run", given({"run": RunOptions}, values))


def search_of(values: Mapping[str, Any]) -> TimestepSearch | None:
    """Return the options of a search for the fewest timesteps, where one is asked for.

    Raises:
        KgennError: KG401 for such an option without `--timesteps auto`.
    """
    options = given({"search": TimestepSearch}, values)
    if values["timesteps"] == AUTO:
        return make(TimestepSearch, "timesteps", options)
    for name in options:
        raise fail("KG401", "--" + name.replace("_", "-"), "needs a search", "pass --timesteps auto")
    return None


def named_encoders(texts: Sequence[str]) -> dict[str, str]:
    """Return the encoders that `--encoder` names, by the names of inputs; "" stands for all others.

    Raises:
        KgennError: KG401 where an input has two.
    """
    found: dict[str, str] = {}
    for given in texts:
        name, _, encoder = given.rpartition("=")
        if name in found:
            raise fail("KG401", "--encoder", f"is given twice for {name or 'all inputs'}", "give it once for each")
        found[name] = encoder
    return found


def written(shape: Shape | Mapping[str, Shape]) -> list[str]:
    """Return the flags that give a shape, or those of some inputs."""
    named = shape if isinstance(shape, Mapping) else {"": shape}
    texts = (f"{name}=" * bool(name) + ",".join(map(str, own)) for name, own in named.items())
    return [part for text in texts for part in ("--input-shape", text)]


converter_flags: Decorator[Any] = flags(converters().classes, "Converter{s} {names}")
encoder_flags: Decorator[Any] = flags(encoders().classes, "Encoder{s} {names}")
lowering_flags: Decorator[Any] = flags({"lowering": LoweringOptions}, "Lowering")
search_flags: Decorator[Any] = flags({"search": TimestepSearch}, f"Search, with --timesteps {AUTO}")
run_flags: Decorator[Any] = flags({"run": RunOptions})
allow_flag = click.option(
    "--allow",
    type=Known(lambda: (*FEATURES, ALL)),
    callback=listed,
    multiple=True,
    metavar="FEATURE,…",
    help="Admit features, or all; see kgenn list features.",
)
encoder_flag = click.option(
    "--encoder",
    type=Known(ENCODERS.names),
    callback=listed,
    multiple=True,
    metavar="[INPUT=]NAME,…",
    help="Encoder of all inputs or of one; see kgenn list encoders.  [default: the converter's]",
)
converter_flag = click.option(
    "--converter",
    type=Known(CONVERTERS.names),
    default="data-norm",
    show_default=True,
    metavar="NAME",
    help="Conversion method; see kgenn list methods.",
)
readout_flag = click.option(
    "--readout",
    type=Known(lambda: get_args(ReadoutKind)),
    metavar=f"[{'|'.join(get_args(ReadoutKind))}]",
    help="How the readout scores a class.  [default: the converter's]",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
overwrite_flag = click.option(
    "--overwrite", is_flag=True, help="Delete files in the directory that kgenn did not write."
)
scale_flag = click.option(
    "--scale",
    callback=listed,
    multiple=True,
    metavar="[NAME=]NUMBER,…",
    help="Factor for the data, or for those of one input, such as 1/255.",
)
shape_flag = click.option(
    "--input-shape",
    callback=shapes_of,
    multiple=True,
    metavar="[NAME=]SIZE,…",
    help="Shape of one sample, such as 64,64,3, if the model leaves a size of its input open.",
)
split_flag = click.option(
    "--split", type=click.Choice(["train", "test"]), help="Split to use if the file has both."
)


def data_flags(command: C) -> C:
    """Add the flags of commands that run a network on a data set."""
    limit = click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Use the first N samples.")
    data = click.option(
        "--data",
        type=PATH,
        required=True,
        metavar="FILE",
        help="An .npz or HDF5 file with x and y; kgenn run --help describes it.",
    )
    for flag in (run_flags, scale_flag, limit, split_flag, data):
        command = flag(command)
    return command


def check_output(path: Path | None, *others: Path | None) -> None:
    """Try whether a file can be written, so that what cannot is known before any work.

    Args:
        others: what else the command reads or writes, which must not be this file.

    Raises:
        KgennError: KG606.
    """
    if path is None:
        return
    refuse_file(path)
    if os.path.realpath(path) in {os.path.realpath(other) for other in others if other is not None}:
        what = "is another file of this command, which would be overwritten"
        raise fail("KG606", str(path), what, "give another name for what is written")
    try:
        writable(Path(os.path.realpath(path)))
    except OSError as error:
        raise unwritable(path, error) from error


def read_samples(
    path: Path,
    split: str,
    limit: int | None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    naming: Naming = ALL_NAMED,
) -> Data:
    """Return the first samples of a data file.

    Args:
        inputs, outputs, naming: of the model; see `load_data`.

    Raises:
        KgennError: KG601 where there are none.
    """
    data = load_data(path, split, inputs, outputs, naming, limit)
    if len(data) == 0:
        raise fail("KG601", str(path), "holds no samples", "save it with numpy.savez(path, x=..., y=...)")
    return data


def scales_of(
    texts: Sequence[str], inputs: Sequence[str], naming: Naming
) -> Fraction | dict[str, Fraction] | None:
    """Return the scales that `--scale` gives: one for all inputs, or of some by their names.

    Raises:
        KgennError: KG401 for what is no scale, for an unknown input, and for both kinds at once.
    """
    named = one_or_named(texts)
    if named is None:
        raise fail("KG401", "--scale", f"is given as {', '.join(texts)}", "give one, or one for each input")
    named = naming.of_inputs(named, inputs)
    for name in named:
        if name and name not in inputs:
            raise fail("KG401", f"--scale {name}=…", "no such input", known_names(name, inputs))
    found = {name: parse_scale(text) for name, text in named.items()}
    return found.get("", found) if found else None


@dataclass(frozen=True)
class RecordedScales:
    """The scales of the calibration data, as a manifest has them.

    Attributes:
        texts: by the names of inputs.
        floats: the inputs whose calibration data were floats when they were scaled; those of others were integers.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    floats: Sequence[str] = ()

    def of(self, name: str, array: Array) -> str | None:
        """Return the scale of an input's data that the user gives none for: it holds for the same kind of data."""
        same = np.issubdtype(array.dtype, np.integer) or name in self.floats
        return self.texts.get(name) if same else None


def recorded_scales(origin: Mapping[str, Any], inputs: Sequence[str]) -> RecordedScales:
    """Return the scales that a network's record holds."""
    stored = origin.get("scale")
    if stored is None:
        return RecordedScales()
    texts = stored if isinstance(stored, Mapping) else dict.fromkeys(inputs, stored)
    return RecordedScales(texts, origin.get("scaled_floats", ()))


def scaled(
    data: Data,
    inputs: Mapping[str, Shape],
    texts: Sequence[str],
    where: Path,
    naming: Naming = ALL_NAMED,
    earlier: RecordedScales | None = None,
) -> Data:
    """Return data as the model takes them.

    Args:
        inputs: of the model: the shape of one sample of each.
        texts: what the user gave as scales.
        naming: of the model.
        earlier: those of the calibration data, for the inputs that the user gives none for.
    """
    given = scales_of(texts, tuple(inputs), naming)
    if earlier is None or isinstance(given, Fraction):
        return data.prepared(inputs, given, str(where))
    raw = samples_of(data.x, inputs, str(where)).arrays
    known = {name: earlier.of(name, array) for name, array in raw.items()}
    every = {**{name: parse_scale(text) for name, text in known.items() if text is not None}, **(given or {})}
    if len(inputs) == 1:
        return data.prepared(inputs, next(iter(every.values()), None), str(where))
    return data.prepared(inputs, every, str(where))


def samples_for(network: Network, path: Path, split: str | None, limit: int | None, scale: Sequence[str]) -> Data:
    """Return the samples of a data file as a compiled network takes them."""
    inputs, outputs = network.input_shapes, tuple(output.name for output in network.outputs)
    data = read_samples(path, split or "test", limit, tuple(inputs), outputs, network.naming)
    for name, array in samples_of(data.x, inputs, str(path)).arrays.items():
        where = place_of(str(path), name, inputs)
        if network.input_of[name].changing:
            _check_frames(array.shape[1:], inputs[name], where)
        elif network.changing:
            _refuse_frames(array.shape[1:], inputs[name], where)
    return scaled(data, inputs, scale, path, network.naming, recorded_scales(network.origin, tuple(inputs)))


def _check_frames(found: Shape, expected: Shape, where: str) -> None:
    """Raise KG602 for samples of another number of frames than a network takes."""
    if expected[1:] in (found, (*found, 1)):
        what = f"has samples of shape {found}; the network takes {counted(expected[0], 'frame')} of that shape"
        raise fail("KG602", where, what, "give the frames of each sample, or compile without --frames")
    if len(found) in (len(expected), len(expected) - 1) and found[:1] != expected[:1]:
        own = counted(found[0], "frame")
        what = f"has samples of {own}; the network takes {expected[0]:,}"
        again = f", or compile the network for {own}" if found[0] else ""
        advice = f"bin the events with --timesteps {expected[0]}{again}"
        raise fail("KG602", where, what, advice)


def _refuse_frames(found: Shape, expected: Shape, where: str) -> None:
    """Raise KG602 for frames of an input that holds, in a network of which another one changes with time."""
    if found != expected and expected in (found[1:], (*found[1:], 1)):
        what = f"has samples of {counted(found[0], 'frame')}, but this input holds for all timesteps"
        raise fail("KG602", where, what, "give each sample without frames, or compile with frames of this input")
