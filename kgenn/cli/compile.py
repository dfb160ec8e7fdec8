"""`kgenn compile`: from a model file to a directory that runs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import click

from kgenn.api import as_graph, labels_of, model_record
from kgenn.artifact import Artifact, refuse_directory, write_directory
from kgenn.backends import TARGETS
from kgenn.backends.simulate import simulate
from kgenn.checksums import sha256_of
from kgenn.cli.console import print_line, print_notes, print_table, stage
from kgenn.cli.headings import HeadedCommand
from kgenn.cli.options import (
    PATH,
    allow_flag,
    chosen,
    converter_flags,
    encoder_flags,
    lowering_flags,
    lowering_of,
    read_samples,
    scale_flag,
    scaled,
    search_flags,
    search_of,
    split_flag,
    timesteps_of,
)
from kgenn.config import options_of
from kgenn.conversion import CONVERTERS, Converter
from kgenn.conversion.constraints import FEATURES, violations
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS, Encoder
from kgenn.ir.graph import Array, Graph
from kgenn.ir.network import ReadoutKind
from kgenn.passes import LoweringOptions
from kgenn.report.contents import network_contents
from kgenn.report.words import size_of, times
from kgenn.search import Found, Report, Search, Yardstick, fewest_timesteps
from kgenn.self_test import SAMPLES, self_test


@dataclass(frozen=True)
class Request:
    """What a network is to be made from, and how.

    Attributes:
        samples: of the calibration data, the first so many.
        scale: as given, such as "1/255".
        timesteps: T; of no meaning where it is searched for.
        search: for the fewest timesteps.
    """

    model: Path
    calibration: Path
    split: str
    samples: int
    scale: str | None
    converter: Converter
    encoder: Encoder
    allow: tuple[str, ...]
    lowering: LoweringOptions
    readout: ReadoutKind
    timesteps: int
    search: Search | None
    seed: int


@dataclass(frozen=True, eq=False)
class Compilation:
    """A request with what came of it.

    Attributes:
        samples: of the calibration data, as many as there were.
        examples: the first of them, as the model takes them.
        features: what the model has beyond the strict profile.
        found: the outcome of the search for the fewest timesteps, where there was one.
    """

    request: Request
    conversion: Conversion
    samples: int
    examples: Array
    features: tuple[str, ...]
    found: Found | None

    def record(self) -> dict[str, Any]:
        """Return what the manifest keeps: files by name and SHA-256, every option, rounding and notes."""
        asked = self.request
        calibration = {"file": asked.calibration.name, "sha256": sha256_of(asked.calibration)}
        return {
            "model": model_record(asked.model),
            "calibration": {**calibration, "split": asked.split, "samples": self.samples},
            "scale": None if asked.scale is None else str(Fraction(asked.scale)),
            "converter": {"name": asked.converter.name, "options": _options(asked.converter)},
            "encoder": {"name": asked.encoder.name, "options": _options(asked.encoder)},
            "allow": sorted(set(asked.allow)),
            "features": list(self.features),
            "lowering": _options(asked.lowering),
            "readout": asked.readout,
            "timesteps": self.conversion.network.num_timesteps,
            "search": self._search(),
            "seed": asked.seed,
            "rounding": dict(self.conversion.rounding),
            "notes": list(self.conversion.lowered.notes),
        }

    def _search(self) -> dict[str, Any] | None:
        if self.found is None or self.request.search is None:
            return None
        return {
            "limit": self.request.search.loss,
            "loss": round(self.found.loss, 6),
            "measured": "accuracy" if self.found.labelled else "agreement",
            "most_timesteps": self.found.most_timesteps,
        }


READOUT = "What scores a class.  [default: the converter's]"
TIMESTEPS = "T; the K of few-spike, the t_max of ttfs; auto: the fewest.  [default: the converter's]"


@click.command(cls=HeadedCommand, context_settings={"show_default": True})
@click.argument("model", type=PATH)
@click.option("--calibration", type=PATH, required=True, metavar="FILE", help="An .npz file of training samples.")
@split_flag
@click.option(
    "--calibration-samples",
    "samples",
    type=click.IntRange(min=1),
    default=1024,
    metavar="N",
    help="Samples to learn from.",
)
@scale_flag
@click.option("--converter", default="data-norm", metavar="NAME", help="See kgenn list methods.")
@converter_flags
@click.option("--encoder", metavar="NAME", help="See kgenn list encoders.  [default: the converter's]")
@encoder_flags
@click.option("--timesteps", callback=timesteps_of, metavar="T|auto", help=TIMESTEPS)
@search_flags
@click.option(
    "--readout",
    metavar=f"[{'|'.join(get_args(ReadoutKind))}]",
    help=READOUT,
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), default=0, metavar="N", help="Of the encoder's random numbers."
)
@allow_flag
@lowering_flags
@click.option("--target", default="cpu", metavar="NAME", help="See kgenn list targets.")
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="The directory to write.")
def compile(converter: str, encoder: str | None, target: str, output: Path, **values: Any) -> None:
    """Convert a trained model to a spiking network and build it.

    MODEL is an .h5 or .keras file. The calibration data give each layer its scale; of a file in the layout of
    keras.datasets, the training split is taken. The directory holds all that `kgenn run` needs, and for `kgenn
    verify` checksums and at most eight calibration samples.
    """
    backend = TARGETS.get(target)()
    method = chosen(CONVERTERS, converter, values)
    search = search_of(values)
    given = values["timesteps"] is not None and search is None
    request = Request(
        converter=method,
        encoder=chosen(ENCODERS, encoder or method.default_encoder, values),
        lowering=lowering_of(values),
        split=values["split"] or "train",
        **{name: values[name] for name in ("model", "calibration", "samples", "scale")},
        readout=values["readout"] or method.readouts[0],
        timesteps=values["timesteps"] if given else method.default_timesteps,
        search=search,
        **{name: values[name] for name in ("allow", "seed")},
    )
    refuse_directory(output)
    with stage("converting") as say:
        made = convert(request, lambda timesteps: say(f"converting, T = {timesteps}"))
        network = made.conversion.network
        artifact = Artifact(network, target, made.record())
        test = self_test(network, made.examples)
        write_directory(output, artifact.files(backend.emit(network), test))
    start = time.perf_counter()
    with stage("building"):
        backend.build(network, output)
    _print_summary(made, target, output, time.perf_counter() - start)


def convert(request: Request, report: Report) -> Compilation:
    """Read the model and the calibration data, and convert.

    Args:
        report: called with each number of timesteps that a search tries.

    Raises:
        KgennError: with every violation of the profile before anything else.
    """
    graph = as_graph(request.model)
    found = violations(graph, request.converter, request.allow)
    if found:
        raise KgennError(found)
    data = read_samples(request.calibration, request.split, request.samples)
    data = scaled(data, graph.input_shape, request.scale, None, request.calibration)
    features = features_of(graph, request.converter)

    def at(timesteps: int) -> Conversion:
        return convert_graph(
            graph,
            request.converter,
            request.encoder,
            data.x,
            timesteps,
            simulate,
            request.allow,
            request.lowering,
            request.readout,
            request.seed,
        )

    if request.search is None:
        return Compilation(request, at(request.timesteps), len(data.x), data.x[:SAMPLES], features, None)
    against = Yardstick(graph, data.x, labels_of(graph, data.y, len(data.x)))
    best = fewest_timesteps(at, request.converter, against, request.search, simulate, report)
    return Compilation(request, best.conversion, len(data.x), data.x[:SAMPLES], features, best)


def features_of(graph: Graph, converter: Converter) -> tuple[str, ...]:
    """Return what a model has beyond the strict profile, as `--allow` names it, in order."""
    codes = {violation.code for violation in violations(graph, converter, ())}
    return tuple(sorted(name for name, feature in FEATURES.items() if feature.code in codes))


def _options(value: object) -> dict[str, Any]:
    return {option.name: getattr(value, option.name) for option in options_of(type(value))}


def _print_summary(made: Compilation, target: str, output: Path, seconds: float) -> None:
    conversion = made.conversion
    contents = network_contents(conversion.network, target)
    synapses = {p.name: 0 for p in contents.populations}
    for c in contents.connections:
        synapses[c.target] += c.synapses
    columns = ("population", "shape", ">neurons", "neuron model", ">synapses", ">worst rounding")
    rows = [
        (
            p.name,
            times(p.shape),
            f"{p.neurons:,}",
            p.neuron_model,
            f"{synapses[p.name]:,}" if synapses[p.name] else "–",
            _rounding(conversion.rounding.get(p.name)),
        )
        for p in contents.populations
    ]
    print_table(columns, rows)
    print_notes(conversion.lowered.notes)
    if made.found is not None:
        print_line(_search_line(made.found, made.samples))
    neurons = sum(p.neurons for p in contents.populations)
    total = sum(synapses.values())
    figures = f"{neurons:,} neurons, {total:,} synapses, {size_of(contents.weight_bytes)} of weights"
    print_line(f"{output}: {figures}; built in {seconds:.1f} s")


def _rounding(worst: float | None) -> str:
    """Return the worst relative rounding of a population's weights; a dash where it has none."""
    return "–" if worst is None else f"{worst:.1e}" if worst else "exact"


def _search_line(found: Found, samples: int) -> str:
    measured = "accuracy" if found.labelled else "agreement with the model"
    steps = f"{found.timesteps} timestep{'s' if found.timesteps > 1 else ''}"
    return f"{steps}: {found.loss:.2f} points of {measured} lost on {samples:,} calibration samples"
