"""Write a network as a self-contained C++ program, which needs a compiler and nothing else."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kgenn import __version__
from kgenn.backends.base import Program
from kgenn.backends.render import label, render, without_comments
from kgenn.backends.words import Words, values, weights
from kgenn.ir.connectivity import Convolution, Dense, OneToOne, Sparse, SumPool
from kgenn.ir.network import Connection, Network, Population
from kgenn.ir.neuron_code import RANDOM, Dialect, NeuronModel, expression_of, render_statements, statements
from kgenn.ir.neuron_code import render as render_code
from kgenn.ir.spike_code import CodeName

# Timesteps that a population runs before the next one does: enough to keep its weights in the cache, few
# enough that the spikes of a block stay there too.
BLOCK = 16

CPP = Dialect(
    functions={
        "abs": "std::fabs({0})",
        "min": "std::fmin({0}, {1})",
        "max": "std::fmax({0}, {1})",
        "floor": "std::floor({0})",
        "sign": "sign({0})",
    },
    random="random24(keys[i], key_of_time)",
)

# What a spike in step t of a block is worth, by spike code.
WORTH: Mapping[CodeName, str] = {
    "rate": "1",
    "binary": "int32_t{1} << (kBlock - 1 - t)",
    "latency": "kBlock - t",
    "differential": "1",
}
WORTH_NOTES: Mapping[CodeName, str] = {
    "rate": "1 each",
    "binary": "2^(T - 1 - t) each",
    "latency": "T - t each",
    "differential": "1 each",
}

FILES = ("network.cpp", "kgenn_network.h", "runtime.hpp", "main.cpp", "CMakeLists.txt")
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


@dataclass(frozen=True)
class ModelContext:
    """A neuron model as the template needs it: names, flags, and rendered code."""

    name: str
    function: str
    real: str
    params: tuple[str, ...]
    state: tuple[str, ...]
    locals: tuple[str, ...]
    integrate: tuple[str, ...]
    update: tuple[str, ...]
    threshold: str
    emit: str
    reset: tuple[tuple[str, str], ...]
    uses_random: bool
    uses_external: bool
    uses_timestep: bool
    uses_current: bool


def model_context(model: NeuronModel) -> ModelContext:
    """Render a neuron model in C++."""
    used = model.used
    return ModelContext(
        name=model.name,
        function=model.name.replace("-", "_"),
        real={"single": "float", "double": "double"}[model.precision],
        params=tuple(model.params),
        state=tuple(model.state),
        locals=model.locals,
        integrate=render_statements(model.integrate, CPP),
        update=render_statements(model.update, CPP),
        threshold=render_code(expression_of(model.threshold), CPP) if model.threshold else "",
        emit=render_code(expression_of(model.emit), CPP),
        reset=tuple((name, render_code(e, CPP)) for name, e in statements(model.reset)),
        uses_random=RANDOM in used,
        uses_external="i_ext" in used,
        uses_timestep="t" in used,
        uses_current="i_syn" in used,
    )


def network_context(network: Network, words: Words) -> dict[str, Any]:
    """Return everything the templates need, adding the network's arrays to `words` on the way."""
    models = {p.neuron.name: model_context(p.neuron) for p in network.populations}
    first = 0
    populations = []
    for number, population in enumerate(network.populations):
        context = population_context(network, population, number, models[population.neuron.name], words)
        context["first"], context["last"] = first, first + population.size - 1
        first += population.size if context["spiking"] else 0
        populations.append(context)
    running = [p for p in populations if not p["silent"]]
    staged = network.code.schedule == "staged"
    return {
        "version": __version__,
        "title": label(network.name),
        "num_inputs": network.populations[0].size,
        "input_shape": " x ".join(map(str, network.populations[0].shape)),
        "input_note": f"encoder {network.coding.encoder}, {network.coding.low:g} to {network.coding.high:g}",
        "num_classes": network.populations[-1].size,
        "num_neurons": first,
        "staged": staged,
        "steady": network.code.steady,
        "block": network.num_timesteps if staged else BLOCK,
        "worth": WORTH[network.code_name],
        "worth_note": WORTH_NOTES[network.code_name],
        "counts_readout": network.readout == "spike-count",
        "num_words": words.size,
        "models": [m for m in models.values() if m.threshold or m.update],
        "populations": running,
        "largest": max(p.size for p in network.populations),
    }


