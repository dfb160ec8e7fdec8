"""Network: what a simulator runs, as populations of neurons, connections, input coding, readout and timing.

Weights, biases, thresholds and drives are integers (held in float32) on a grid chosen for each population, so
that a sum of synaptic currents is exact in any order; see `kgenn.conversion.grid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Literal

import numpy as np

from kgenn.diagnostics import Diagnostic
from kgenn.display import Displayed
from kgenn.ir.agreement import Agreement
from kgenn.ir.connectivity import Connectivity
from kgenn.ir.graph import Array, Shape
from kgenn.ir.naming import Naming
from kgenn.ir.network_input import NetworkInput
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.samples import Samples, SamplesLike, refuse_shape, samples_of
from kgenn.ir.spike_code import SPIKE_CODES, CodeName, SpikeCode
from kgenn.ir.spike_sums import SpikeSums
from kgenn.ir.words import counted

# Integers up to here are exact in float32, and so is any sum of them that stays below.
EXACT = 1 << 24
# The state variable that `Population.potential` is of.
POTENTIAL = "v"
ReadoutKind = Literal["late-current", "current", "spike-count"]
# Deep networks need some steps before their last layers fire; what arrives later says more.
DEFAULT_READOUT: ReadoutKind = "late-current"


@dataclass(frozen=True, eq=False)
class Population:
    """A group of neurons with one neuron model.

    Attributes:
        name: unique in the network; the name of the Keras layer whose activation it represents.
        shape: (*spatial, channels).
        neuron: its dynamics.
        params: values of the neuron model's parameters, on the grid.
        initial: values of its state variables at the start of each sample, on the grid.
        potential: v of each neuron at the start of each sample, integers, float32, shape (size,), in place of that
            of `initial`; or None.
        bias: a constant current of each neuron, integers, shape (size,), or None; it flows at every step, or
            in the first alone where the network's code says so.
        unit: the integer that stands for 1, the activation `scale`.
        scale: λ, the activation of the Keras layer that `unit` stands for: shape () or (channels,).
        cap: what its activation cannot exceed, in units of λ: shape () or (channels,), or None.
        maximum: it sends the largest of what its sources send, not a function of their weighted sum.
        largest_rate: the largest value of its spike trains, as a share of the full scale; None: no limit.
        correction: what the bias holds beyond the model's, in units of λ: shape (channels,), or None.
        copies: the neurons that stand for each value of the Keras layer, in channels that follow one another.
    """

    name: str
    shape: Shape
    neuron: NeuronModel
    params: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    potential: Array | None = None
    bias: Array | None = None
    unit: float = 1.0
    scale: Array = field(default_factory=lambda: np.ones(()))
    cap: Array | None = None
    maximum: bool = False
    largest_rate: float | None = 1.0
    correction: Array | None = None
    copies: int = 1

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return prod(self.shape)

    @property
    def initial_state(self) -> dict[str, float]:
        """Return each state variable at the start of a sample, of neurons without a potential of their own."""
        return {**self.neuron.state, **self.initial}

    @property
    def starts(self) -> dict[str, float | Array]:
        """Return each state variable at the start of a sample: a number, or an array of shape (size,)."""
        own = {} if self.potential is None else {POTENTIAL: self.potential}
        return {**self.initial_state, **own}


@dataclass(frozen=True, eq=False)
class Connection:
    """Synapses from one population to another; `pool` sums source spikes on the way."""

    source: str
    target: str
    connectivity: Connectivity
    pool: SpikeSums | None = None

    @property
    def num_sources(self) -> int:
        """Return the number of source neurons."""
        return self.connectivity.num_sources if self.pool is None else prod(self.pool.in_shape)

    def apply(self, spikes: Array) -> Array:
        """Return the synaptic current of each target: (N, source size) to (N, target size)."""
        pooled = spikes if self.pool is None else self.pool.apply(spikes)
        return self.connectivity.apply(pooled)

    def fan_out(self) -> Array:
        """Return the number of synapses of each source neuron."""
        inner = self.connectivity.fan_out()
        return inner if self.pool is None else self.pool.fan_out(inner)

    @cached_property
    def weight_bits(self) -> int:
        """Return `Connectivity.weight_bits`."""
        return self.connectivity.weight_bits

    def magnitude(self) -> Array:
        """Return, for each target, Σ|w| over all the source neurons that can reach it in one step."""
        absolute = self.connectivity.with_weights(np.abs(self.connectivity.weights).astype(np.float64))
        plane = None if self.pool is None else (self.pool.axis(0).amounts, self.pool.axis(1).amounts)
        return absolute.from_plane(plane)


@dataclass(frozen=True, eq=False)
class NetworkOutput:
    """An output of a network: the population that its scores are of.

    Attributes:
        name: that of the model's output.
        population: the readout; several outputs may have one.
        activations: what the host computes, one after the other, of what the last weights give.
    """

    name: str
    population: str
    activations: tuple[OutputActivation, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Network(Displayed):
    """A spiking network, ready to run.

    A sample drives all input neurons together: those of the first input, then those of the second, and so on. Its
    scores are those of the first readout's neurons, then those of the second's.

    Attributes:
        name: the model's name.
        populations: in topological order, those of the inputs first, in their order.
        connections: in the order of their targets.
        inputs: in the model's order.
        outputs: in the model's order.
        readout: the score of each neuron of a readout: the current it has integrated, step t weighted by
            (t + 1)² or all alike, or its spike count.
        num_timesteps: T, the steps in which a population works; the length of a stage of a staged network.
        seed: random seed of the encoder.
        code_name: the spike code, which also decides the schedule; see `kgenn.ir.spike_code`.
        levels: the value of a spike train that stands for λ.
        ann_macs: multiply-accumulates of the source model for one sample.
        origin: how it was made, JSON-able: every option, the model, notes, rounding. It does not change what the
            network computes, and is not stored with it. Empty if unknown.
    """

    name: str
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    inputs: tuple[NetworkInput, ...]
    outputs: tuple[NetworkOutput, ...]
    readout: ReadoutKind
    num_timesteps: int
    seed: int = 0
    code_name: CodeName = "rate"
    levels: int = 1
    ann_macs: int = 0
    origin: Mapping[str, Any] = field(default_factory=dict, metadata={"stored": False})

    display: ClassVar[str] = "network"

    def __post_init__(self) -> None:
        names = [p.name for p in self.populations]
        assert len(set(names)) == len(names), "two populations of one name"
        position = {name: i for i, name in enumerate(names)}
        for c in self.connections:
            assert position[c.source] < position[c.target], f"{c.source} to {c.target} runs backwards"
        assert names[: len(self.inputs)] == [i.name for i in self.inputs], (
            "the inputs are not the first populations"
        )
        assert position.keys() >= {o.population for o in self.outputs}, "an output of no population"

    def __repr__(self) -> str:
        sizes = f"{counted(len(self.populations), 'population')}, {counted(len(self.connections), 'connection')}"
        neurons = counted(sum(p.size for p in self.populations), "neuron")
        return f"<Network {self.name}: {sizes}, {neurons}, {self.code_name} code, T = {self.num_timesteps:,}>"

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Return what leaves the conversion in doubt, as its origin records it."""
        return tuple(map(Diagnostic.from_dict, self.origin.get("warnings", ())))

    @property
    def agreement(self) -> Agreement | None:
        """Return how well the network agrees with its model, where its origin records that it was checked."""
        found = self.origin.get("agreement")
        return None if found is None else Agreement.from_dict(found)

    @cached_property
    def naming(self) -> Naming:
        """Return what else there is to the names of inputs and outputs, as its origin records it."""
        return Naming.recorded(self.origin)

    @cached_property
    def input_shape(self) -> Shape:
        """Return the shape of one sample as the user gives it, of a network with one input."""
        (only,) = self.inputs
        return only.sample_shape(self.num_timesteps)

    @cached_property
    def input_shapes(self) -> dict[str, Shape]:
        """Return the shape of one sample of each input, in order."""
        return {i.name: i.sample_shape(self.num_timesteps) for i in self.inputs}

    @property
    def changing(self) -> bool:
        """Tell whether an input changes with time, so that a drive has a frame for each timestep."""
        return any(i.changing for i in self.inputs)

    @cached_property
    def input_of(self) -> dict[str, NetworkInput]:
        """Return the inputs by their populations' names."""
        return {i.name: i for i in self.inputs}

    @cached_property
    def readouts(self) -> tuple[Population, ...]:
        """Return the populations of the outputs, each once, in the order of the outputs."""
        return tuple(self.by_name[name] for name in dict.fromkeys(o.population for o in self.outputs))

    @cached_property
    def drive_columns(self) -> dict[str, slice]:
        """Return which input neurons of a sample are those of each input."""
        return _columns((i.name, i.size) for i in self.inputs)

    @cached_property
    def score_columns(self) -> dict[str, slice]:
        """Return which scores of a sample are those of each readout."""
        return _columns((p.name, p.size) for p in self.readouts)

    @property
    def num_inputs(self) -> int:
        """Return the number of input neurons of all inputs."""
        return sum(i.size for i in self.inputs)

    @property
    def num_scores(self) -> int:
        """Return the number of scores of a sample, of all readouts."""
        return sum(p.size for p in self.readouts)

    @property
    def code(self) -> SpikeCode:
        """Return what spikes stand for."""
        return SPIKE_CODES[self.code_name]

    def samples(self, x: SamplesLike) -> Samples:
        """Return samples of the network's inputs; see `samples_of`.

        Raises:
            KgennError: KG602 for what is none, and for samples of another shape.
        """
        found = samples_of(x, self.input_shapes, self.name, naming=self.naming)
        for given in self.inputs:
            more = ", which holds for all timesteps" if self.changing else ""
            more = f", a frame for each of the {self.num_timesteps} timesteps" if given.changing else more
            refuse_shape(found.arrays[given.name].shape, self.input_shapes[given.name], given.name, more=more)
        return found

    def drive(self, x: SamplesLike, first: int = 0) -> Array:
        """Return the drive of all input neurons for a batch, integers in float32.

        Args:
            x: as `samples` takes it.
            first: the number of its first sample, for messages.

        Returns:
            Shape (N, num_inputs); (N, T, num_inputs) where an input changes with time.

        Raises:
            KgennError: KG602 or KG603 for samples that an input does not take.
        """
        arrays = {name: np.asarray(array) for name, array in self.samples(x).arrays.items()}
        several = len(self.inputs) > 1
        if self.changing:
            drives = [i.frames(arrays[i.name], self.num_timesteps, several, first) for i in self.inputs]
        else:
            drives = [i.drive(arrays[i.name], several=several, first=first) for i in self.inputs]
        return drives[0] if len(drives) == 1 else np.concatenate(drives, axis=-1)

    @cached_property
    def incoming(self) -> dict[str, tuple[Connection, ...]]:
        """Return the connections into each population."""
        return {p.name: tuple(c for c in self.connections if c.target == p.name) for p in self.populations}

    @cached_property
    def depths(self) -> dict[str, int]:
        """Return the longest way from an input to each population, in connections.

        An analog input is computed before the first step, so that what it drives is at depth 0.
        """
        depths: dict[str, int] = {}
        for p in self.populations:
            sources = [depths[c.source] + 1 for c in self.incoming[p.name] if not self.is_analog(c)]
            depths[p.name] = max(sources, default=0)
        return depths

    def is_analog(self, connection: Connection) -> bool:
        """Tell whether the connection carries a current instead of spikes, which holds while its input does."""
        return self.is_analog_input(connection.source)

    def is_analog_input(self, name: str) -> bool:
        """Tell whether a population is an input that sends currents instead of spikes."""
        return name in self.input_of and self.input_of[name].coding.analog

    @cached_property
    def by_name(self) -> dict[str, Population]:
        """Return each population by its name."""
        return {p.name: p for p in self.populations}

    @cached_property
    def spiking(self) -> tuple[Population, ...]:
        """Return the populations that can fire."""
        return tuple(p for p in self.populations if p.neuron.threshold)

    @cached_property
    def hidden(self) -> tuple[Population, ...]:
        """Return the spiking populations other than the inputs."""
        return tuple(p for p in self.spiking if p.name not in self.input_of)

    @cached_property
    def fan_outs(self) -> tuple[Array, ...]:
        """Return for each connection the number of synapses of each source neuron."""
        return tuple(c.fan_out() for c in self.connections)

    @cached_property
    def fan_out(self) -> dict[str, Array]:
        """Return the number of synapses of each neuron of each population."""
        totals = {p.name: np.zeros(p.size, np.int64) for p in self.populations}
        for c, fan_out in zip(self.connections, self.fan_outs, strict=True):
            totals[c.source] += fan_out
        return totals

    def has_double_currents(self, population: Population) -> bool:
        """Tell whether the synaptic currents of a step can be more than float32 adds up exactly in any order.

        A population of a staged network may need double precision for what a whole stage brings, or for its
        constant current, and still get no more in a step.
        """
        return population.name in self._double_currents

    @cached_property
    def _double_currents(self) -> frozenset[str]:
        return frozenset(p.name for p in self.populations if self._exceeds_single(p))

    def _exceeds_single(self, population: Population) -> bool:
        if population.neuron.precision == "single" or not self.code.staged:
            return population.neuron.precision == "double"
        spiking = [c for c in self.incoming[population.name] if not self.is_analog(c)]
        total: Array = sum((c.magnitude() for c in spiking), np.zeros(()))
        return bool(np.max(total, initial=0.0) >= EXACT)

    def direct_current(self, connection: Connection, drive: Array) -> Array:
        """Return the constant current that an analog connection injects, integers in float32.

        floor(Σ w·drive / levels + 1/2); every term is an integer and every sum stays below 2**53, so that
        float64 holds it exactly in any order.

        Args:
            drive: of all inputs at a timestep, shape (N, num_inputs).

        Returns:
            Shape (N, target size), of the target's precision.
        """
        source = connection.source
        total = connection.apply(drive[:, self.drive_columns[source]].astype(np.float64))
        real = self.by_name[connection.target].neuron.real
        return np.floor(total / self.input_of[source].coding.levels + 0.5).astype(real)


def _columns(sizes: Iterable[tuple[str, int]]) -> dict[str, slice]:
    """Return where each of some groups of a size lies in an axis on which they follow one another."""
    columns: dict[str, slice] = {}
    first = 0
    for name, size in sizes:
        columns[name] = slice(first, first + size)
        first += size
    return columns
