"""Check that a network read from a file is one: every field of its type, every array of its shape, all finite.

What kgenn makes itself is not checked; a file may have been changed by hand, and generated code trusts its sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite, prod
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from kgenn.ir.axis_map import AxisMap
from kgenn.ir.connectivity import Connectivity, Convolution, DenseConnectivity, OneToOne, Sparse
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import POTENTIAL, Connection, Network, Population
from kgenn.ir.network_input import NetworkInput
from kgenn.ir.output_activation import FORMULAS, OVER_AXIS, OutputActivation
from kgenn.ir.spike_code import MAX_STEPS
from kgenn.ir.spike_sums import MAX_AMOUNT, Resampling, SpikeSums, SumPool
from kgenn.ir.windows import window_counts

# Neurons of a population: what an index of 32 bits holds.
MAX_INT = (1 << 31) - 1
# Names that generated code spells.
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
MODEL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def check_network(network: Any) -> Network:
    """Return a network.

    Raises:
        ValueError: with the first place that is not as in a network that kgenn wrote.
    """
    if not isinstance(network, Network):
        raise ValueError(f"the network is a {type(network).__name__}")
    for problem in (*_types(network, "network"), *_problems(network)):
        raise ValueError(problem)
    return network


def _types(value: Any, place: str) -> Iterator[str]:
    """Yield the fields that are not of their declared type."""
    hints = get_type_hints(type(value))
    for item in fields(value):
        found, here = getattr(value, item.name), f"{place}.{item.name}"
        if not _conforms(found, hints[item.name]):
            yield f"{here} is {str(found)[:40]!r}"
            return
        for i, inner in enumerate(found if isinstance(found, tuple) else (found,)):
            if is_dataclass(inner):
                yield from _types(inner, f"{here}[{i}]" if isinstance(found, tuple) else here)


def _conforms(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type: of those that the fields of a network have.

    `Array` is compared as a whole: what NumPy builds its type aliases of changes between its releases.
    """
    if hint == Array:
        return isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and bool(np.isfinite(value).all())
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_conforms(value, each) for each in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        same = len(inner) == 2 and inner[1] is ...
        kinds = inner[:1] * len(value) if same and isinstance(value, tuple) else inner
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_conforms, value, kinds))
    if origin is Mapping:
        entries = value.items() if isinstance(value, dict) else [(None, None)]
        return all(_conforms(k, inner[0]) and _conforms(v, inner[1]) for k, v in entries)
    if hint in (int, float):
        number = isinstance(value, int | float if hint is float else int) and not isinstance(value, bool)
        return number and abs(value) < 2**63 and isfinite(value)
    return isinstance(value, hint) and (hint is not str or len(value) < 10_000)


def _problems(network: Network) -> Iterator[str]:
    """Yield what does not fit together."""
    if not network.populations or network.num_timesteps < 1 or network.levels < 1:
        yield "the network has no population or no timestep"
        return
    if network.num_timesteps > MAX_STEPS:
        yield f"the network has {network.num_timesteps} timesteps, more than {MAX_STEPS}"
    for population in network.populations:
        yield from (f"population {population.name!r} {what}" for what in _population(population))
    if not network.inputs or not network.outputs:
        yield "the network has no input or no output"
        return
    if any(not _is_shape(p.shape) for p in network.populations) or any(
        not _is_shape(i.shape) for i in network.inputs
    ):
        return
    for given in network.inputs:
        yield from (f"input {given.name!r} {what}" for what in _input(given, network.by_name[given.name]))
    if network.changing and not network.code.steady:
        yield f"an input changes with time, which the code {network.code_name} does not know"
    if network.code.staged and any(p.potential is not None for p in network.populations):
        yield f"a population has potentials of its own, which the code {network.code_name} does not know"
    for output in network.outputs:
        for activation in output.activations:
            yield from _activation(activation, len(network.by_name[output.population].shape))
    for c in network.connections:
        sizes = network.by_name[c.source].size, network.by_name[c.target].size
        yield from (f"the connection from {c.source!r} to {c.target!r} {what}" for what in _connection(c, *sizes))


