"""Write a network as a Python program for GeNN, which needs pygenn and NumPy and no kgenn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.genn_connectivity import Device, storage
from kgenn.backends.neuron_models import ModelContext, model_context
from kgenn.backends.output_context import python_outputs
from kgenn.backends.render import label, render
from kgenn.backends.weights_file import values
from kgenn.ir.connectivity import Convolution, Dense, OneToOne, Sparse
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.neuron_code import Dialect
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
    names={"t": "(t - start)"},
)
LISTENING = replace(GENN, names={"t": "(t - start + (stop - start))"})
# What a spike adds to the worth of its neuron's spikes, `value` of it, and what happens to that before each step.
WORTH: Mapping[CodeName, tuple[str, str]] = {
    "rate": ("{0}", ""),
    "binary": ("{0}", "worth = worth + worth;"),
    "latency": ("{0} * (stop - t)", ""),
    "differential": ("{0}", ""),
}
BACKENDS: Mapping[Device, str] = {"cpu": "single_threaded_cpu", "cuda": "cuda"}
# GeNN's CPU backend simulates one sample at a time.
BATCH_SIZES: Mapping[Device, int] = {"cpu": 1, "cuda": 64}
MODEL = "model.py"
WEIGHTS = "weights.npz"


def emit_genn(network: Network, device: Device) -> Program:
    """Return the program: model.py, and weights.npz with the arrays it reads."""
    arrays: dict[str, Array] = {}
    context = network_context(network, device, arrays)
    return Program({MODEL: render("pygenn/model.py.j2", context), WEIGHTS: npz_bytes(arrays)})


def network_context(network: Network, device: Device, arrays: dict[str, Array]) -> dict[str, Any]:
    """Return everything the template needs, adding what it reads at run time to `arrays`."""
    running = [p for p in network.populations if not (p is network.populations[0] and network.coding.analog)]
    names = [p.name for p in network.populations]
    # GeNN's synapses add up in the precision of the whole model
    precision = "double" if any(network.has_double_currents(p) for p in running) else "float"
    reals = {"single": "scalar" if precision == "float" else "float", "double": "double"}
    models = {p.neuron.name: model_context(p.neuron, GENN, reals, LISTENING) for p in running}
    populations = [population_context(network, p, models[p.neuron.name], arrays) for p in running]
    connections = [
        connection_context(network, number, c, device, arrays) for number, c in enumerate(network.connections)
    ]
    coding, readout, timing = network.coding, populations[-1], Timing(network)
    worth, before = WORTH[network.code_name]
    identifiers = {p.name: f"p{names.index(p.name)}" for p in network.spiking}
    return {
        "version": __version__,
        "title": label(network.name),
        "backend": BACKENDS[device],
        "precision": precision,
        "batch_size": BATCH_SIZES[device],
        "input_shape": network.populations[0].shape,
        "input_note": f"encoder {coding.encoder}, {coding.low:g} to {coding.high:g}",
        "input_size": network.populations[0].size,
        "num_timesteps": network.num_timesteps,
        "staged": network.code.staged,
        "steady": network.code.steady,
        "worth": worth,
        "before_worth": before,
        "num_steps": timing.num_steps,
        "readout_start": timing.start(network.populations[-1].name),
        "seed": network.seed & 0xFFFFFFFF,
        "levels": coding.levels,
        "low": coding.low,
        "high": coding.high,
        "binary": coding.binary,
        "binarise": coding.binarise,
        "models": list(models.values()),
        "populations": populations,
        "connections": connections,
        "uses_random": any(m.uses_random for m in models.values()),
        "uses_toeplitz": any(c["matrix"] == "TOEPLITZ" for c in connections),
        "uses_values": any(m.valued for m in models.values()),
        "valued_ids": [identifiers[p.name] for p in network.spiking if models[p.neuron.name].valued],
        "spiking_ids": list(identifiers.values()),
        "outputs": python_outputs(network),
        "readout_id": readout["id"],
        "readout_variable": "num_spikes" if network.readout == "spike-count" else "v",
        "starts": {identifiers[p.name]: timing.start(p.name) for p in network.spiking},
    }


def population_context(
    network: Network, population: Population, model: ModelContext, arrays: dict[str, Array]
) -> dict[str, Any]:
    """Return what the template needs of one population."""
    identifier = f"p{network.populations.index(population)}"
    incoming = network.incoming[population.name]
    direct = [network.connections.index(c) for c in incoming if network.is_analog(c)]
    arrays[f"{identifier}.params"] = values(population, model.params, initial=False)
    if population.bias is not None:
        arrays[f"{identifier}.bias"] = population.bias.astype(population.neuron.real)
    neuron = population.neuron
    kept = model.state
    state = dict(zip(kept, map(float, values(population, kept, initial=True)), strict=True))
    state |= dict.fromkeys(neuron.locals, 0.0)
    counted = {"num_spikes": 0.0, "worth": 0.0} if model.threshold else {}
    return {
        "id": identifier,
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "model": model,
        "start": Timing(network).start(population.name),
        "initial": {**state, **counted},
        "variables": variables(identifier, population, model),
        "direct": direct,
        "has_bias": population.bias is not None,
    }


def variables(identifier: str, population: Population, model: ModelContext) -> str:
    """Return the keyword arguments for the variables that are not set at the start of each sample."""
    given = {}
    if model.uses_current:
        given["constant"] = "0.0" if population.bias is None else f'self.arrays["{identifier}.bias"]'
    if model.uses_external:
        given["i_ext"] = "0.0"
    if model.uses_random:
        given.update(key="0", random="0.0")
    if model.valued:
        given["value"] = "0.0"
    return "".join(f", {name}={value}" for name, value in given.items())


def connection_context(
    network: Network, number: int, connection: Connection, device: Device, arrays: dict[str, Array]
) -> dict[str, Any]:
    """Return what the template needs of one connection."""
    names = [p.name for p in network.populations]
    source, target = (names.index(name) for name in (connection.source, connection.target))
    direct = network.is_analog(connection)
    matrix = "" if direct else storage(connection, device).matrix
    delay = 0 if direct else Timing(network).travel(connection) - 1
    valued = network.populations[source].neuron.valued
    arrays[f"c{number}"] = connection.connectivity.weights.astype(np.float32)
    synapses = f"synapses_{number}(self.arrays)"
    connectivity = ""
    if matrix == "DENSE":
        synapses = f'(None, None, self.arrays["c{number}"].ravel())'
    if matrix == "TOEPLITZ":
        synapses = f'(None, None, self.arrays["c{number}"].ravel())'
        connectivity = f", {toeplitz(connection)}"
    arguments = f'{number}, "{matrix}", "p{source}", "p{target}", {synapses}, {delay}'
    return {
        "number": number,
        "label": f"{label(connection.source)} to {label(connection.target)}: {kind(connection)}",
        "direct": direct,
        "matrix": matrix,
        "synapses": synapse_lines(number, connection, arrays),
        "connect": f"self._connect({arguments}, {'valued' if valued else 'weighted'}{connectivity})",
    }


def kind(connection: Connection) -> str:
    """Return a connection's kind in words, for comments."""
    words = type(connection.connectivity).__name__.lower()
    return words if connection.pool is None else f"sums of windows, {words}"


