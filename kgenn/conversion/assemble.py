"""Assemble a network from a lowered graph and the scale of each population.

A connection from s to l carries W·λ_s/λ_l, the bias of l becomes b/λ_l per step, and the threshold is 1; all
of it then goes to the population's integer grid. Because every connection uses its own source's λ, this holds
for any acyclic graph: an Add is two connections into one population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from kgenn.conversion.base import Converter
from kgenn.conversion.compose import compose
from kgenn.conversion.grid import LARGEST_READOUT_UNIT, LARGEST_UNIT, Gridded, to_grid
from kgenn.conversion.neurons import ACCUMULATE, ACCUMULATE_LATE
from kgenn.conversion.paths import Path, constant_of, is_population, paths_into
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Graph, Input, Node
from kgenn.ir.network import Connection, InputCoding, InputTransform, Network, Population, ReadoutKind
from kgenn.ir.neuron_code import NeuronModel
from kgenn.layers.affine import Affine
from kgenn.layers.shape import Permute


@dataclass(frozen=True, eq=False)
class Incoming:
    """What goes into a population, in units of activation.

    Attributes:
        connections: with weights W·λ_source, float64.
        bias: shape (size,).
    """

    connections: tuple[Connection, ...]
    bias: Array

    def in_thresholds(self, scale: Array) -> tuple[tuple[Connection, ...], Array | None]:
        """Return the connections and the bias divided by the population's λ; None for a bias of zeros."""
        connections = []
        for c in self.connections:
            factors = np.broadcast_to(1.0 / scale, (c.connectivity.num_targets,))
            scaled = c.connectivity.scaled(np.ones(c.connectivity.num_sources), factors)
            connections.append(replace(c, connectivity=scaled))
        bias = self.bias / scale
        return tuple(connections), bias if bias.any() else None


@dataclass(frozen=True, eq=False)
class Assembler:
    """What the steps of the assembly share.

    Attributes:
        graph: lowered, with one input and one output.
        converter, coding: the method and the input coding.
        scales: λ of each population's node, shape () or (channels,).
    """

    graph: Graph
    converter: Converter
    coding: InputCoding
    scales: Mapping[str, Array]

    def scale_of(self, name: str) -> Array:
        """Return λ of each neuron of a population, flat."""
        return np.broadcast_to(self.scales[name], self.graph.shapes[name]).ravel()

    def connection(self, path: Path, end: str, target: str) -> Connection:
        """Return a path as a connection with weights W·λ_source, not yet divided by the target's λ."""
        pool, connectivity = compose(path, self.graph.by_name[end].origin or end)
        scale = np.broadcast_to(self.scales[path.source], path.shape if pool is None else pool.out_shape).ravel()
        scaled = connectivity.scaled(scale, np.ones(connectivity.num_targets))
        return Connection(population_name(self.graph, path.source), target, scaled, pool)

    def incoming(self, end: str, target: str) -> Incoming:
        """Return what goes into a population; `end` is the node whose value its neurons integrate."""
        paths = paths_into(self.graph, end)
        connections = tuple(self.connection(path, end, target) for path in paths)
        return Incoming(connections, constant_of(self.graph, end).ravel())

    def on_grid(self, name: str, incoming: Incoming, scale: Array, largest_unit: int) -> Gridded:
        """Return a population's connections and bias on its grid, for its λ, flat or one value."""
        connections, bias = incoming.in_thresholds(scale)
        first = population_name(self.graph, self.graph.inputs[0])
        widest = max(abs(self.coding.low), abs(self.coding.high)) if self.coding.analog else 1.0
        amplitudes = [widest if c.source == first else 1.0 for c in connections]
        return to_grid(name, connections, bias, amplitudes, largest_unit)

    def spiking(self, node: Node) -> tuple[Population, Gridded]:
        """Return the population of a ReLU with what goes into it."""
        name, shape = population_name(self.graph, node.name), self.graph.shapes[node.name]
        gridded = self.on_grid(name, self.incoming(node.inputs[0], name), self.scale_of(node.name), LARGEST_UNIT)
        params = {"v_thresh": float(gridded.unit)}
        initial = {"v": float(np.floor(self.converter.initial_v * gridded.unit))}
        scale = np.asarray(self.scales[node.name], np.float64)
        neuron = self.converter.neuron
        return Population(name, shape, neuron, params, initial, gridded.bias, gridded.unit, scale), gridded

    def accumulating(self, name: str, neuron: NeuronModel) -> tuple[Population, Gridded]:
        """Return the readout that integrates the output node's value, with what goes into it."""
        incoming = self.incoming(name, name)
        # the largest possible current is one unit, whatever the logits' range
        total = sum((c.magnitude() for c in incoming.connections), np.abs(incoming.bias))
        scale = np.asarray(max(float(np.max(total)), 1e-30))
        gridded = self.on_grid(name, incoming, scale, LARGEST_READOUT_UNIT)
        shape = self.graph.shapes[name]
        return Population(name, shape, neuron, {}, {}, gridded.bias, gridded.unit, scale), gridded


