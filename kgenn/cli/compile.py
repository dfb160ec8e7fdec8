"""`kgenn compile`: from a model file to a directory that runs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import click

from kgenn.agreement import SAMPLES as APART
from kgenn.agreement import agreed_in_words
from kgenn.api import as_graph, model_record
from kgenn.artifact.directory import COMPILED, Artifact, write_artifact
from kgenn.artifact.self_test import SAMPLES, self_test
from kgenn.artifact.verification import wrong_spikes
from kgenn.backends import TARGETS
from kgenn.backends.base import RunOptions
from kgenn.backends.simulate import simulate
from kgenn.cli.console import print_diagnostics, print_json, print_line, print_notes, print_table, working
from kgenn.cli.headings import HeadedCommand
from kgenn.cli.options import (
    AUTO,
    PATH,
    allow_flag,
    converter_flag,
    converter_flags,
    encoder_flag,
    encoder_flags,
    given_to_converters,
    given_to_encoders,
    json_flag,
    lowering_flags,
    lowering_of,
    named_encoders,
    overwrite_flag,
    read_samples,
    readout_flag,
    scale_flag,
    scaled,
    search_flags,
    search_of,
    shape_flag,
    split_flag,
)
from kgenn.cli.task_options import task_flags, tasks_given
from kgenn.cli.words import Known, whole_or
from kgenn.conversion.base import Memory, Status, checked_timesteps
from kgenn.conversion.constraints import admitted
from kgenn.conversion.legality import accepted
from kgenn.conversion.recipe import Recipe, recipe_of
from kgenn.conversion.timed import timesteps_for
from kgenn.convert_model import Converted, convert_model
from kgenn.data.errors import of_file, recorded
from kgenn.data.load import Data
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.files.checksums import sha256_of
from kgenn.files.output import refuse_directory
from kgenn.frontend import SampleShapes
from kgenn.ir.agreement import Agreement
from kgenn.ir.frames import frames_of, timed_shapes
from kgenn.ir.graph import Shape
from kgenn.ir.naming import Naming
from kgenn.ir.network import Network
from kgenn.ir.random import LARGEST_SEED
from kgenn.ir.samples import samples_of, shapes_in
from kgenn.ir.words import counted, times
from kgenn.method_options import converter_of, encoders_of
from kgenn.report.contents import network_contents, size_of
from kgenn.tasks.goal import Goal, choices
from kgenn.timestep_search import SearchResult, TimestepSearch


@dataclass(frozen=True)
class Request:
    """What a network is to be made from, and how.

    Attributes:
        samples: of the calibration data, the first so many.
        scale: as given, such as "1/255", or "image=1/255" for an input.
        timesteps: T, or a search for the fewest; None for the default of `timesteps_for`.
        check: compare the network with its model.
        input_shape: of one sample, or of those of some inputs, where the model leaves a size open; that of the
            calibration data if not given.
        kinds: task, metric and threshold of outputs, where they are given.
        frames: inputs change with time, and the calibration data have a frame for each timestep.
    """

    model: Path
    calibration: Path
    split: str
    samples: int
    scale: tuple[str, ...]
    recipe: Recipe
    timesteps: int | TimestepSearch | None
    check: bool
    input_shape: Shape | dict[str, Shape] | None
    frames: bool = False
    kinds: Mapping[str, Any] = field(default_factory=dict)


TIMESTEPS = "T; the K of few-spike, the t_max of ttfs; auto searches for the fewest.  [default: the converter's]"


@click.command(cls=HeadedCommand, context_settings={"show_default": True})
@click.argument("model", type=PATH)
@click.option(
    "--calibration", type=PATH, required=True, metavar="FILE", help="An .npz or HDF5 file of training samples."
)
@split_flag
@click.option(
    "--calibration-samples",
    "samples",
    type=click.IntRange(min=1),
    default=1024,
    metavar="N",
    help="Number of calibration samples.",
)
@scale_flag
@converter_flag
@converter_flags
@encoder_flag
@encoder_flags
@click.option("--timesteps", callback=whole_or(AUTO), metavar="T|auto", help=TIMESTEPS)
@search_flags
@readout_flag
@click.option(
    "--seed", type=click.IntRange(0, LARGEST_SEED), default=0, metavar="N", help="Random seed of the encoder."
)
@allow_flag
@shape_flag
@lowering_flags
@task_flags
@click.option(
    "--check/--no-check",
    default=True,
    help="Compare the network with its model on held-out samples, and C++ with the NumPy reference.",
)
@click.option("--frames", is_flag=True, help="Samples have a frame for each timestep.")
@click.option(
    "--target",
    type=Known(TARGETS.names),
    default="cpu",
    metavar="NAME",
    help="What to compile for; see kgenn list targets.",
)
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="Directory to write.")
@overwrite_flag
@json_flag
def compile(
    converter: str,
    encoder: tuple[str, ...],
    target: str,
    output: Path,
    overwrite: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Convert a trained model to a spiking network and build it.

    MODEL is an .h5 or .keras file. The calibration data give each layer its scale. If they are in the layout of
    keras.datasets, the training split is used. They also set the sizes of an input that the model leaves open,
    unless --input-shape does. The directory holds everything that `kgenn run` needs, and for `kgenn verify`
    checksums and at most eight calibration samples. An older output in DIR is replaced. If DIR holds a file that
    kgenn did not write, or that was changed since, nothing is written. With C++ these samples run once the program
    is built; other spikes than those of the NumPy reference are an error (KG642).

    With --frames an input changes with time: its array has the shape (N, T, …), and T is the number of
    timesteps. Activations are calibrated on the mean of the frames. kgenn frames makes such arrays from events.
    """
    backend = TARGETS.get(target)()
    request = request_of(converter, encoder, values)
    refuse_directory(output, COMPILED, overwrite)
    start = time.perf_counter()
    with working("converting") as status:
        made, data = convert(request, lambda text: status(f"converting: {text}"))
        network = made.network(**_files(request, made.num_samples, data))
        with of_file(request.calibration, data):
            test = self_test(network, data.x[:SAMPLES])
        files = Artifact(network, target).files(backend.emit(network), test)
        write_artifact(output, files, overwrite)
    # with C++, the comparison with the model may have compiled the program already
    converted = time.perf_counter()
    with working("building"):
        backend.build(network, output)
    built = time.perf_counter()
    wrong: tuple[Diagnostic, ...] = ()
    if values["check"] and backend.checked:
        with working("comparing the program with the reference"):
            wrong = wrong_spikes(output, backend.load(network, output, RunOptions()), network, test)
    if as_json:
        seconds = {"convert_seconds": converted - start, "build_seconds": built - converted}
        print_json({"directory": str(output), **seconds, **_to_json(made, network, target)})
    else:
        _print_summary(made, target, output, built - start)
    print_diagnostics(made.warnings)
    if wrong:
        raise KgennError(wrong)


