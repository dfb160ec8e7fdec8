"""What the templates of generated C++ and CUDA programs say alike, and how such a program is written."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.input_context import input_context, scale_and_shift
from kgenn.backends.neuron_models import ModelContext, model_context
from kgenn.backends.output_context import cpp_outputs
from kgenn.backends.render import label, render, without_comments
from kgenn.backends.weights_file import Words, values
from kgenn.ir.network import Network, Population, ReadoutKind
from kgenn.ir.network_input import NetworkInput
from kgenn.ir.neuron_code import Dialect
from kgenn.ir.scores import heads_of
from kgenn.ir.spike_code import CodeName

WEIGHTS = "weights.bin"
# What a neuron's spikes are worth together, for the header.
WORTH_NOTES: Mapping[CodeName, str] = {
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

Context = dict[str, Any]
# Returns what a target adds to the context of a population: at least its `events` and `direct`, the connections
# into it that carry spikes and those that carry a constant current.
Describe = Callable[[Layout, Population, Context, Words], Context]


def write_program(context: Context, network: Network, words: Words, templates: Mapping[str, str]) -> Program:
    """Render a program's files: sources that depend on the network's structure alone, and its words.

    Args:
        context: what the templates need but for the structure's checksum, which ties the words to the sources.
        templates: of each file; the first file is what the checksum is of.
    """
    blank = render(next(iter(templates.values())), {**context, "structure": 0})
    structure = zlib.crc32(without_comments(blank))
    files = {name: render(template, {**context, "structure": structure}) for name, template in templates.items()}
    return Program({**files, WEIGHTS: words.finish(network, structure)})


def network_context(network: Network, words: Words, dialect: Dialect, describe: Describe) -> Context:
    """Return everything the templates need, adding the network's arrays to `words` on the way."""
    inputs = [input_words(network, given, words) for given in network.inputs]
    codings = {i.name: context["coding_offset"] for i, context in zip(network.inputs, inputs, strict=True)}
    models = {p.neuron.name: model_context(p.neuron, dialect) for p in network.populations}
    staged, layout = network.code.staged, Layout(network)
    first = 0
    populations = []
    for number, population in enumerate(network.populations):
        context = population_context(network, layout, number, models[population.neuron.name], words)
        context |= {"first": first, "last": first + population.size - 1}
        context |= describe(layout, population, context, words)
        for c in context["direct"]:
            c["coding_offset"] = codings[c["input"]]
        first += population.size if context["spiking"] else 0
        populations.append(context)
    running = [p for p in populations if not p["silent"]]
    used = {p["model"].name for p in running if not p["maximum"]}
    events = [c for p in running for c in p["events"]]
    outputs = output_words(network, words)
    return {
        "version": __version__,
        "title": label(network.name),
        "num_inputs": network.num_inputs,
        "num_classes": network.num_scores,
        "num_neurons": first,
        "num_connections": max(1, len(events)),
        "connections": events,
        "staged": staged,
        "steady": network.code.steady,
        "code": network.code_name,
        "steps": network.num_timesteps if staged else 0,
        "worths": network.code.worth(network.num_timesteps).tolist() if staged else [],
        "value_type": layout.images[network.populations[0].name].type,
        "worth_note": WORTH_NOTES[network.code_name],
        "inputs": inputs,
        "outputs": outputs,
        "num_outputs": sum(output["size"] for output in outputs),
        "counts_readout": network.readout == "spike-count",
        "num_words": words.size,
        "tables": words.tables,
        "axes": words.axes,
        "models": [m for m in models.values() if m.name in used],
        "uses_doubles": any(p["reals"] == "doubles" and p["bias_offset"] is not None for p in running),
        "any_direct": any(p["direct"] for p in running),
        "populations": running,
    }


def input_words(network: Network, given: NetworkInput, words: Words) -> Context:
    """Return an input, and where the words have its coding and what the model's preprocessing does to it."""
    context = {
        "label": label(given.name),
        "encoder": given.coding.encoder,
        "first": network.drive_columns[given.name].start,
        "size": given.size,
        "coding_offset": words.add_coding(given.coding),
        **input_context(given),
    }
    if not given.transform.rescales:
        return context
    rows = scale_and_shift(given)
    return context | {"num_scales": len(rows), "scales_offset": words.add(rows)}


def output_words(network: Network, words: Words) -> list[Context]:
    """Return the outputs, and where the words have what turns scores into the model's units.

    Returns:
        factors_offset: of the readout's scales, and behind them of what stands for 1 after the first step.
        growth: by how much more than that stands for 1 after so many `steps`, as code behind an expression.
    """
    found: list[Context] = []
    first = 0
    for head in heads_of(network):
        scales = np.atleast_1d(np.asarray(head.readout.scale, np.float64))
        numbers = np.append(scales, head.full_score(1))
        places = {"first": first, "size": head.readout.size, "first_score": head.columns.start}
        growth = GROWTH.get(network.readout, STEADY if network.code.steady else "")
        context = {"num_factors": len(scales), "factors_offset": words.add(numbers), "growth": growth}
        found.append({"label": label(head.name), **places, **context, **cpp_outputs(head)})
        first += head.readout.size
    return found


def population_context(
    network: Network, layout: Layout, number: int, model: ModelContext, words: Words
) -> Context:
    """Return what the templates of every target need of one population."""
    population = network.populations[number]
    bias = population.bias
    into = network.incoming[population.name]
    return {
        "id": f"p{number}",
        "image": layout.images[population.name],
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "model": model,
        "spiking": bool(model.threshold),
        "silent": population.name in network.input_of and network.input_of[population.name].coding.analog,
        "maximum": network.code.staged and population.maximum,
        "params_offset": words.add(values(population, model.params, initial=False)),
        "initial_offset": words.add(values(population, model.state, initial=True)),
        "real": layout.real_of(population),
        "reals": "doubles" if model.real == "double" else "floats",
        "bias_offset": None if bias is None else words.add(bias.astype(population.neuron.real)),
        "has_constant": bias is not None or any(map(network.is_analog, into)),
        "readout": network.readout if population.name in network.score_columns else "",
        "score_first": network.score_columns.get(population.name, NOWHERE).start,
        "drive_first": network.drive_columns.get(population.name, NOWHERE).start,
    }
