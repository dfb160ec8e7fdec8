"""Network: what a simulator runs, as populations of neurons, connections, input coding, readout and timing.

Weights, biases, thresholds and drives are integers (held in float32) on a grid chosen for each population, so
that a sum of synaptic currents is exact in any order; see `kgenn.conversion.grid`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any, Literal

import numpy as np

from kgenn.diagnostics import Diagnostic, fail
from kgenn.ir.agreement import Agreement
from kgenn.ir.connectivity import Connectivity, SpikeSums
from kgenn.ir.graph import Array, Shape
from kgenn.ir.input_statistics import InputStatistics
from kgenn.ir.neuron_code import NeuronModel
from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.spike_code import SPIKE_CODES, CodeName, SpikeCode

# Integers up to here are exact in float32, and so is any sum of them that stays below.
EXACT = 1 << 24
ReadoutKind = Literal["late-current", "current", "spike-count"]
# Deep networks need some steps before their last layers fire; what arrives later says more.
DEFAULT_READOUT: ReadoutKind = "late-current"


@dataclass(frozen=True)
class InputCoding:
    """How a real input becomes the integers that drive the input population: rint(x · levels).

    Attributes:
        encoder: the encoder's name.
        levels: what an input of 1 becomes.
        low, high: the range of legal inputs, both included.
        analog: no spikes; each connection's current is computed once for each sample.
        binary: only `low` and `high` are legal, nothing in between.
        binarise: if given, an input above it counts as 1, any other as 0.
    """

    encoder: str
    levels: int
    low: float
    high: float
    analog: bool = False
    binary: bool = False
    binarise: float | None = None

    def drive(self, x: Array, unit: str = "") -> Array:
        """Return the drive of every input neuron, integers in float32, shape (N, num_inputs).

        Args:
            unit: what is said behind the values of x in messages.

        Raises:
            KgennError: KG603 where x is outside the range, or not finite.
        """
        x = np.asarray(x, np.float32).reshape(len(x), prod(x.shape[1:]))
        if self.binarise is not None:
            x = np.where(np.isfinite(x), x > self.binarise, x).astype(np.float32)
        # with a NaN among the data, both the smallest and the largest are NaN, and no comparison holds
        legal = x.size == 0 or (x.min() >= self.low and x.max() <= self.high)
        if self.binary:
            legal = ((x == self.low) | (x == self.high)).all()
        if not legal:
            allowed = f"{self.low:g} or {self.high:g}" if self.binary else f"{self.low:g} to {self.high:g}"
            found = f"values from {x.min():g} to {x.max():g}{unit}"
            raise fail(
                "KG603", f"encoder {self.encoder}", f"takes {allowed}, but the data have {found}", self._advice(x)
            )
        drive = x * np.float32(self.levels)
        return np.rint(drive, out=drive)

    def _advice(self, x: Array) -> str:
        """Return what to do about data that the encoder does not take, shape (N, num_inputs)."""
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            return f"leave samples that are not finite out, such as {int(np.argmin(finite))}, or repair them"
        if self.binary:
            return "pass --binarise THRESHOLD"
        if self.low == 0 and x.min() < 0:
            return "compile with an encoder that takes negative values: direct, or a signed one"
        return (
            "scale the data as the calibration data were scaled, for example --scale 1/255; or calibrate with "
            "samples that reach as far"
        )


@dataclass(frozen=True, eq=False)
class InputTransform:
    """What the model does to its input before the first weights: transpose it, then x · scale + shift.

    It runs on the host, before the input is encoded.

    Attributes:
        axes: axis i of the result is axis `axes[i]` of the input, counted without the batch axis.
        scale, shift: float64 arrays that broadcast over the transposed input.
    """

    axes: tuple[int, ...]
    scale: Array
    shift: Array

    @property
    def transposes(self) -> bool:
        """Tell whether the axes of the input change places."""
        return self.axes != tuple(range(len(self.axes)))

    @property
    def rescales(self) -> bool:
        """Tell whether any value of the input changes."""
        return bool(np.any(self.scale != 1) or np.any(self.shift))

    def apply(self, x: Array) -> Array:
        """Transform a batch of shape (N, *input shape); the result is float32."""
        moved = x.transpose(0, *(axis + 1 for axis in self.axes))
        if not self.rescales:
            return moved.astype(np.float32, copy=False)
        scaled = np.multiply(moved, self.scale, dtype=np.float64)
        return np.add(scaled, self.shift, out=scaled).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Population:
    """A group of neurons with one neuron model.

    Attributes:
        name: unique in the network; the name of the Keras layer whose activation it represents.
        shape: (*spatial, channels).
        neuron: its dynamics.
        params: values of the neuron model's parameters, on the grid.
        initial: values of its state variables at the start of each sample, on the grid.
        bias: a constant current of each neuron, integers, shape (size,), or None; it flows at every step, or
            in the first alone where the network's code says so.
        unit: the integer that stands for 1, the activation `scale`.
        scale: λ, the activation of the Keras layer that `unit` stands for: shape () or (channels,).
        cap: what its activation cannot exceed, in units of λ: shape () or (channels,), or None.
        maximum: it sends the largest of what its sources send, not a function of their weighted sum.
        largest_rate: the most that its spike trains can be worth, as a share of the full scale; None: no limit.
        correction: what the bias holds beyond the model's, in units of λ: shape (channels,), or None.
    """

    name: str
    shape: Shape
    neuron: NeuronModel
    params: Mapping[str, float] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)
    bias: Array | None = None
    unit: float = 1.0
    scale: Array = field(default_factory=lambda: np.ones(()))
    cap: Array | None = None
    maximum: bool = False
    largest_rate: float | None = 1.0
    correction: Array | None = None

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return prod(self.shape)


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

    def magnitude(self) -> Array:
        """Return, for each target, Σ|w| over all the source neurons that can reach it in one step."""
        absolute = self.connectivity.with_weights(np.abs(self.connectivity.weights).astype(np.float64))
        plane = None if self.pool is None else (self.pool.axis(0).amounts, self.pool.axis(1).amounts)
        return absolute.from_plane(plane)


@dataclass(frozen=True, eq=False)
class Network:
    """A spiking network, ready to run.

    Attributes:
        name: the model's name.
        populations: in topological order; the first is the input, the last the readout.
        connections: in the order of their targets.
        coding: how inputs drive the first population.
        input_shape: of one sample as the user gives it.
        transform: what happens to an input before `coding`.
        readout: the score of each neuron of the last population: the current it has integrated, step t
            weighted by (t + 1)² or all alike, or its spike count.
        num_timesteps: T, the steps in which a population works; the length of a stage of a staged network.
        seed: of the encoder's random numbers.
        code_name: what spikes stand for, and so when populations work; see `kgenn.ir.spike_code`.
        levels: the worth of a spike train that stands for λ.
        ann_macs: multiply-accumulates of the source model for one sample.
        output_activations: what the host computes, one after the other, of what the last weights give.
        calibrated_on: statistics of the calibration data; None where they are not known.
        origin: how it was made, JSON-able: every option, the model, notes, rounding; no part of what it computes,
            and not stored with it. Empty where that is not known.
    """

    name: str
    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    input_shape: Shape
    transform: InputTransform
    coding: InputCoding
    readout: ReadoutKind
    num_timesteps: int
    seed: int = 0
    code_name: CodeName = "rate"
    levels: int = 1
    ann_macs: int = 0
    output_activations: tuple[OutputActivation, ...] = ()
    calibrated_on: InputStatistics | None = None
    origin: Mapping[str, Any] = field(default_factory=dict, metadata={"stored": False})

    def __post_init__(self) -> None:
        names = [p.name for p in self.populations]
        assert len(set(names)) == len(names), "two populations of one name"
        position = {name: i for i, name in enumerate(names)}
        for c in self.connections:
            assert position[c.source] < position[c.target], f"{c.source} to {c.target} runs backwards"

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Return what leaves the conversion in doubt, as its origin records it."""
        return tuple(map(Diagnostic.from_dict, self.origin.get("warnings", ())))

    @property
    def agreement(self) -> Agreement | None:
        """Return how well the network agrees with its model, where its origin records that it was checked."""
        found = self.origin.get("agreement")
        return None if found is None else Agreement.from_dict(found)

    @property
    def is_binary(self) -> bool:
        """Tell whether a single output says which of two classes it is: a sigmoid, above 0.5 or not."""
        names = [activation.name for activation in self.output_activations]
        return self.populations[-1].size == 1 and names[-1:] == ["sigmoid"]

    @property
    def num_classes(self) -> int:
        """Return how many classes there are: two of a single sigmoid, else one for each output."""
        return 2 if self.is_binary else self.populations[-1].size

    @property
    def code(self) -> SpikeCode:
        """Return what spikes stand for."""
        return SPIKE_CODES[self.code_name]

    def drive(self, x: Array) -> Array:
        """Return the drive of the input population for a batch x of shape (N, *input_shape)."""
        if x.shape[1:] != self.input_shape:
            raise fail("KG602", self.name, f"takes samples of shape {self.input_shape}, got {x.shape[1:]}")
        unit = " once the network has scaled them" if self.transform.rescales else ""
        return self.coding.drive(self.transform.apply(x), unit)

    @cached_property
    def incoming(self) -> dict[str, tuple[Connection, ...]]:
        """Return the connections into each population."""
        return {p.name: tuple(c for c in self.connections if c.target == p.name) for p in self.populations}

    @cached_property
    def depths(self) -> dict[str, int]:
        """Return the longest way from the input to each population, in connections.

        An analog input is computed before the first step, so that what it drives is at depth 0.
        """
        depths: dict[str, int] = {}
        for p in self.populations:
            sources = [depths[c.source] + 1 for c in self.incoming[p.name] if not self.is_analog(c)]
            depths[p.name] = max(sources, default=0)
        return depths

    def is_analog(self, connection: Connection) -> bool:
        """Tell whether the connection carries a constant current instead of spikes."""
        return self.coding.analog and connection.source == self.populations[0].name

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
        """Return the spiking populations other than the input."""
        return tuple(p for p in self.spiking if p is not self.populations[0])

    @cached_property
    def fan_out(self) -> dict[str, Array]:
        """Return the number of synapses of each neuron of each population."""
        totals = {p.name: np.zeros(p.size, np.int64) for p in self.populations}
        for c in self.connections:
            totals[c.source] += c.fan_out()
        return totals

    def has_double_currents(self, population: Population) -> bool:
        """Tell whether the synaptic currents of a step can be more than float32 adds up exactly in any order.

        A population of a staged network may need double precision for what a whole stage brings, or for its
        constant current, and still get no more in a step.
        """
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
            drive: shape (N, source size), of `InputCoding.drive`.

        Returns:
            Shape (N, target size), of the target's precision.
        """
        total = connection.apply(drive.astype(np.float64))
        real = self.by_name[connection.target].neuron.real
        return np.floor(total / self.coding.levels + 0.5).astype(real)
