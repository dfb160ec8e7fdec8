"""What the templates of integer C say of a network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kgenn import __version__
from kgenn.backends.output_context import OutputExpressions, output_expressions
from kgenn.backends.render import label
from kgenn.export.c_arrays import ConstantArrays, table_lines, whole_type
from kgenn.export.c_bytes import byte_levels, meaning_of_bytes
from kgenn.export.integer_code import arithmetic_of
from kgenn.ir.connectivity import Connectivity, Convolution, Sparse
from kgenn.ir.network import POTENTIAL, Connection, Network, Population
from kgenn.ir.output_end import ClassLayout
from kgenn.ir.scores import Head, heads_of
from kgenn.ir.spike_sums import Resampling, SumPool

Context = dict[str, Any]


def c_context(network: Network) -> Context:
    """Return everything that the templates need."""
    arrays = ConstantArrays()
    levels = byte_levels(network)
    running = [p for p in network.populations if p.name not in network.input_of or not _is_analog(network, p)]
    populations = [_population(network, p, arrays) for p in running]
    inputs = [_input(network, number, levels) for number in range(len(network.inputs))]
    events = [c for p in populations for c in p["events"]]
    return {
        "version": __version__,
        "title": label(network.name),
        "num_inputs": network.num_inputs,
        "num_classes": network.num_scores,
        "num_timesteps": network.num_timesteps,
        "seed": network.seed & 0xFFFFFFFF,
        "inputs": inputs,
        "outputs": [_output(head) for head in heads_of(network)],
        "bytes": meaning_of_bytes(network) if levels else "",
        "grid": "an integer of the encoder's grid, rint(x * levels) of what the model's first weights take",
        "members": list(_members(network, running, populations, events)),
        "arrays": arrays.items,
        "populations": populations,
        "readouts": list(_readouts(network)),
        "sums": _sums_type(network),
        "holds": any(p["uses_external"] for p in populations),
        "rounds": any(p["rounds"] for p in populations),
        "uses_random": any(p["uses_random"] for p in populations),
    }


def _is_analog(network: Network, population: Population) -> bool:
    return network.input_of[population.name].coding.analog


def _identifier(network: Network, name: str) -> str:
    return f"p{[p.name for p in network.populations].index(name)}"


def _population(network: Network, population: Population, arrays: ConstantArrays) -> Context:
    model, name = population.neuron, _identifier(network, population.name)
    given = network.input_of.get(population.name)
    largest = 0.0 if given is None else max(abs(given.coding.low), abs(given.coding.high)) * given.coding.levels
    arithmetic = arithmetic_of(network, population, largest)
    into = network.incoming[population.name]
    direct = [_connection(network, c, arrays) for c in into if network.is_analog(c)]
    has_bias = population.bias is not None
    if population.bias is not None:
        arrays.add(f"{name}_bias", population.bias, f"bias of {label(population.name)}", "int32_t")
    if population.potential is not None:
        arrays.add(f"{name}_potential", population.potential, f"potentials of {label(population.name)}", "int32_t")
    return {
        "id": name,
        "label": label(population.name),
        "shape": " x ".join(map(str, population.shape)),
        "size": population.size,
        "potential": "" if population.potential is None else f"kgenn_{name}_potential[i]",
        "model": model.name,
        "real": arithmetic.real,
        "rounds": arithmetic.rounds,
        "params": [(key, int({**model.params, **population.params}[key])) for key in model.params],
        "state": tuple(model.state),
        "locals": model.locals,
        "dynamics": arithmetic.statements(model.update),
        "reset": arithmetic.statements(model.reset),
        "threshold": arithmetic.code(model.threshold) if model.threshold else "",
        "emit": arithmetic.code(model.emit),
        "uses_timestep": "t" in model.used,
        "uses_random": "random24" in model.used,
        "uses_external": "i_ext" in model.used,
        "uses_current": "i_syn" in model.used,
        "events": [_connection(network, c, arrays) for c in into if not network.is_analog(c)],
        "direct": direct,
        "has_bias": has_bias,
        "constant": f"s->{name}_constant[i]" if direct else f"kgenn_{name}_bias[i]" if has_bias else "0",
        "counts": network.readout == "spike-count" and population.name in network.score_columns,
        "input": None if given is None else network.inputs.index(given),
        "first": 0 if given is None else network.drive_columns[population.name].start,
    }


def _connection(network: Network, c: Connection, arrays: ConstantArrays) -> Context:
    kind, number = c.connectivity, network.connections.index(c)
    name, where = f"c{number}", f"from {label(c.source)} to {label(c.target)}"
    context = {
        "name": name,
        "label": f"{where}: {kind.kind}",
        "kind": kind.kind,
        "source": _identifier(network, c.source),
        "sources": kind.num_sources,
        "targets": kind.num_targets,
        "weight": arrays.add(name, kind.weights, f"weights {where}"),
        "pool": None if c.pool is None else _pool(c, name, arrays),
        **_geometry(kind),
    }
    if isinstance(kind, Sparse):
        arrays.add(f"{name}_start", kind.indptr, "the first synapse of each source", "int32_t")
        arrays.add(f"{name}_target", kind.indices, "the target of each synapse", "int32_t")
    if network.is_analog(c):
        levels = network.input_of[c.source].coding.levels
        place = {"input": [i.name for i in network.inputs].index(c.source)}
        context |= {"shift": levels.bit_length() - 1, "half": levels // 2, **place}
        context["first"] = network.drive_columns[c.source].start
    return context


def _geometry(kind: Connectivity) -> Context:
    if not isinstance(kind, Convolution):
        return {}
    (kernel_y, kernel_x, share, _), groups = kind.weights.shape, kind.groups
    return {
        "in": _image(kind.in_shape),
        "out": _image(kind.out_shape),
        "kernel_y": kernel_y,
        "kernel_x": kernel_x,
        "share": share,
        "targets": kind.out_shape[2] // groups,
        "groups": groups,
        "stride_y": kind.strides[0],
        "stride_x": kind.strides[1],
        "dilation_y": kind.dilation[0],
        "dilation_x": kind.dilation[1],
        "pad_y": kind.pads[0][0],
        "pad_x": kind.pads[1][0],
    }


def _image(shape: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("height", "width", "channels"), shape, strict=True))


def _pool(c: Connection, name: str, arrays: ConstantArrays) -> Context:
    pool = c.pool
    assert pool is not None
    context: Context = {"in": _image(pool.in_shape), "out": _image(pool.out_shape), "window": None}
    if isinstance(pool, SumPool):
        return context | {"window": (*pool.size, *pool.strides)}
    assert isinstance(pool, Resampling)
    for axis, kind in enumerate(("rows", "columns")):
        line = pool.axis(axis)
        own = f"{name}_{kind}"
        arrays.add(f"{own}_start", line.start, f"{kind} of a resampling", "int32_t")
        arrays.add(f"{own}_taps", line.taps, f"factors of the {kind}", "int32_t")
        context[kind] = {"name": own, "width": line.taps.shape[1]}
    return context


def _sums_type(network: Network) -> str:
    """Return the type of sums of spikes on the way to weights."""
    pools = [(c.pool, network.by_name[c.source]) for c in network.connections if c.pool is not None]
    largest = max((pool.largest * (127 if p.neuron.valued else 1) for pool, p in pools), default=0)
    return whole_type(-largest, largest)


def _members(
    network: Network, running: list[Population], populations: list[Context], events: list[Context]
) -> Iterator[Context]:
    """Yield the arrays of the state, and what a reset sets them to; None where nothing is to be set."""
    for population, p in zip(running, populations, strict=True):
        for name in p["state"]:
            own = p["potential"] if name == POTENTIAL else ""
            initial = own or int(population.initial_state[name])
            yield {"type": p["real"], "name": f"{p['id']}_{name}", "size": p["size"], "initial": initial}
        if p["direct"]:
            yield {"type": "int32_t", "name": f"{p['id']}_constant", "size": p["size"], "initial": None}
        if p["threshold"]:
            yield {"type": "int8_t", "name": f"{p['id']}_sent", "size": p["size"], "initial": None}
        if p["counts"]:
            yield {"type": "int32_t", "name": f"{p['id']}_count", "size": p["size"], "initial": 0}
    currents = max((p["size"] for p in populations if p["events"]), default=0)
    pooled = [c["pool"]["out"] for c in events if c["pool"]]
    sums = max((image["height"] * image["width"] * image["channels"] for image in pooled), default=0)
    if currents:
        yield {"type": "int32_t", "name": "current", "size": currents, "initial": None}
    if sums:
        yield {"type": _sums_type(network), "name": "sums", "size": sums, "initial": None}
    if any(p["uses_external"] for p in populations):
        yield {"type": "kgenn_value", "name": "held", "size": network.num_inputs, "initial": None}


def _input(network: Network, number: int, levels: list[list[int]] | None) -> Context:
    given = network.inputs[number]
    coding = given.coding
    low, high = (int(np.rint(np.float32(x) * np.float32(coding.levels))) for x in (coding.low, coding.high))
    between = f"input[i] != {low} && input[i] != {high}"
    illegal = between if coding.binary else f"input[i] < {low} || input[i] > {high}"
    return {
        "label": label(given.name),
        "shape": given.shape,
        "encoder": coding.encoder,
        "first": network.drive_columns[given.name].start,
        "size": given.size,
        "illegal": illegal,
        "lines": table_lines(levels[number]) if levels else [],
    }


def _output(head: Head) -> Context:
    chain, code = head.output.activations, output_expressions(head)
    classes = code.classes if _by_scores(head, code) else ClassLayout(0, 0)
    return {
        "label": label(head.name),
        "shape": head.shape,
        "first": head.columns.start,
        "size": head.readout.size,
        "names": ", ".join(a.name for a in chain),
        "task": code.task,
        "classes": classes,
        "statement": _statement(code, classes),
    }


def _by_scores(head: Head, code: OutputExpressions) -> bool:
    """Tell whether the order of scores, or their sign, says the classes of an output."""
    chain = head.output.activations
    if code.classes.predicted > 1 and code.classes.candidates > 1:  # the largest at each position
        return all(a.axis in (None, -1) and a.keeps_order(head.shape[-1:]) for a in chain)
    if code.classes.candidates > 1:
        return head.end.keeps_order
    threshold = {0: 0.0, 1: 0.5}.get(len(chain))
    return code.threshold == threshold and all(a.name == "sigmoid" for a in chain)


def _statement(code: OutputExpressions, classes: ClassLayout) -> str:
    """Return in words what classes the scores of an output say."""
    count, values = classes
    if not count:
        return "none without its final activations" if code.classes.predicted else "none, it predicts values"
    what = "1 if the score is above 0, else 0" if values == 1 else f"the largest of {values} scores"
    return f"{count}, each {what}" if count > 1 else f"1, {what}"


def _readouts(network: Network) -> Iterator[Context]:
    member = "count" if network.readout == "spike-count" else "v"
    for population in network.readouts:
        own = {"member": f"{_identifier(network, population.name)}_{member}", "size": population.size}
        yield {"first": network.score_columns[population.name].start, **own}
