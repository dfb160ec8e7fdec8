"""What flows into a population, and the same on an integer grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from kgenn.conversion.precision import SourceSignal, coarseness, code_error, current_error, power
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array
from kgenn.ir.network import Connection

# The largest |w| that is 255 times a signed byte and another one: 127 · 255 + 127.
LARGEST_WEIGHT = 32512
# Below this, weights would be rounded to a few levels and the network would no longer be the model.
SMALLEST_UNIT = 16


@dataclass(frozen=True, eq=False)
class Inflow:
    """What flows into a population, in thresholds.

    Attributes:
        name: of the population, for messages.
        connections: with weights in thresholds, float64.
        bias: current of each neuron, shape (size,), or None.
        sources: what each connection's source sends.
        largest_unit: the upper limit of u on a single grid.
        stage: how many times the current of a step a population may add up before v is read.
        spiking: it is no readout.
        constant: how often a bias flows while the sources send what they are said to.
    """

    name: str
    connections: tuple[Connection, ...]
    bias: Array | None
    sources: tuple[SourceSignal, ...]
    largest_unit: int
    stage: int = 1
    spiking: bool = True
    constant: float = 1.0

    def over(self, share: float) -> Inflow:
        """Return the same for a share of the trains that the sources send."""
        sources = tuple(source.over(share) for source in self.sources)
        return replace(self, sources=sources, constant=self.constant * share)

    def without_deep_biases(self, accumulated: int) -> Inflow:
        """Return the same with biases no lower than what keeps a neuron silent whatever its sources send.

        Such a neuron never fires with either bias, and leaves the grid to its neighbours.

        Args:
            accumulated: how much more than in a step sources can have sent when v is tested.
        """
        if self.bias is None:
            return self
        sources = tuple(s if s.analog else replace(s, amplitude=s.amplitude * accumulated) for s in self.sources)
        deepest = -(magnitude_of(self.connections, None, sources) + 1)
        return replace(self, bias=np.maximum(self.bias, deepest))

    @cached_property
    def code_error(self) -> Array:
        """Return what the code itself rounds; see `kgenn.conversion.precision`."""
        return code_error(self.connections, self.sources, self.spiking)

    def coarseness(self, grid: Gridded) -> float:
        """Return the largest ε/ε_code over the neurons, for their weights on a grid."""
        error = current_error(self.connections, grid.connections, grid.unit, self.sources)
        return coarseness(error, self.code_error)

    def error(self, grid: Gridded) -> Array:
        """Return ε² of each neuron for its weights and its bias on a grid."""
        off: Array | float = 0.0
        if self.bias is not None and grid.bias is not None:
            off = self.constant * (grid.bias.astype(np.float64) / grid.unit - self.bias)
        return current_error(self.connections, grid.connections, grid.unit, self.sources, off)

    @cached_property
    def power(self) -> Array:
        """Return what sources bring each neuron; see `kgenn.conversion.precision`."""
        return power(self.connections, self.sources)

    def reach(self, connections: Sequence[Connection], bias: Array | None) -> float:
        """Return the largest possible |current| of a step over the neurons, for these weights."""
        return float(np.max(self.reaches(connections, bias), initial=0.0))

    def reaches(self, connections: Sequence[Connection], bias: Array | None) -> Array:
        """Return the largest possible |current| of a step of each neuron for these weights; () or (size,)."""
        return magnitude_of(connections, bias, self.sources)

    @property
    def fan_in(self) -> Array:
        """Return the largest sum of what sources send in a step over the synapses into each neuron."""
        pairs = zip(self.connections, self.sources, strict=True)
        return sum((fan_in_of(c) * source.amplitude for c, source in pairs), np.zeros(()))


@dataclass(frozen=True, eq=False)
class Gridded:
    """A population's connections and bias on its grid.

    Attributes:
        unit: u.
        connections: with integer weights, float32.
        bias: integers, float32, float64 on a double grid; or None.
        double: currents and v need float64.
        granule: what the weights and the bias of each neuron are multiples of, a power of two that divides u; of
            shape () or (size,).
        rounding: the largest |rint(w·u)/u − w| of each connection, relative to its largest |w|.
    """

    unit: int
    connections: tuple[Connection, ...]
    bias: Array | None
    double: bool = False
    granule: Array = field(default_factory=lambda: np.ones(()))
    rounding: tuple[float, ...] = ()

    def compared(self, inflow: Inflow) -> Gridded:
        """Return the same with what it rounds."""
        pairs = zip(inflow.connections, self.connections, strict=True)
        return replace(self, rounding=tuple(_error(a, b, self.unit) for a, b in pairs))


def meets_products(connection: Connection) -> bool:
    """Tell whether simulators multiply its weights as integers of 16 bits, if it carries spikes."""
    kind = connection.connectivity
    return isinstance(kind, DenseConnectivity) or (isinstance(kind, Convolution) and kind.weights.shape[2] > 1)


def fan_in_of(connection: Connection) -> Array:
    """Return the number of synapses into each target, those of each window counted alone."""
    kind = connection.connectivity
    area = 1 if connection.pool is None else connection.pool.largest
    return area * kind.into_targets(np.ones(kind.weights.shape))


def magnitude_of(connections: Sequence[Connection], bias: Array | None, sources: Sequence[SourceSignal]) -> Array:
    """Return the largest possible |current| of one step of each neuron."""
    total: Array = np.zeros(()) if bias is None else np.abs(bias)
    for connection, source in zip(connections, sources, strict=True):
        total = total + connection.magnitude() * source.amplitude
    return total


def as_float32(connections: Sequence[Connection]) -> tuple[Connection, ...]:
    """Return the same connections with weights in float32."""
    kinds = [c.connectivity.with_weights(c.connectivity.weights.astype(np.float32)) for c in connections]
    return tuple(replace(c, connectivity=kind) for c, kind in zip(connections, kinds, strict=True))


def _error(exact: Connection, rounded: Connection, unit: int) -> float:
    weights = exact.connectivity.weights
    largest = float(np.abs(weights).max(initial=0.0))
    errors = rounded.connectivity.weights / unit - weights
    worst = float(np.abs(errors, out=errors).max(initial=0.0))
    return worst / largest if largest else 0.0