def population_name(graph: Graph, node: str) -> str:
    """Return the name of a node's population: that of the Keras layer, where its ReLU was part of one."""
    return node.removesuffix("/relu") if node.endswith("/relu") else node


def assemble(
    graph: Graph,
    converter: Converter,
    encoder: Encoder,
    calibration: Array,
    num_timesteps: int,
    readout: ReadoutKind,
    seed: int,
) -> tuple[Network, Mapping[str, float]]:
    """Convert a lowered graph with one input and one output.

    Args:
        calibration: inputs as the user gives them, shape (N, *input shape).
        num_timesteps: T.
        readout: "spike-count" where the output is a ReLU, else one of the others.
        seed: of the encoder's random numbers.

    Returns:
        The network, and for each population the worst relative rounding of its weights to the grid.
    """
    (input_name,), (output_name,) = graph.inputs, graph.outputs
    transform = input_transform(graph)
    coding = encoder.coding(transform.apply(np.asarray(calibration)))
    ones = {input_name: np.ones(())}
    assembler = Assembler(graph, converter, coding, {**ones, **converter.scales(graph, calibration)})
    populations = [encoder.population(input_name, graph.shapes[input_name])]
    connections: list[Connection] = []
    rounding: dict[str, float] = {}
    nodes = [n for n in graph.nodes if is_population(n) and not isinstance(n.layer, Input)]
    made = [assembler.spiking(node) for node in nodes]
    assert is_population(graph.by_name[output_name]) == (readout == "spike-count")
    if readout != "spike-count":
        neuron = ACCUMULATE if readout == "current" else ACCUMULATE_LATE
        made.append(assembler.accumulating(output_name, neuron))
    for population, gridded in made:
        populations.append(population)
        connections.extend(gridded.connections)
        rounding[population.name] = max(gridded.rounding, default=0.0)
    network = Network(
        name=graph.name,
        populations=tuple(populations),
        connections=tuple(connections),
        input_shape=graph.input_shape,
        transform=transform,
        coding=coding,
        readout=readout,
        num_timesteps=num_timesteps,
        seed=seed,
        ann_macs=graph.macs,
    )
    return network, rounding


def input_transform(graph: Graph) -> InputTransform:
    """Return what the graph's input does on the host, as one transposition and one affine map."""
    layer = graph.by_name[graph.inputs[0]].layer
    assert isinstance(layer, Input)
    shape = layer.shape
    axes = tuple(range(len(shape)))
    scale, shift = np.ones(()), np.zeros(())
    for step in layer.preprocessing:
        if isinstance(step, Permute):
            axes = tuple(axes[a] for a in step.axes)
            moved = [np.broadcast_to(a, shape).transpose(step.axes) if a.ndim else a for a in (scale, shift)]
            scale, shift = moved
        else:
            assert isinstance(step, Affine)
            factor, offset = step.scale_shift()
            scale, shift = scale * factor, shift * factor + offset
        shape = step.output_shape(shape)
    return InputTransform(axes, np.array(scale), np.array(shift))
