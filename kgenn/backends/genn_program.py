"""Write a network as a Python program for GeNN, which needs pygenn and NumPy and no kgenn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.genn_connections import ConnectionContext, connection_contexts
from kgenn.backends.genn_connectivity import Device, Precision, precision_of, running
from kgenn.backends.genn_names import population_names
from kgenn.backends.input_context import input_expressions, scale_and_shift
from kgenn.backends.neuron_models import ModelContext, model_context
from kgenn.backends.output_context import python_outputs
from kgenn.backends.render import label, render
from kgenn.backends.weights_file import values
from kgenn.ir.graph import Array
from kgenn.ir.network import Network, Population
from kgenn.ir.network_input import NetworkInput
from kgenn.ir.neuron_code import Dialect, NeuronModel
from kgenn.ir.serialise import npz_bytes
from kgenn.ir.spike_code import CodeName
from kgenn.ir.timing import Timing

GENN = Dialect(
    functions={
        "abs": "fabs({0})",
        "min": "fmin({0}, {1})",
        "max": "fmax({0}, {1})",
        "floor": "floor({0})",
        "sign": "(({0} > 0.0f) ? 1.0f : (({0} < 0.0f) ? -1.0f : 0.0f))",
    },
    random="random",
)
STEP, LISTENING_STEP = "(t - start)", "(t - start + (stop - start))"
# What a spike of `value` adds to `train_value`, the value of its neuron's spike train, and what happens to that
# before each step.
TRAIN_VALUE: Mapping[CodeName, tuple[str, str]] = {
    "rate": ("{0}", ""),
    "binary": ("{0}", "train_value = train_value + train_value;"),
    "latency": ("{0} * (stop - t)", ""),
    "differential": ("{0}", ""),
}
BACKENDS: Mapping[Device, str] = {"cpu": "single_threaded_cpu", "cuda": "cuda"}
# GeNN's CPU backend simulates one sample at a time, and its CUDA backend ends the process from 1,024 samples on.
BATCH_SIZES: Mapping[Device, int] = {"cpu": 1, "cuda": 64}
LARGEST_BATCHES: Mapping[Device, int] = {"cpu": 1, "cuda": 1023}
# What `check_arithmetic` starts from, and finds a square inexact and a sum rounded: a = 1 + 2^-12, or 1 + 2^-27.
CHECK_VALUES: Mapping[Precision, str] = {
    "float": '{"a": 1 + 2**-12, "square": 1 + 2**-11, "large": 2**24, "fused": 1.0, "moved": 0.0}',
    "double": '{"a": 1 + 2**-27, "square": 1 + 2**-26, "large": 2**53, "fused": 1.0, "moved": 0.0}',
}
MODEL = "model.py"
WEIGHTS = "weights.npz"


def emit_genn(network: Network, device: Device) -> Program:
    """Return the program: model.py, and weights.npz with the arrays it reads."""
    arrays: dict[str, Array] = {}
    context = network_context(network, device, arrays)
    return Program({MODEL: render("pygenn/model.py.j2", context), WEIGHTS: npz_bytes(arrays)})


def network_context(network: Network, device: Device, arrays: dict[str, Array]) -> dict[str, Any]:
    """Return everything the template needs, adding what it reads at run time to `arrays`."""
    names, precision = population_names(network), precision_of(network)
    reals = {"single": "scalar" if precision == "float" else "float", "double": "double"}
    models = {p.neuron.name: _model(p.neuron, reals, precision) for p in running(network)}
    connections = connection_contexts(network, device, arrays)
    populations = [
        population_context(network, p, models[p.neuron.name], connections, arrays) for p in running(network)
    ]
    timing = Timing(network)
    inputs = [genn_input(given, number, arrays) for number, given in enumerate(network.inputs)]
    train_value, before = TRAIN_VALUE[network.code_name]
    direct = [c for c in connections if c.direct]
    kept = [name for c in direct for name in c.arrays]
    kept += [f"{p['id']}.bias" for p in populations if p["direct"] and p["has_bias"]]
    kept += [f"{p['id']}.potential" for p in populations if p["has_potential"]]
    return {
        "version": __version__,
        "title": label(network.name),
        "backend": BACKENDS[device],
        "precision": precision,
        "batched": device == "cuda",
        "batch_size": BATCH_SIZES[device],
        "largest_batch": LARGEST_BATCHES[device],
        "inputs": inputs,
        "input_size": network.num_inputs,
        "num_timesteps": network.num_timesteps,
        "changes": network.changing,
        "staged": network.code.staged,
        "steady": network.code.steady,
        "train_value": train_value,
        "before_worth": before,
        "num_steps": timing.num_steps,
        "seed": network.seed & 0xFFFFFFFF,
        "models": list(models.values()),
        "populations": populations,
        "connections": connections,
        "taps": device == "cpu",
        "kept": kept,
        "direct": frozenset[str]().union(*(c.uses for c in direct)),
        "listed": frozenset[str]().union(*(c.uses for c in connections if not c.direct)),
        "check_values": CHECK_VALUES[precision],
        "uses_random": any(m.uses_random for m in models.values()),
        "uses_toeplitz": any(c.matrix == "TOEPLITZ" for c in connections),
        "uses_values": any(network.by_name[c.source].neuron.valued for c in network.connections),
        "valued_ids": [names[p.name] for p in network.spiking if models[p.neuron.name].valued],
        "outputs": python_outputs(network),
        "starts": {names[p.name]: timing.start(p.name) for p in network.spiking},
        "readouts": [readout_context(network, p, models[p.neuron.name]) for p in network.readouts],
        "num_scores": network.num_scores,
    }


def genn_input(given: NetworkInput, number: int, arrays: dict[str, Array]) -> dict[str, Any]:
    """Return an input, adding what its preprocessing needs to `arrays`."""
    prefix, coding = f"input{number}" if number else "input", given.coding
    names = {"scale": f"{prefix}.scale", "shift": f"{prefix}.shift"}
    if given.transform.rescales:
        arrays |= zip(names.values(), scale_and_shift(given).T, strict=True)
    codes = ("encoder", "levels", "low", "high", "binarise")
    own = {"name": ascii(given.name), "label": label(given.name), "size": given.size, "changing": given.changing}
    return {**vars(input_expressions(given)), **own, **names, **{code: getattr(coding, code) for code in codes}}


def readout_context(network: Network, readout: Population, model: ModelContext) -> dict[str, Any]:
    """Return where the template finds the scores of a readout."""
    counts = network.readout == "spike-count"
    return {
        "id": population_names(network)[readout.name],
        "variable": "num_spikes" if counts else "v",
        "real": "scalar" if counts else model.real,
        "start": Timing(network).start(readout.name),
        "first": network.score_columns[readout.name].start,
        "size": readout.size,
    }


def columns_of(network: Network, name: str) -> str:
    """Return what takes an input's drive out of that of all, in Python; nothing where it is the only input."""
    if len(network.inputs) == 1 or name not in network.drive_columns:
        return ""
    own = network.drive_columns[name]
    return f"[:, {own.start}:{own.stop}]"