def request_of(converter: str, encoder: Sequence[str], values: Mapping[str, Any]) -> Request:
    """Return what the command line asks for; what it leaves open is the converter's default.

    Raises:
        KgennError: KG401 for what does not exist, or does not go together.
    """
    method = converter_of(converter, given_to_converters(values))
    common, own = encoders_of(named_encoders(encoder), method.default_encoder, given_to_encoders(values))
    recipe = recipe_of(
        converter=method,
        encoder=common,
        encoders=own,
        allow=admitted(values["allow"]),
        lowering=lowering_of(values),
        readout=values["readout"],
        seed=values["seed"],
    )
    given = values["timesteps"]
    if given not in (None, AUTO):
        checked_timesteps(method, given)
    names = ("model", "calibration", "samples", "scale", "check", "input_shape", "frames")
    files = {name: values[name] for name in names}
    steps, kinds = search_of(values) or given, tasks_given(values)
    return Request(**files, split=values["split"] or "train", recipe=recipe, timesteps=steps, kinds=kinds)


def convert(request: Request, status: Status) -> tuple[Converted, Data]:
    """Read the model and the calibration data, and convert; return those data too.

    Args:
        status: called with what is being computed.

    Raises:
        KgennError: with every reason why the model does not convert before anything else.
    """
    recipe, memoise = request.recipe, Memory().memoise
    more = APART if request.check else 0

    name = request.calibration.name

    @cache
    def raw(inputs: tuple[str, ...], naming: Naming, outputs: tuple[str, ...] = ()) -> Data:
        return read_samples(request.calibration, request.split, request.samples + more, inputs, outputs, naming)

    def shapes_of(names: Sequence[str], naming: Naming) -> Mapping[str, Shape]:
        return shapes_in(raw(tuple(names), naming).x, names, name, frames=timed)

    timed = request.frames
    graph = as_graph(request.model, request.input_shape, SampleShapes(name, shapes_of))
    accepted(graph, recipe, memoise)
    outputs = tuple(output.name for output in graph.outputs)
    found, chosen = raw(graph.inputs, graph.naming, outputs), choices(outputs, **request.kinds)
    inputs: Mapping[str, Shape] = graph.input_shapes
    if timed:
        inputs = timed_shapes(samples_of(found.x, inputs, name), inputs, name)
    data = scaled(found, inputs, request.scale, request.calibration, graph.naming)
    used = data
    if timed:
        used = data.timed(frames_of(samples_of(data.x, inputs, name), graph.input_shapes, name))
    count, check, steps = request.samples, request.check, timesteps_for(used.frames, recipe, request.timesteps)
    with of_file(request.calibration, data):
        made = convert_model(graph, recipe, used, steps, simulate, memoise, status, count, check, chosen)
    return made, data