def population_context(
    network: Network, population: Population, number: int, model: ModelContext, words: Words
) -> dict[str, Any]:
    """Return what the templates need of one population and the connections into it."""
    connections = [connection_context(network, c, words) for c in network.incoming[population.name]]
    bias = population.bias
    direct = [c for c in connections if c["direct"]]
    is_input, is_readout = population is network.populations[0], population is network.populations[-1]
    params = words.add(values(population, model.params, initial=False))
    initial = words.add(values(population, model.state, initial=True))
    identifier = f"p{number}"
    return {
        "id": identifier,
        "type": f"P{number}",
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "model": model,
        "spiking": bool(model.threshold),
        "silent": is_input and network.coding.analog,
        "valued": "true" if population.neuron.valued else "false",
        "graded": "true" if population.neuron.graded else "false",
        "incoming": connections,
        "direct": direct,
        "events": [c for c in connections if not c["direct"]],
        "initial_offset": initial,
        "bias_offset": None if bias is None else words.add(bias.astype("float32")),
        "has_constant": bias is not None or bool(direct),
        "integrate_call": integrate_call(model, population.size, params),
        "update_call": update_call(model, population.size, params),
        "readout": network.readout if is_readout else "",
    }


def update_call(model: ModelContext, size: int, params: int) -> str:
    """Return the call that updates a population's neurons."""
    arguments = [str(size), f"net.floats({params})"]
    arguments += [f"p.state[{i}].data()" for i in range(len(model.state))]
    if model.uses_random:
        arguments += ["p.keys.data()", "time_key(static_cast<uint32_t>(first + t))"]
    if model.uses_external:
        arguments += ["drive"]
    if model.uses_timestep:
        arguments += ["first + t"]
    return f"update_{model.function}({', '.join([*arguments, 'current', 'p.spikes.data()'])});"


def integrate_call(model: ModelContext, size: int, params: int) -> str:
    """Return the call that lets a population's neurons listen for a step."""
    state = [f"p.state[{i}].data()" for i in range(len(model.state))]
    return f"integrate_{model.function}({', '.join([str(size), f'net.floats({params})', *state, 'current'])});"


def connection_context(network: Network, connection: Connection, words: Words) -> dict[str, Any]:
    """Return what the templates need of one connection."""
    number = network.connections.index(connection)
    names = [p.name for p in network.populations]
    source = network.populations[names.index(connection.source)]
    name, is_direct = f"C{number}", network.is_analog(connection)
    arrays = {key: words.add(array) for key, array in weights(connection).items()}
    getter = {"start": "ints", "target": "ints", "weights": "floats"}
    pointers = ", ".join(f"net.{getter[key]}({offset})" for key, offset in arrays.items())
    events = f"ws.p{names.index(connection.source)}.events(t)"
    valued = source.neuron.valued
    drive = "drive"
    if connection.pool is not None:
        drive = f"Pool{number}::direct(drive).data()"
        events, valued = f"ws.pool{number}.sum<{str(valued).lower()}>({events})", True
    return {
        "label": f"from {label(connection.source)}: {type(connection.connectivity).__name__}",
        "type": name,
        "cpp_type": connectivity_type(connection),
        "pool": pool_type(connection.pool) if connection.pool else "",
        "pool_type": f"Pool{number}",
        "pool_id": f"pool{number}",
        "direct": is_direct,
        "call": f"{name}::scatter<{str(valued).lower()}>({events}, {pointers}, current);",
        "direct_call": f"{name}::direct({drive}, {pointers}, ws.total.data());",
    }


def connectivity_type(connection: Connection) -> str:
    """Return the C++ type of a connection's connectivity."""
    match connection.connectivity:
        case Dense() as dense:
            return f"Dense<{dense.num_sources}, {dense.num_targets}>"
        case OneToOne() as one:
            return f"OneToOne<{one.num_sources}>"
        case Sparse() as sparse:
            return f"Sparse<{sparse.num_sources}>"
        case Convolution() as conv:
            y, x = (axis_type(conv, axis) for axis in (0, 1))
            channels = f"{conv.in_shape[2]}, {conv.out_shape[2]}, {conv.groups}"
            return f"Convolution<{y}, {x}, {conv.out_shape[1]}, {channels}>"
    raise AssertionError(f"no C++ for {type(connection.connectivity).__name__}")


def axis_type(conv: Convolution, axis: int) -> str:
    """Return the C++ type of one spatial axis of a convolution."""
    sizes = (conv.in_shape[axis], conv.out_shape[axis], conv.weights.shape[axis])
    steps = (conv.strides[axis], conv.pads[axis][0], conv.dilation[axis])
    return f"Axis<{', '.join(map(str, (*sizes, *steps)))}>"


def pool_type(pool: SumPool) -> str:
    """Return the C++ type of a pooling stage."""
    y, x = (
        f"Axis<{pool.in_shape[a]}, {pool.out_shape[a]}, {pool.size[a]}, {pool.strides[a]}, 0, 1>" for a in (0, 1)
    )
    return f"Pool<{y}, {x}, {', '.join(map(str, pool.out_shape))}>"
