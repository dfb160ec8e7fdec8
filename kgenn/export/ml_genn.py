"""mlGeNN: a network as an `ml_genn.Network`, for users who go on with its compilers and callbacks.

What is carried: every connection, with mlGeNN's own connectivity where that is the same map and else as synapses
that the program lists; delays; biases; neuron models, initial potentials and the readout, as GeNN code. Weights
and thresholds are the network's integers. A population works in its own window of steps (see
`kgenn.backends.pipeline`), so that over NUM_STEPS steps mlGeNN gives kgenn's scores, sample after sample; currents
that kgenn adds in float64 are rounded to float32. The program's `outputs` turns scores into the model's outputs,
behind its final activation. Poisson inputs draw mlGeNN's random numbers. An input that changes with time is one of
mlGeNN's with a frame for each timestep.

mlGeNN's IntegrateFire resets to a potential, and its populations have neither biases nor windows: the neurons are
a class of the emitted program, on mlGeNN's own base class. `to_ml_genn` runs that program's `build`, so that the
network in memory and the one in the file are the same.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import ModuleType
from typing import Any

import numpy as np

from kgenn import __version__
from kgenn.backends.base import Program, given_network
from kgenn.backends.genn_names import connection_names, population_names
from kgenn.backends.genn_program import GENN
from kgenn.backends.output_context import python_outputs
from kgenn.backends.render import label, render
from kgenn.diagnostics import fail
from kgenn.export.base import Exporter, optional, refuse
from kgenn.export.ml_genn_synapses import Expression, connectivity, shape_of
from kgenn.ir.graph import Array
from kgenn.ir.network import POTENTIAL, Network, Population
from kgenn.ir.network_input import InputCoding, NetworkInput
from kgenn.ir.neuron_code import Dialect, NeuronModel, expression_of, render_statements
from kgenn.ir.neuron_code import render as render_code
from kgenn.ir.serialise import npz_bytes

INSTALL = "install mlGeNN from source: https://ml-genn.readthedocs.io"
# What else has a name where the program makes its populations, besides neuron models.
RESERVED = frozenset(
    (
        *("Network", "Population", "Connection", "Dynamics", "InputDynamics", "network", "arrays"),
        *("Dense", "AvgPoolDense2D", "OneToOne", "Convolution", "PooledConvolution", "Synapses"),
        *("dense_synapses", "one_to_one_synapses", "sparse_synapses", "convolution_synapses"),
        *("after_pool", "after_resampling", "without_duplicates"),
        *keyword.kwlist,
    )
)
# The variable that has the potential of each neuron at the start of a sample.
START = f"{POTENTIAL}_start"
ADVICE = "use --target genn-cpu or genn-cuda for a program of plain GeNN, which holds every network"


@dataclass(frozen=True)
class Model:
    """A neuron model as the template needs it: names, and code rendered for GeNN."""

    identifier: str
    params: tuple[str, ...]
    state: tuple[str, ...]
    update: tuple[str, ...]
    threshold: str
    reset: tuple[str, ...]
    uses_current: bool
    starts: bool


class MlGenn(Exporter):
    """A Python program that builds an mlGeNN network, and its weights; needs ml_genn to run."""

    def emit(self, network: Network, name: str) -> Program:
        stem = PurePath(name).stem
        weights = f"{stem}.npz"
        if name == weights:
            raise fail("KG606", name, "is the file of the weights", "give a name that ends in .py")
        source, arrays = program(network, weights)
        return Program({name: source, weights: npz_bytes(arrays)})


def to_ml_genn(network: Network) -> tuple[Any, Any, Any]:
    """Return a network as an `ml_genn.Network`, with its input and its output population; dictionaries of several.

    Compile it with `ml_genn.compilers.InferenceCompiler(evaluate_timesteps=n)`, where n is `network.num_timesteps`
    plus the depth of the deepest readout, `max(network.depths[p.name] for p in network.readouts)`.

    Raises:
        KgennError: KG411 with everything that mlGeNN cannot hold, KG508 where `ml_genn` is not installed.
    """
    source, arrays = program(given_network(network), "weights.npz")
    optional("ml_genn", INSTALL)
    module = ModuleType("kgenn_ml_genn")
    exec(compile(source, "<kgenn.to_ml_genn>", "exec"), module.__dict__)
    network_in_memory, first, last = module.build(arrays)
    return network_in_memory, first, last


def program(network: Network, weights: str) -> tuple[bytes, dict[str, Array]]:
    """Return the program's source and the arrays it reads.

    Args:
        weights: the name of the file beside the program that holds the arrays.
    """
    refuse("KG411", ADVICE, obstacles(network))
    arrays: dict[str, Array] = {}
    models = models_of(network)
    names = population_names(network, RESERVED | {model.identifier for model in models.values()})
    expressions = connectivities(network, names)
    for expression in expressions.values():
        arrays |= expression.arrays
    context = {
        "version": __version__,
        "title": label(network.name),
        "weights": repr(weights),
        "inputs": [input_context(i, names[i.name]) for i in network.inputs],
        "num_timesteps": network.num_timesteps,
        "num_steps": network.num_timesteps + max(network.depths[p.name] for p in network.readouts),
        "models": list(dict.fromkeys(models.values())),
        "populations": [
            population_context(network, p, names[p.name], models[p.name], arrays) for p in network.populations
        ],
        "connections": connections(network, names, expressions),
        **parts_of(expressions),
        "outputs": [
            # a readout of mlGeNN has its own scores alone
            {**output, "first": 0, "num_scores": output["num"], "population": names[own.population]}
            for output, own in zip(python_outputs(network), network.outputs, strict=True)
        ],
        "start": START,
        "potential": POTENTIAL,
        "rounded": ", ".join(label(p.name) for p in network.populations if network.has_double_currents(p)),
    }
    return render("ml_genn/model.py.j2", context), arrays


def obstacles(network: Network) -> Iterator[tuple[str, str]]:
    """Yield where and what mlGeNN cannot hold."""
    for given in network.inputs:
        if given.coding.analog:
            what = "is a constant current; mlGeNN's inputs are spikes: compile with --encoder if, poisson or spike"
            yield given.name, what
        if given.transform.transposes or given.transform.rescales:
            what = "is rescaled or transposed by the model; mlGeNN has no preprocessing: train on prepared data"
            yield given.name, what
    if network.code.schedule != "synchronous":
        yield (
            network.name,
            f"has the schedule {network.code.schedule}; mlGeNN's compiler for inference has one step for all",
        )
    for p in network.populations:
        if p.neuron.emit != "1":
            yield p.name, f"has spikes that carry a value ({p.neuron.name}), which mlGeNN gets wrong on GeNN 5"


def models_of(network: Network) -> dict[str, Model]:
    """Return the neuron model of each population by its name; inputs that are coded alike share one."""
    found: dict[str, Model] = {}
    taken: dict[Model, str] = {}
    for p in network.populations:
        given = network.input_of.get(p.name)
        model = model_context(p.neuron, None if given is None else given.coding, p.potential is not None)
        others = [name for other, name in taken.items() if other.identifier == model.identifier]
        if model not in taken:
            taken[model] = model.identifier if not others else f"{model.identifier}_{len(others) + 1}"
        found[p.name] = replace(model, identifier=taken[model])
    return found


def input_context(given: NetworkInput, name: str) -> dict[str, Any]:
    """Return what the template says of an input, whose population has this name in the program."""
    coding = given.coding
    words = {"id": name, "name": ascii(given.name), "label": label(given.name), "changing": given.changing}
    return {**words, "encoder": coding.encoder, "low": coding.low, "high": coding.high}


def model_context(model: NeuronModel, coding: InputCoding | None, starts: bool) -> Model:
    """Render a neuron model for the template.

    Args:
        coding: of the input that drives it, where one does.
        starts: each of its neurons has a potential of its own at the start of a sample.
    """
    names = {"t": "((t / dt) - start)"}
    if coding is not None:
        names["i_ext"] = f"rint(i_ext * {float(coding.levels)!r}f)"
        if coding.binarise is not None:
            names["i_ext"] = f"((i_ext > {float(np.float32(coding.binarise))!r}f) ? 1.0f : 0.0f)"
    dialect = Dialect(GENN.functions, "floor(gennrand_uniform() * 16777216.0f)", names)
    uses_current = "i_syn" in model.used
    return Model(
        identifier=re.sub(r"\W", "_", model.name).upper(),
        params=(*model.params, "start", "stop", *(["bias"] if uses_current else [])),
        state=tuple(model.state),
        update=render_statements(model.update, dialect),
        threshold=render_code(expression_of(model.threshold), dialect) if model.threshold else "",
        reset=render_statements(model.reset, dialect),
        uses_current=uses_current,
        starts=starts,
    )


def population_context(
    network: Network, population: Population, name: str, model: Model, arrays: dict[str, Array]
) -> dict[str, Any]:
    """Return what the template needs of one population, of this name in the program."""
    depth = network.depths[population.name]
    params = {**population.neuron.params, **population.params}
    values = {param: repr(float(params[param])) for param in population.neuron.params}
    values.update(start=repr(float(depth)), stop=repr(float(depth + network.num_timesteps)))
    if model.uses_current:
        values["bias"] = "0.0" if population.bias is None else f'arrays["{name}.bias"]'
    if population.bias is not None:
        arrays[f"{name}.bias"] = population.bias.astype(np.float32)
    starts = {variable: repr(float(value)) for variable, value in population.initial_state.items()}
    if population.potential is not None:
        arrays[f"{name}.potential"] = population.potential
        starts[START] = f'arrays["{name}.potential"]'
    is_last = population in network.readouts
    changing = [given.name for given in network.inputs if given.changing]
    readout = ("spike_count" if network.readout == "spike-count" else "var") if is_last else ""
    return {
        "id": name,
        "label": label(population.name),
        "shape": shape_of(population),
        "model": model.identifier,
        "kind": "InputDynamics" if population.name in network.input_of else "Dynamics",
        "frames": network.num_timesteps if population.name in changing else 0,
        "params": values,
        "state": starts,
        "readout": readout,
    }


def connectivities(network: Network, names: Mapping[str, str]) -> dict[str, Expression]:
    """Return the expression of each connection's connectivity, by the connection's name in the program.

    Args:
        names: of the populations in the program.
    """
    return {
        name: connectivity(name, c, network.by_name[c.source], network.by_name[c.target])
        for name, c in zip(connection_names(network, names), network.connections, strict=True)
    }


def parts_of(expressions: Mapping[str, Expression]) -> dict[str, Any]:
    """Return which classes and functions the program needs for its connectivity."""
    bases = {"Convolution": "Conv2D", "PooledConvolution": "AvgPoolConv2D"}
    called = {e.source.partition("(")[0] for e in expressions.values()}
    return {
        "own": sorted(bases.get(name, name) for name in called - {"Synapses"}),
        "convolutions": not called.isdisjoint(bases),
        "synapses": "Synapses" in called,
        "listed": frozenset[str]().union(*(e.listed for e in expressions.values())),
    }


def connections(
    network: Network, names: Mapping[str, str], expressions: Mapping[str, Expression]
) -> list[dict[str, Any]]:
    """Return what the template needs of every connection."""
    return [
        {
            "id": name,
            "source": names[c.source],
            "target": names[c.target],
            "connectivity": expression.source,
            "delay": network.depths[c.target] - network.depths[c.source] - 1,
        }
        for (name, expression), c in zip(expressions.items(), network.connections, strict=True)
    ]