def _files(request: Request, samples: int, data: Data) -> dict[str, Any]:
    """Return what the manifest says of files: their names and SHA-256, and how the data were read."""
    calibration = {"file": request.calibration.name, "sha256": sha256_of(request.calibration)}
    return {
        "model": model_record(request.model),
        "calibration": {**calibration, "split": request.split, "samples": samples},
        "scale": recorded(data.scale),
        "scaled_floats": list(data.scaled_floats),
    }


def _to_json(made: Converted, network: Network, target: str) -> dict[str, Any]:
    """Return what the table has, and the record that the manifest keeps."""
    contents = network_contents(network, target)
    return {
        "target": target,
        "num_timesteps": network.num_timesteps,
        "neurons": sum(p.neurons for p in contents.populations),
        "synapses": sum(c.synapses for c in contents.connections),
        "weight_bytes": contents.weight_bytes,
        "record": dict(network.origin),
        "warnings": [diagnostic.to_dict() for diagnostic in made.warnings],
    }


def _print_summary(made: Converted, target: str, output: Path, seconds: float) -> None:
    """Print the populations, the notes, and what was made.

    Args:
        seconds: of wall-clock time, of all that was done.
    """
    conversion = made.conversion
    contents = network_contents(conversion.network, target)
    synapses, bits = {p.name: 0 for p in contents.populations}, {p.name: 0 for p in contents.populations}
    for c in contents.connections:
        synapses[c.target] += c.synapses
        # the digits of a max pooling are no weights of the model
        digits = conversion.network.by_name[c.target].maximum
        bits[c.target] = max(bits[c.target], 0 if c.constant or digits else c.bits)
    columns = ["population", "shape", ">neurons", "neuron model", ">synapses", ">worst rounding"]
    chosen = made.recipe.lowering.weight_bits is not None
    columns += [">weight bits"] * chosen
    rows = [
        (
            p.name,
            times(p.shape),
            f"{p.neurons:,}",
            p.neuron_model,
            f"{synapses[p.name]:,}" if synapses[p.name] else "–",
            _rounding(conversion.rounding.get(p.name)),
            *([str(bits[p.name] or "–")] * chosen),
        )
        for p in contents.populations
    ]
    print_table(columns, rows)
    print_notes(conversion.lowered.notes)
    if made.agreement is not None:
        print_line(_agreement_line(made.agreement, made.goals))
    if made.found is not None:
        print_line(_search_line(made.found))
    neurons = sum(p.neurons for p in contents.populations)
    total = sum(synapses.values())
    figures = f"{neurons:,} neurons, {total:,} synapses, {size_of(contents.weight_bytes)} of weights"
    print_line(f"{output}: {figures}; converted and built in {seconds:.1f} s")


def _agreement_line(found: Agreement, goals: Mapping[str, Goal]) -> str:
    """Return in words how well the network agrees with its model."""
    samples = counted(found.num_samples, "calibration sample")
    kind = f"{samples} held out" if found.apart else f"{samples}, too few to hold any out"
    layer = f", most of it from {found.layer}" if found.layer and found.error > 0 else ""
    error = f"outputs off by {found.error:.3f} of their spread{layer}"
    if found.agreement is None:
        return f"agreement: {error}, on {kind}"
    share = f"{found.agreement:.1%} of {kind}"
    return f"agreement: gives {agreed_in_words(goals)} for {share}; {error}"


def _rounding(worst: float | None) -> str:
    """Return the worst relative rounding of a population's weights; a dash where it has none."""
    return "–" if worst is None else f"{worst:.1e}" if worst else "exact"


def _search_line(found: SearchResult) -> str:
    measured = "agreement with the model" if found.measured == "agreement" else found.measured
    steps, samples = counted(found.timesteps, "timestep"), counted(found.num_samples, "calibration sample")
    return f"{steps}: {found.loss:.2f} points of {measured} lost on {samples}"
