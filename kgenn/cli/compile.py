"""`kgenn compile`: from a model file to a directory that runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import click

from kgenn.api import as_graph, model_record
from kgenn.artifact import Artifact, sha256_of, write_directory
from kgenn.backends import TARGETS
from kgenn.backends.simulate import simulate
from kgenn.cli.console import print_line, print_notes, print_table, stage
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
    split_flag,
)
from kgenn.config import options_of
from kgenn.conversion import CONVERTERS, Converter
from kgenn.conversion.constraints import violations
from kgenn.conversion.convert import Conversion, convert_graph
from kgenn.diagnostics import KgennError
from kgenn.encoders import ENCODERS, Encoder
from kgenn.ir.network import ReadoutKind
from kgenn.passes import LoweringOptions
from kgenn.report.contents import network_contents
from kgenn.report.words import size_of, times


@dataclass(frozen=True)
class Request:
    """What a network is to be made from, and how.

    Attributes:
        samples: of the calibration data, the first so many.
        scale: as given, such as "1/255".
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
    seed: int

    def record(self, conversion: Conversion) -> dict[str, Any]:
        """Return what the manifest keeps: files by name and SHA-256, every option, rounding and notes."""
        calibration = {"file": self.calibration.name, "sha256": sha256_of(self.calibration)}
        return {
            "model": model_record(self.model),
            "calibration": {**calibration, "split": self.split, "samples": self.samples},
            "scale": None if self.scale is None else str(Fraction(self.scale)),
            "converter": {"name": self.converter.name, "options": _options(self.converter)},
            "encoder": {"name": self.encoder.name, "options": _options(self.encoder)},
            "allow": sorted(set(self.allow)),
            "lowering": _options(self.lowering),
            "readout": self.readout,
            "timesteps": self.timesteps,
            "seed": self.seed,
            "rounding": dict(conversion.rounding),
            "notes": list(conversion.lowered.notes),
        }


@click.command(context_settings={"show_default": True})
@click.argument("model", type=PATH)
@click.option("--calibration", type=PATH, required=True, metavar="FILE", help="An .npz file of training samples.")
@split_flag
@click.option("--calibration-samples", "samples", type=click.IntRange(min=1), default=1024, help="At most.")
@scale_flag
@click.option("--converter", default="data-norm", metavar="NAME", help="See kgenn list methods.")
@converter_flags
@click.option("--encoder", metavar="NAME", help="See kgenn list encoders.  [default: the converter's]")
@encoder_flags
@click.option("--timesteps", type=int, metavar="T", help="Steps of a simulation, or of a stage.")
@click.option("--readout", metavar=f"[{'|'.join(get_args(ReadoutKind))}]", help="The score of a class.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="Of the encoder's random numbers.")
@allow_flag
@lowering_flags
@click.option("--target", default="cpu", metavar="NAME", help="See kgenn list targets.")
@click.option("-o", "--output", type=PATH, required=True, metavar="DIR", help="The directory to write.")
def compile(converter: str, encoder: str | None, target: str, output: Path, **values: Any) -> None:
    """Convert a trained model to a spiking network and build it.

    MODEL is an .h5 or .keras file. The calibration data give each layer its scale; of a file in the layout of
    keras.datasets, the training split is taken. The directory holds all that `kgenn run` needs.
    """
    backend = TARGETS.get(target)()
    method = chosen(CONVERTERS, converter, values)
    request = Request(
        converter=method,
        encoder=chosen(ENCODERS, encoder or method.default_encoder, values),
        lowering=lowering_of(values),
        split=values["split"] or "train",
        **{name: values[name] for name in ("model", "calibration", "samples", "scale")},
        readout=values["readout"] or method.readouts[0],
        timesteps=method.default_timesteps if values["timesteps"] is None else values["timesteps"],
        **{name: values[name] for name in ("allow", "seed")},
    )
    with stage("converting"):
        conversion, request = convert(request)
        artifact = Artifact(conversion.network, target, request.record(conversion))
        write_directory(output, artifact.files(backend.emit(conversion.network)))
    start = time.perf_counter()
    with stage("building"):
        backend.build(conversion.network, output)
    _print_summary(conversion, target, output, time.perf_counter() - start)


def convert(request: Request) -> tuple[Conversion, Request]:
    """Read the model and the calibration data, and convert; return the request with the samples there were.

    Raises:
        KgennError: with every violation of the profile before anything else.
    """
    graph = as_graph(request.model)
    found = violations(graph, request.converter, request.allow)
    if found:
        raise KgennError(found)
    data = read_samples(request.calibration, request.split, request.samples)
    x = scaled(data, graph.input_shape, request.scale, None, request.calibration).x
    conversion = convert_graph(
        graph,
        request.converter,
        request.encoder,
        x,
        request.timesteps,
        simulate,
        request.allow,
        request.lowering,
        request.readout,
        request.seed,
    )
    return conversion, replace(request, samples=len(x))


def _options(value: object) -> dict[str, Any]:
    return {option.name: getattr(value, option.name) for option in options_of(type(value))}


def _print_summary(conversion: Conversion, target: str, output: Path, seconds: float) -> None:
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
            f"{conversion.rounding[p.name]:.1e}" if p.name in conversion.rounding else "–",
        )
        for p in contents.populations
    ]
    print_table(columns, rows)
    print_notes(conversion.lowered.notes)
    neurons = sum(p.neurons for p in contents.populations)
    total = sum(synapses.values())
    figures = f"{neurons:,} neurons, {total:,} synapses, {size_of(contents.weight_bytes)} of weights"
    print_line(f"{output}: {figures}; built in {seconds:.1f} s")