def _model(neuron: NeuronModel, reals: Mapping[str, str], precision: Precision) -> ModelContext:
    """Return a neuron model in GeNN's language.

    GeNN's time has the precision of the whole model, which the neuron's own arithmetic may not have.
    """
    real = reals[neuron.precision]
    own = precision if real == "scalar" else real
    spelled = "{}" if own == precision else f"(({real}){{}})"
    step, listening = (replace(GENN, names={"t": spelled.format(name)}) for name in (STEP, LISTENING_STEP))
    return model_context(neuron, step, reals, listening)


def population_context(
    network: Network,
    population: Population,
    model: ModelContext,
    connections: list[ConnectionContext],
    arrays: dict[str, Array],
) -> dict[str, Any]:
    """Return what the template needs of one population."""
    identifier = population_names(network)[population.name]
    arrays[f"{identifier}.params"] = values(population, model.params, initial=False)
    arrays[f"{identifier}.initial"] = values(population, model.state, initial=True)
    if population.bias is not None:
        arrays[f"{identifier}.bias"] = population.bias.astype(population.neuron.real)
    if population.potential is not None:
        arrays[f"{identifier}.potential"] = population.potential
    return {
        "id": identifier,
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "model": model,
        "start": Timing(network).start(population.name),
        "variables": f', constant=weights["{identifier}.bias"]' if is_biased(population, model) else "",
        "direct": [
            {
                "label": c.label,
                "lines": c.lines,
                "columns": columns_of(network, c.source),
                "levels": network.input_of[c.source].coding.levels,
            }
            for c in connections
            if c.direct and c.target == identifier
        ],
        "has_bias": population.bias is not None,
        "has_potential": population.potential is not None,
        "columns": columns_of(network, population.name),
        "drive_first": network.drive_columns.get(population.name, slice(0, 0)).start,
    }


def is_biased(population: Population, model: ModelContext) -> bool:
    """Tell whether a population's constant current is set when it is made."""
    return model.uses_current and population.bias is not None