def _population(population: Population) -> Iterator[str]:
    model = population.neuron
    names = [*model.params, *model.state, *model.locals]
    if not MODEL_NAME.fullmatch(model.name):
        yield "has a neuron model whose name generated code cannot hold"
    if not all(map(IDENTIFIER.fullmatch, names)) or len(set(names)) < len(names):
        yield "has a parameter or a variable whose name generated code cannot hold"
    if not population.params.keys() <= model.params.keys() or not population.initial.keys() <= model.state.keys():
        yield "has a value for a parameter or variable that its neuron model lacks"
    if not _is_shape(population.shape):
        yield f"has the shape {population.shape}"
    elif population.bias is not None and population.bias.shape != (population.size,):
        yield f"has a bias of shape {population.bias.shape}"
    if population.potential is not None:
        yield from _potential(population, population.potential)
    if population.copies < 1 or (population.shape and population.shape[-1] % population.copies):
        yield f"has {population.copies} neurons for each value, which its channels are no multiple of"
    for array in (population.scale, population.cap):
        if array is not None and array.shape not in ((), population.shape[-1:]):
            yield f"has a scale or cap of shape {array.shape}"


def _potential(population: Population, potential: Array) -> Iterator[str]:
    if next(iter(population.neuron.state), None) != POTENTIAL:
        yield f"has potentials of neurons whose first variable is not {POTENTIAL}"
    if potential.shape != (population.size,) or potential.dtype != np.float32:
        yield f"has potentials of shape {potential.shape} and type {potential.dtype}"


def _input(given: NetworkInput, population: Population) -> Iterator[str]:
    axes, shape = given.transform.axes, given.shape
    if sorted(axes) != list(range(len(shape))) or prod(shape) != population.size:
        yield f"of shape {shape} does not fit its population"
        return
    moved = tuple(shape[axis] for axis in axes)
    for array in (given.transform.scale, given.transform.shift):
        if array.ndim > len(moved) or np.broadcast_shapes(array.shape, moved) != moved:
            yield f"of shape {moved} is transformed by an array of shape {array.shape}"
    if given.coding.levels < 1 or given.coding.low > given.coding.high:
        yield "has a coding without levels, or without a range"


def _activation(activation: OutputActivation, rank: int) -> Iterator[str]:
    name, params = activation.name, activation.params
    if name in OVER_AXIS:
        known = params.keys() == {"axis"} and params["axis"] in range(-rank, 0)
    else:
        known = name in FORMULAS and params.keys() <= FORMULAS[name].params.keys()
    if not known:
        yield f"the output activation {name!r} with {dict(params)} is none that kgenn has"


def _connection(connection: Connection, source: int, target: int) -> Iterator[str]:
    kind, pool = connection.connectivity, connection.pool
    problem = _CHECKS[type(kind)](kind) or (_sums(pool) if pool else "")
    if problem:
        yield problem
        return
    before = kind.num_sources if pool is None else prod(pool.in_shape)
    between = kind.num_sources if pool is None else prod(pool.out_shape)
    if (before, between, kind.num_targets) != (source, kind.num_sources, target):
        yield f"maps {before} to {kind.num_targets} values, not {source} to {target}"


def _dense(kind: DenseConnectivity) -> str:
    return "" if kind.weights.ndim == 2 else f"has weights of shape {kind.weights.shape}"


def _one_to_one(kind: OneToOne) -> str:
    return "" if kind.weights.ndim == 1 else f"has weights of shape {kind.weights.shape}"


