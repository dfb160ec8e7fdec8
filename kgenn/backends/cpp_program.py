"""Write a network as a self-contained C++ program, which needs a compiler and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.cpp_connections import Links
from kgenn.backends.cpp_layout import Layout
from kgenn.backends.cpp_neurons import ModelContext, model_context
from kgenn.backends.render import label, render, without_comments
from kgenn.backends.words import Words, values
from kgenn.ir.network import Network, Population
from kgenn.ir.spike_code import CodeName

# What a neuron's spikes are worth together, for the header.
WORTH_NOTES: Mapping[CodeName, str] = {
    "rate": "1 each",
    "binary": "2^(T - 1 - t) each",
    "latency": "T - t each",
    "differential": "1 each",
}

PRODUCT = ("product.hpp", "product.cpp", "simd.hpp", "tiles.hpp")
RUNTIME = (*PRODUCT, "values.hpp", "connections.hpp", "neurons.hpp", "population.hpp", "direct.hpp")
FILES = ("network.cpp", "kgenn_network.h", *RUNTIME, "main.cpp", "CMakeLists.txt")
WEIGHTS = "weights.bin"


def emit_cpp(network: Network) -> Program:
    """Return the program: sources that depend on the network's structure alone, and its words."""
    words = Words()
    context = network_context(network, words)
    # a checksum of the structure ties weights.bin to the sources
    blank = render("cpp/network.cpp.j2", {**context, "structure": 0})
    context["structure"] = zlib.crc32(without_comments(blank))
    files = {name: render(f"cpp/{name}.j2", context) for name in FILES}
    return Program({**files, WEIGHTS: words.finish(network, context["structure"])})


def network_context(network: Network, words: Words) -> dict[str, Any]:
    """Return everything the templates need, adding the network's arrays to `words` on the way."""
    models = {p.neuron.name: model_context(p.neuron) for p in network.populations}
    staged = network.code.staged
    layout = Layout(network)
    first = 0
    populations = []
    for number, population in enumerate(network.populations):
        links = Links(network, layout, population, words)
        context = population_context(network, population, number, models[population.neuron.name], links, words)
        context["first"], context["last"] = first, first + population.size - 1
        first += population.size if context["spiking"] else 0
        populations.append(context)
    running = [p for p in populations if not p["silent"]]
    used = {p["model"].name for p in running if not p["maximum"]}
    worths = network.code.worth(network.num_timesteps).tolist() if staged else []
    events = [c for p in running for c in p["events"]]
    return {
        "version": __version__,
        "title": label(network.name),
        "num_inputs": network.populations[0].size,
        "input_shape": " x ".join(map(str, network.populations[0].shape)),
        "input_note": f"encoder {network.coding.encoder}, {network.coding.low:g} to {network.coding.high:g}",
        "num_classes": network.populations[-1].size,
        "num_neurons": first,
        "num_connections": max(1, len(events)),
        "connections": events,
        "staged": staged,
        "steady": network.code.steady,
        "code": network.code_name,
        "steps": network.num_timesteps if staged else 0,
        "worths": worths,
        "real": "double" if staged else "float",
        "value_type": layout.images[network.populations[0].name].type if staged else "int8_t",
        "worth_note": WORTH_NOTES[network.code_name],
        "counts_readout": network.readout == "spike-count",
        "num_words": words.size,
        "models": [m for m in models.values() if m.name in used],
        "geometries": [g for p in running for g in p["geometries"]],
        "any_direct": any(p["direct"] for p in running),
        "populations": running,
        "largest": max(p["site"] for p in running),
    }


def population_context(
    network: Network, population: Population, number: int, model: ModelContext, links: Links, words: Words
) -> dict[str, Any]:
    """Return what the templates need of one population and the connections into it."""
    bias, image = population.bias, links.layout.images[population.name]
    is_input, is_readout = population is network.populations[0], population is network.populations[-1]
    staged = network.code.staged
    real = "double" if staged else "float"
    # what sends whole trains computes them in one go
    num_states = 0 if staged and model.threshold else len(model.state)
    flags = ", ".join(str(flag).lower() for flag in (population.neuron.valued, population.neuron.graded))
    params = words.add(values(population, model.params, initial=False))
    context = {
        "id": f"p{number}",
        "type": f"Population<{image.type}, {model.real}, {num_states}, {flags}>",
        "extent": f"kExtent{number}",
        "layout": image.numbers,
        "pixels": image.pixels,
        "site": image.pixels * image.shape[2],
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "model": model,
        "spiking": bool(model.threshold),
        "silent": is_input and network.coding.analog,
        "maximum": staged and population.maximum,
        "direct": links.direct,
        "events": links.events,
        "stages": links.stages,
        "geometries": links.geometries,
        "params_offset": params,
        "initial_offset": words.add(values(population, model.state, initial=True)),
        "bias_offset": None if bias is None else words.add(bias.astype("float32")),
        "has_constant": bias is not None or bool(links.direct),
        "readout": network.readout if is_readout else "",
    }
    # a steady current alone is read where it is; what a stage sends has heard what came before
    alone = context["has_constant"] if network.code.steady else staged and context["spiking"]
    needs_current = bool(links.events) or not alone
    current = "current + lane * site.size" if needs_current else "p.constant(s, site.first)"
    spikes = "p.values.at(site.y, lane, site.x)" if model.threshold else "nullptr"
    update = partial(update_call, model, params)
    assert real == "double" or model.real == "float", f"{model.name}: double precision in a synchronous network"
    return {
        **context,
        "needs_current": needs_current,
        "update_call": update(current, spikes),
        "staged_update": update("heard", "nullptr"),
    }


def update_call(model: ModelContext, params: int, current: str, spikes: str) -> str:
    """Return the call that updates the neurons of a site in one lane."""
    arguments = ["site.size", f"net.floats({params})"]
    arguments += [f"p.state({i}, s, site.first)" for i in range(len(model.state))]
    if model.uses_random:
        arguments += ["p.keys(s, site.first)", "time_key(static_cast<uint32_t>(t))"]
    if model.uses_external:
        arguments += ["g.drive + static_cast<size_t>(s) * KGENN_NUM_INPUTS + site.first"]
    if model.uses_timestep:
        arguments += ["t"]
    return f"update_{model.function}({', '.join([*arguments, current, spikes])});"
