"""Assemble a network from a lowered graph and the scale of each population.

A connection from s to l carries W·λ_s/λ_l, and the threshold is 1; all of it then goes to the population's
integer grid. The bias of l becomes b/λ_l per step, or as much as a whole spike train where it flows once. Because
every connection uses its own source's λ, this holds for any acyclic graph: an Add is two connections into one
population.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

import numpy as np

from kgenn.conversion.activations import Moments
from kgenn.conversion.base import Converter, Memoise, Settings, uncached
from kgenn.conversion.compose import compose
from kgenn.conversion.copies import copied, with_copies
from kgenn.conversion.grid import LARGEST_READOUT_UNIT, LARGEST_UNIT
from kgenn.conversion.incoming import Incoming, incoming, population_name
from kgenn.conversion.inflow import Gridded, Inflow
from kgenn.conversion.legality import SpikeLimits, pool_refusals, spikes_of
from kgenn.conversion.max_pool import pool_dynamics, pool_kernel
from kgenn.conversion.neurons import READOUTS, in_double
from kgenn.conversion.outputs import host_activations
from kgenn.conversion.paths import Path
from kgenn.conversion.precision import PIXEL_LEVELS, SourceSignal
from kgenn.conversion.scales import cap_of
from kgenn.conversion.weight_bits import WeightBits, to_grid_of_bits
from kgenn.diagnostics import KgennError
from kgenn.encoders.base import Encoder
from kgenn.ir.graph import Array, Graph, Input, Layer, Node, Shape
from kgenn.ir.network import EXACT, POTENTIAL, Connection, Network, NetworkOutput, Population, ReadoutKind
from kgenn.ir.network_input import InputCoding, InputTransform, NetworkInput
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.samples import Samples
from kgenn.ir.spike_code import SPIKE_CODES, SpikeCode
from kgenn.layers.affine import Affine
from kgenn.layers.conv import Conv
from kgenn.layers.pooling import MaxPool
from kgenn.layers.populations import is_population
from kgenn.layers.shape import Permute

# Timesteps whose rates the grid of a rate code resolves. The network is the same for every T, so that the longest
# simulations that people run decide.
RATE_LEVELS = 1024
Made = tuple[Population, tuple[Connection, ...], float]


@dataclass(frozen=True, eq=False)
class Draft:
    """A network, and for each population the worst relative rounding of its weights to the grid."""

    network: Network
    rounding: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Assembler:
    """What all networks of one model share.

    Attributes:
        graph: lowered.
        converter: the method.
        encoders: of each input, by name.
        inputs: of the network, in order.
        num_timesteps: T.
        seed: of the encoders' random numbers.
        moments: of the values of each population's node on the calibration set.
        memoise: keeps what of connections had to be searched for.
        weight_bits: of the weights that spikes cross; see `kgenn.conversion.weight_bits`.
        channel_grids: whether each channel may have a grid of its own for them.
        ann_macs: multiply-accumulates of the model for one sample.
        copies: how many neurons stand for each value of some populations, by their nodes.
    """

    graph: Graph
    converter: Converter
    encoders: Mapping[str, Encoder]
    inputs: tuple[NetworkInput, ...]
    num_timesteps: int
    seed: int
    moments: Mapping[str, Moments] = field(default_factory=dict)
    memoise: Memoise = uncached
    weight_bits: WeightBits = None
    channel_grids: bool = False
    ann_macs: int = 0
    copies: Mapping[str, int] = field(default_factory=dict)

    @property
    def spike_range(self) -> tuple[int, int]:
        """Return the least and the largest value of a spike of any population."""
        return self.spikes.range

    @property
    def spikes(self) -> SpikeLimits:
        """Return what decides which poolings neurons can do."""
        return spikes_of(self.converter, {i.name: i.coding for i in self.inputs}, self.num_timesteps)

    def with_layers(self, layers: Mapping[str, Layer]) -> Assembler:
        """Return the assembler of the same model with other weights in some nodes."""
        graph = self.graph.edit(lambda n: [replace(n, layer=layers[n.name])] if n.name in layers else None)
        return replace(self, graph=graph)

    def copying(self, copies: Mapping[str, int]) -> Assembler:
        """Return the assembler of the same model with several neurons for each value of some ReLUs."""
        if not copies:
            return self
        numbers = copied(self.graph, copies)
        more = {name: self.moments[name].repeated(number) for name, number in numbers.items()}
        graph = with_copies(self.graph, copies)
        return replace(self, graph=graph, copies=numbers, moments={**self.moments, **more})

    @property
    def analog(self) -> frozenset[str]:
        """Return the names of the inputs that are constant currents."""
        return frozenset(i.name for i in self.inputs if i.coding.analog)

    def network(self, settings: Settings, readout: ReadoutKind) -> Draft:
        """Return the whole network; the output is a ReLU where spikes are counted."""
        if readout == "spike-count":
            return Assembly(self, settings).draft(readout, None)
        return Assembly(self, settings).draft(readout, READOUTS[self.converter.code, readout])

    def up_to(self, settings: Settings, node: str, neuron: NeuronModel | None, num_timesteps: int) -> Network:
        """Return the network up to a node; see `Calibration.draft`."""
        graph = self.graph
        if neuron is not None and is_population(graph.by_name[node]):
            node = graph.by_name[node].inputs[0]
        part = replace(self, graph=graph.ending_at(node), num_timesteps=num_timesteps)
        return Assembly(part, settings).draft("spike-count" if neuron is None else "current", neuron).network


@dataclass(frozen=True, eq=False)
class Assembly:
    """One network in the making, from an assembler and settings."""

    assembler: Assembler
    settings: Settings

    @cached_property
    def scales(self) -> dict[str, Array]:
        """Return λ of every population's node: 1 for an input, and that of its source for a max pooling."""
        scales = dict(self.settings.scales)
        for node in self.assembler.graph.nodes:
            if isinstance(node.layer, Input):
                scales[node.name] = np.ones(())
            elif isinstance(node.layer, MaxPool):
                scales[node.name] = scales.get(node.inputs[0], np.ones(()))
        return scales

    def draft(self, readout: ReadoutKind, neuron: NeuronModel | None) -> Draft:
        """Return the network, with a readout of the given neuron model for each output, or none."""
        a = self.assembler
        shapes = ((name, a.graph.shapes[name]) for name in a.graph.inputs)
        inputs = [a.encoders[name].population(name, shape, a.num_timesteps) for name, shape in shapes]
        made: list[Made] = [(population, (), 0.0) for population in inputs]
        for node in a.graph.nodes:
            if isinstance(node.layer, MaxPool):
                made.append(self.pooling(node))
            elif is_population(node) and not isinstance(node.layer, Input):
                made.append(self.spiking(node))
        names = {end: population_name(a.graph, end) for end in a.graph.ends}
        for end in a.graph.ends if neuron is not None else ():
            assert neuron is not None
            made.append(self.accumulating(end, neuron))
            names[end] = made[-1][0].name
        network = Network(
            name=a.graph.name,
            populations=tuple(population for population, _, _ in made),
            connections=tuple(c for _, connections, _ in made for c in connections),
            inputs=a.inputs,
            outputs=tuple(NetworkOutput(o.name, names[o.node], host_activations(o)) for o in a.graph.outputs),
            readout=readout,
            num_timesteps=a.num_timesteps,
            seed=a.seed,
            code_name=a.converter.code,
            levels=a.converter.levels(a.num_timesteps),
            ann_macs=a.ann_macs,
        )
        return Draft(network, {p.name: rounding for p, _, rounding in made[len(inputs) :]})

    def spiking(self, node: Node) -> Made:
        """Return the population of a ReLU with what goes into it."""
        a = self.assembler
        name, shape = population_name(a.graph, node.name), a.graph.shapes[node.name]
        scale = np.asarray(self.scales[node.name], np.float64)
        shift = self.settings.shifts.get(node.name)
        coming = incoming(a.graph, self.scales, node.inputs[0], name, shift, a.memoise)
        # parameters are up to the unit times the weight of a spike train; they too must be exact in float32
        largest = min(LARGEST_UNIT, EXACT // (2 * self.constants))
        gridded = self.on_grid(name, coming, np.broadcast_to(scale, shape).ravel(), largest, spiking=True)
        dynamics = a.converter.dynamics(node, gridded.unit, a.num_timesteps)
        highest = cap_of(node)
        population = Population(
            name,
            shape,
            in_double(dynamics.neuron) if gridded.double else dynamics.neuron,
            dynamics.params,
            dynamics.initial,
            potential=self.potential(node.name, gridded, dynamics.initial.get(POTENTIAL, 0.0)),
            bias=gridded.bias,
            unit=gridded.unit,
            scale=scale,
            cap=None if highest is None else np.asarray(highest / scale),
            largest_rate=dynamics.largest_rate,
            correction=None if shift is None else shift / scale,
            copies=a.copies.get(node.name, 1),
        )
        return population, gridded.connections, max(gridded.rounding, default=0.0)

    def potential(self, node: str, gridded: Gridded, common: float) -> Array | None:
        """Return v of a ReLU's neurons at the start of a sample on its grid, or None if all have one."""
        found = self.settings.potentials.get(node)
        if found is None and (common % gridded.granule == 0).all():
            return None
        start = common / gridded.unit if found is None else np.asarray(found, np.float64)
        flat = np.broadcast_to(start, self.assembler.graph.shapes[node]).ravel()
        in_granules = np.floor((flat * (gridded.unit / gridded.granule)).astype(np.float32))
        return (in_granules * gridded.granule).astype(np.float32)

    def accumulating(self, node: str, neuron: NeuronModel) -> Made:
        """Return the readout that integrates a node's value, with what goes into it."""
        graph, memoise = self.assembler.graph, self.assembler.memoise
        fires = is_population(graph.by_name[node])
        populations = {population_name(graph, n.name) for n in graph.nodes if is_population(n)}
        # of a clip that the model ends in, the ReLU already has the layer's name
        name = f"{node}/readout" if fires or node in populations else node
        # the shift of a population is in its own bias
        shift = None if fires else self.settings.shifts.get(node)
        coming = incoming(graph, self.scales, node, name, shift, memoise)
        # the largest possible current is one unit, whatever the logits' range
        scale = np.asarray(max(float(np.max(coming.magnitude)), 1e-30))
        gridded = self.on_grid(name, coming, scale, LARGEST_READOUT_UNIT, spiking=False)
        neuron = in_double(neuron) if gridded.double else neuron
        population = Population(
            name,
            graph.shapes[node],
            neuron,
            bias=gridded.bias,
            unit=gridded.unit,
            scale=scale,
            correction=None if shift is None else shift / scale,
        )
        return population, gridded.connections, max(gridded.rounding, default=0.0)

    def pooling(self, node: Node) -> Made:
        """Return the population of a max pooling with its synapses, whose weights are digits."""
        a, layer = self.assembler, node.layer
        assert isinstance(layer, MaxPool)
        for problem in pool_refusals(a.graph, node, a.spikes):  # of a coding that depends on the data
            raise KgennError([problem])
        source, shape = a.graph.by_name[node.inputs[0]], a.graph.shapes[node.inputs[0]]
        size = (1, *layer.size) if len(layer.size) == 1 else layer.size
        kernel = pool_kernel((size[0], size[1]), shape[-1], a.converter.code, a.spike_range)
        digits = Conv(
            kernel.reshape(*layer.size, 1, -1), None, layer.strides, layer.padding, layer.ones, shape[-1]
        )
        _, connectivity = compose(Path(source.name, shape, (digits,)), node.origin)
        name = population_name(a.graph, node.name)
        whole = connectivity.with_weights(connectivity.weights.astype(np.float32))
        connection = Connection(population_name(a.graph, source.name), name, whole)
        dynamics = pool_dynamics(prod(size), a.converter.code, a.spike_range, a.num_timesteps, a.converter.graded)
        population = Population(
            name,
            a.graph.shapes[node.name],
            dynamics.neuron,
            dynamics.params,
            dynamics.initial,
            scale=np.asarray(self.scales[node.name], np.float64),
            maximum=True,
            copies=a.copies.get(node.name, 1),
        )
        return population, (connection,), 0.0

    @property
    def code(self) -> SpikeCode:
        """Return what spikes stand for."""
        return SPIKE_CODES[self.assembler.converter.code]

    @property
    def constants(self) -> int:
        """Return how much more than in one step a constant current must bring where it flows once."""
        return 1 if self.code.steady else self.assembler.converter.levels(self.assembler.num_timesteps)

    def on_grid(self, name: str, coming: Incoming, scale: Array, largest_unit: int, spiking: bool) -> Gridded:
        """Return a population's connections and bias on its grid, for its λ, flat or one value."""
        a = self.assembler
        ready = coming.in_thresholds(scale).magnified(self.constants, a.analog)
        levels = a.converter.levels(a.num_timesteps)
        inflow = Inflow(
            name,
            ready.connections,
            ready.bias if ready.bias.any() else None,
            tuple(self.sources[c.source] for c in ready.connections),
            largest_unit,
            levels if self.code.staged else 1,
            spiking,
            self.levels if self.code.steady else 1,
        )
        # how much more than in a step sources can have sent when v is tested
        accumulated = 1 if self.code.steady else levels if self.code.staged else RATE_LEVELS
        share = min(a.num_timesteps / RATE_LEVELS, 1.0) if self.code.steady else 1.0
        return to_grid_of_bits(
            inflow.without_deep_biases(accumulated) if spiking else inflow, a.weight_bits, share, a.channel_grids
        )

    @cached_property
    def sources(self) -> dict[str, SourceSignal]:
        """Return what each population sends, by name."""
        a = self.assembler
        codings = {i.name: i.coding for i in a.inputs}
        spike, found = float(max(map(abs, a.spike_range))), {}
        for node, sent in a.moments.items():
            if node not in a.graph.by_name:  # it comes later than what this network ends with
                continue
            mean, rms = sent.relative(np.asarray(self.scales[node], np.float64))
            if node in codings and codings[node].analog:
                found[node] = self.analog_source(codings[node], mean, rms)
                continue
            amplitude = 1.0 if node in codings else spike
            found[population_name(a.graph, node)] = SourceSignal(amplitude, self.levels * mean, self.levels * rms)
        return found

    @property
    def levels(self) -> int:
        """Return the levels of a spike train whose rates the grid resolves."""
        return RATE_LEVELS if self.code.steady else self.assembler.converter.levels(self.assembler.num_timesteps)

    def analog_source(self, coding: InputCoding, mean: Array, rms: Array) -> SourceSignal:
        """Return what an input sends that is a constant current, for its mean and root mean square."""
        amplitude = max(abs(coding.low), abs(coding.high))
        # a direct current that flows once has the weights of a whole train already
        weight = self.levels if self.code.steady else 1
        step = weight * amplitude / PIXEL_LEVELS
        return SourceSignal(amplitude, weight * mean, weight * rms, True, step, coding.levels)


def assembler_of(
    graph: Graph,
    converter: Converter,
    encoders: Mapping[str, Encoder],
    calibration: Samples,
    num_timesteps: int,
    seed: int,
) -> Assembler:
    """Return the assembler of a lowered graph, for an encoder of each input.

    Args:
        calibration: samples with the ranges of the inputs.
    """
    inputs = []
    for name, layer in graph.input_layers.items():
        transform = input_transform(layer)
        seen = transform.apply(np.asarray(calibration.arrays[name]))
        inputs.append(NetworkInput(name, layer.shape, transform, encoders[name].coding(seen, num_timesteps)))
    return Assembler(graph, converter, encoders, tuple(inputs), num_timesteps, seed, ann_macs=graph.macs)


def input_transform(layer: Input) -> InputTransform:
    """Return what an input does on the host, as one transposition and one affine map."""
    shape: Shape = layer.shape
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