def _sparse(kind: Sparse) -> str:
    start, indices = kind.indptr, kind.indices
    whole = start.dtype.kind in "iu" and indices.dtype.kind in "iu" and 0 < kind.targets <= MAX_INT
    flat = start.ndim == indices.ndim == kind.weights.ndim == 1 <= start.size and indices.size == kind.weights.size
    if not whole or not flat or start[0] != 0 or start[-1] != indices.size or (start[1:] < start[:-1]).any():
        return "has rows that do not fit its synapses"
    inside = not indices.size or 0 <= indices.min() <= indices.max() < kind.targets
    return "" if inside else "has a target that does not exist"


def _convolution(kind: Convolution) -> str:
    shape, groups = kind.weights.shape, kind.groups
    if not (_is_image(kind.in_shape) and _is_image(kind.out_shape) and len(shape) == 4 and groups > 0):
        return f"is a convolution of {kind.in_shape} to {kind.out_shape} with weights of shape {shape}"
    pairs = (kind.strides, kind.dilation, *kind.pads)
    if len(kind.pads) != 2 or any(len(pair) != 2 for pair in pairs) or min(kind.strides + kind.dilation) < 1:
        return f"has strides {kind.strides}, dilation {kind.dilation} and pads {kind.pads}"
    if any(not 0 <= n <= MAX_INT for pair in pairs for n in pair) or shape[2] * groups != kind.in_shape[2]:
        return f"has {groups} groups, or pads, that do not fit its weights of shape {shape}"
    counts = window_counts(kind.in_shape[:2], shape[:2], kind.strides, kind.dilation, kind.pads)
    inside = all(n <= count for n, count in zip(kind.out_shape[:2], counts, strict=True))
    fits = inside and shape[3] == kind.out_shape[2] and shape[3] % groups == 0
    return "" if fits else f"has no targets {kind.out_shape}"


def _sums(kind: SpikeSums) -> str:
    if not (_is_image(kind.in_shape) and _is_image(kind.out_shape) and kind.in_shape[2] == kind.out_shape[2]):
        return f"sums {kind.in_shape} to {kind.out_shape}"
    problem: str = _SUMS[type(kind)](kind)
    return problem


def _resampling(kind: Resampling) -> str:
    for line, size, positions in zip((kind.rows, kind.columns), kind.in_shape, kind.out_shape, strict=False):
        if not _is_axis_map(line, size, positions):
            return f"maps an axis of {size} positions to {positions} from outside it"
    return "" if kind.largest <= MAX_AMOUNT else f"counts spikes more than {MAX_AMOUNT:,} times"


def _is_axis_map(line: AxisMap, size: int, positions: int) -> bool:
    start, taps = line.start, line.taps
    if start.dtype != np.int32 or taps.dtype != np.int32 or start.shape != (positions,) or taps.ndim != 2:
        return False
    fits = len(taps) == positions and 1 <= taps.shape[1] <= size
    return fits and bool(0 <= start.min() <= start.max() <= size - taps.shape[1] and taps.min() >= 0)


def _pool(kind: SumPool) -> str:
    if not (_is_shape(kind.size) and _is_shape(kind.strides) and len(kind.size) == len(kind.strides) == 2):
        return f"sums windows of {kind.size} at every {kind.strides}"
    counts = window_counts(kind.in_shape[:2], kind.size, kind.strides, (1, 1), ((0, 0), (0, 0)))
    return "" if all(map(int.__le__, kind.out_shape[:2], counts)) else f"sums windows to {kind.out_shape}"


_CHECKS: Mapping[type[Connectivity], Any] = {
    Convolution: _convolution,
    DenseConnectivity: _dense,
    OneToOne: _one_to_one,
    Sparse: _sparse,
}
_SUMS: Mapping[type[SpikeSums], Any] = {Resampling: _resampling, SumPool: _pool}


def _is_shape(shape: Shape) -> bool:
    return bool(shape) and all(1 <= n <= MAX_INT for n in shape) and prod(shape) <= MAX_INT


def _is_image(shape: Shape) -> bool:
    return len(shape) == 3 and _is_shape(shape)