def toeplitz(connection: Connection) -> str:
    """Return the expression that makes a convolution of Toeplitz diagonals."""
    conv = connection.connectivity
    assert isinstance(conv, Convolution)
    (height, width), (rows, columns, channels) = conv.weights.shape[:2], conv.in_shape
    out = conv.out_shape
    sizes = {"kh": height, "kw": width, "ih": rows, "iw": columns, "ic": channels, "oh": out[0], "ow": out[1]}
    # the snippet puts tap (row, column) of the kernel's mirror image at a spike plus (row, column)
    pads = {"oc": out[2], "top": conv.pads[0][0], "left": conv.pads[1][0]}
    return f"init_toeplitz_connectivity(convolution_diagonals, {sizes | pads})"


def synapse_lines(number: int, connection: Connection, arrays: dict[str, Array]) -> list[str]:
    """Return the body of the function that lists a connection's synapses."""
    match connection.connectivity:
        case Dense() as dense:
            sizes = (dense.num_sources, dense.num_targets)
            lines = [f"source, target = (axis.ravel() for axis in np.indices({sizes}))"]
            lines += [f'synapses = source, target, arrays["c{number}"].ravel()']
        case OneToOne() as one:
            lines = [
                f"neurons = np.arange({one.num_sources})",
                f'synapses = neurons, neurons, arrays["c{number}"]',
            ]
        case Sparse() as sparse:
            arrays[f"c{number}.length"] = np.diff(sparse.indptr).astype(np.int64)
            arrays[f"c{number}.target"] = sparse.indices
            lines = [f'source = np.repeat(np.arange({sparse.num_sources}), arrays["c{number}.length"])']
            lines += [f'synapses = source, arrays["c{number}.target"], arrays["c{number}"]']
        case Convolution() as conv:
            before = tuple(low for low, _ in conv.pads)
            options = (conv.in_shape, conv.out_shape, conv.strides, before, conv.dilation, conv.groups)
            lines = [f'synapses = convolution(arrays["c{number}"], {", ".join(map(str, options))})']
        case other:
            raise AssertionError(f"no GeNN for {type(other).__name__}")
    pool = connection.pool
    if pool is not None:
        lines.append(
            f"synapses = after_pool(synapses, {pool.in_shape}, {pool.out_shape}, {pool.size}, {pool.strides})"
        )
    return [*lines[:-1], lines[-1].replace("synapses = ", "return ", 1)]
