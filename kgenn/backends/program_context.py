"""What generated C++ and CUDA programs have alike, and how such a program is written."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.input_context import input_expressions, scale_and_shift
from kgenn.backends.neuron_models import ModelContext, model_context
from kgenn.backends.output_context import output_expressions
from kgenn.backends.program_model import (
    EmittedConnection,
    EmittedInput,
    EmittedOutput,
    EmittedPopulation,
    EmittedProgram,
)
from kgenn.backends.render import label, render, without_comments
from kgenn.backends.weights_file import Words, values
from kgenn.ir.network import Connection, Network, ReadoutKind
from kgenn.ir.network_input import NetworkInput
from kgenn.ir.neuron_code import Dialect
from kgenn.ir.scores import heads_of
from kgenn.ir.spike_code import CodeName

WEIGHTS = "weights.bin"
# The weight of a spike in each code, for the header.
WEIGHT_NOTES: Mapping[CodeName, str] = {
    "rate": "1 each",
    "binary": "2^(T - 1 - t) each",
    "latency": "T - t each",
    "differential": "1 each",
}

# How what stands for 1 grows with the steps, as `Head.full_score` has it: late currents, and steady ones.
GROWTH: Mapping[ReadoutKind, str] = {"late-current": " * steps * (steps + 1) * (2 * steps + 1) / 6"}
STEADY = " * steps"

# Where a population's drive, or its scores, start that has none.
NOWHERE = slice(0, 0)


def write_program(
    context: Mapping[str, Any], network: Network, words: Words, templates: Mapping[str, str]
) -> Program:
    """Render a program's files: sources that depend on the network's structure alone, and its words.

    Args:
        context: what the templates need but for the structure's checksum, which ties the words to the sources.
        templates: of each file; the first file is what the checksum is of.
    """
    blank = render(next(iter(templates.values())), {**context, "structure": 0})
    structure = zlib.crc32(without_comments(blank))
    files = {name: render(template, {**context, "structure": structure}) for name, template in templates.items()}
    return Program({**files, WEIGHTS: words.finish(network, structure)})


@dataclass(frozen=True)
class Parts:
    """A network on its way into a program.

    Attributes:
        words: which get the network's arrays.
        models: how neurons of each model run, by name.
        populations: all of them, in topological order.
        offsets: where the words have each connection's arrays.
        numbers: of the connections that carry spikes.
    """

    network: Network
    layout: Layout
    words: Words
    inputs: tuple[EmittedInput, ...]
    models: Mapping[str, ModelContext]
    populations: tuple[EmittedPopulation, ...]
    offsets: Mapping[Connection, Mapping[str, int]]
    numbers: Mapping[Connection, int]

    @property
    def running(self) -> tuple[EmittedPopulation, ...]:
        """Return the populations that run, which leaves out inputs that inject a current."""
        return tuple(p for p in self.populations if not p.silent)

    def into(self, population: EmittedPopulation, analog: bool) -> tuple[Connection, ...]:
        """Return the connections into a population that carry constant currents, or else spikes."""
        return tuple(c for c in self.network.incoming[population.name] if self.network.is_analog(c) == analog)


def parts_of(network: Network, dialect: Dialect) -> Parts:
    """Return what every target needs, with the arrays of the network in words."""
    words, layout = Words(), Layout(network)
    inputs = tuple(_input(network, given, words) for given in network.inputs)
    models = {p.neuron.name: model_context(p.neuron, dialect) for p in network.populations}
    populations: list[EmittedPopulation] = []
    first = 0
    for number, population in enumerate(network.populations):
        populations.append(_population(layout, number, models[population.neuron.name], words, first))
        first += population.size if populations[-1].spiking else 0
    offsets = {c: words.add_synapses(c.connectivity) for c in network.connections}
    spiking = (c for c in network.connections if not network.is_analog(c))
    numbers = {c: number for number, c in enumerate(spiking)}
    return Parts(network, layout, words, inputs, models, tuple(populations), offsets, numbers)


def program_of(parts: Parts) -> EmittedProgram:
    """Return the program, once the words have all that a target adds to them."""
    network, words = parts.network, parts.words
    code, staged, steps = network.code, network.code.staged, network.num_timesteps
    used = {p.model.name for p in parts.running if not p.maximum}
    connections = tuple(
        EmittedConnection(parts.numbers[c], connection_label(c))
        for p in parts.running
        for c in parts.into(p, analog=False)
    )
    outputs = _outputs(network, words)
    return EmittedProgram(
        version=__version__,
        title=label(network.name),
        num_inputs=network.num_inputs,
        num_outputs=sum(output.size for output in outputs),
        num_classes=network.num_scores,
        num_neurons=sum(p.size for p in parts.running if p.spiking),
        num_connections=max(1, len(connections)),
        connections=connections,
        staged=staged,
        steady=code.steady,
        drive_changes=network.changing,
        code=network.code_name,
        steps=steps if staged else 0,
        weights=tuple(code.weights(steps).tolist()) if staged else (),
        value_type=parts.layout.images[network.populations[0].name].type,
        weight_note=WEIGHT_NOTES[network.code_name],
        inputs=parts.inputs,
        outputs=outputs,
        counts_readout=network.readout == "spike-count",
        num_words=words.size,
        tables=tuple(words.tables),
        axes=tuple(words.axes),
        models=tuple(m for m in parts.models.values() if m.name in used),
        spiking=tuple(p for p in parts.running if p.spiking),
    )


def connection_label(c: Connection) -> str:
    """Return a connection as comments have it."""
    return f"from {label(c.source)}: {c.connectivity.kind}"


def _input(network: Network, given: NetworkInput, words: Words) -> EmittedInput:
    columns, coding = network.drive_columns[given.name], words.add_coding(given.coding)
    rows = scale_and_shift(given) if given.transform.rescales else np.empty((0, 2))
    return EmittedInput(
        name=given.name,
        label=label(given.name),
        encoder=given.coding.encoder,
        first=columns.start,
        size=given.size,
        coding_offset=coding,
        code=input_expressions(given),
        changing=given.changing,
        num_scales=len(rows),
        scales_offset=words.add(rows) if len(rows) else 0,
    )


def _outputs(network: Network, words: Words) -> tuple[EmittedOutput, ...]:
    found: list[EmittedOutput] = []
    first = 0
    for head in heads_of(network):
        scales = np.atleast_1d(np.asarray(head.readout.scale, np.float64))
        found.append(
            EmittedOutput(
                label=label(head.name),
                first=first,
                size=head.readout.size,
                first_score=head.columns.start,
                num_factors=len(scales),
                factors_offset=words.add(np.append(scales, head.full_score(1))),
                growth=GROWTH.get(network.readout, STEADY if network.code.steady else ""),
                code=output_expressions(head),
            )
        )
        first += head.readout.size
    return tuple(found)


def _population(layout: Layout, number: int, model: ModelContext, words: Words, first: int) -> EmittedPopulation:
    network = layout.network
    population = network.populations[number]
    name, bias = population.name, population.bias
    return EmittedPopulation(
        id=f"p{number}",
        name=name,
        label=label(name),
        shape=" x ".join(map(str, population.shape)),
        size=population.size,
        image=layout.images[name],
        model=model,
        spiking=bool(model.threshold),
        silent=network.is_analog_input(name),
        maximum=network.code.staged and population.maximum,
        real=layout.real_of(population),
        reals="doubles" if model.real == "double" else "floats",
        params_offset=words.add(values(population, model.params, initial=False)),
        initial_offset=words.add(values(population, model.state, initial=True)),
        potential_offset=None if population.potential is None else words.add(population.potential),
        bias_offset=None if bias is None else words.add(bias.astype(population.neuron.real)),
        has_constant=bias is not None or any(map(network.is_analog, network.incoming[name])),
        readout=network.readout if name in network.score_columns else None,
        first_score=network.score_columns.get(name, NOWHERE).start,
        first_drive=network.drive_columns.get(name, NOWHERE).start,
        first=first,
        last=first + population.size - 1,
    )
