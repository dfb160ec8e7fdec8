"""Round a population's weights to integers, such that every sum of synaptic currents is exact.

With u the integer that stands for 1 (the threshold), a weight w becomes rint(w·u). Two grids are tried:

| grid | Σ over all that can reach one neuron | u | weights |
|---|---|---|---|
| single | in a step below 2**24, exact in float32 and int32 | the largest even integer up to a limit | 16 bits |
| double | in a stage below 2**52, exact in float64 | the smallest sufficient power of two | 24 bits |

The weights of convolutions and dense layers on a single grid stay below 2**15 where they carry spikes, so that
simulators can multiply integers of 16 bits. A double grid is taken where the single one would round weights more
coarsely than the code rounds activations; see `kgenn.conversion.precision`. Behind a wide pool, or with a large K,
that is so: each weight is small, and there are many. A single neuron with large weights can make it so too; the
double grid has room for it and for its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from kgenn.conversion.precision import FINE, TOLERABLE, SourceSignal, coarseness, code_error, current_error, power
from kgenn.diagnostics import fail
from kgenn.ir.connectivity import Convolution, DenseConnectivity
from kgenn.ir.graph import Array
from kgenn.ir.network import EXACT, Connection

# A spiking population's v stays exact too up to 64 thresholds; finer weights would change nothing.
LARGEST_UNIT = 1 << 18
# The readout integrates without a threshold, so that only the sum of one step limits its grid.
LARGEST_READOUT_UNIT = 1 << 23
# The largest |w| that is 255 times a signed byte and another one: 127 · 255 + 127.
LARGEST_WEIGHT = 32512
# Below this, weights would be rounded to a few levels and the network would no longer be the model.
SMALLEST_UNIT = 16
# Finer grids than this change nothing: float32 holds 24 bits of a weight.
LARGEST_DOUBLE_UNIT = 1 << 40
# Integers below 2**53 are exact in float64, and so are sums of them; half of it is kept in reserve.
ROOM = 1 << 52


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
        deepest = -(_magnitude(self.connections, None, sources) + 1)
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

    @property
    def power(self) -> Array:
        """Return what sources bring each neuron; see `kgenn.conversion.precision`."""
        return power(self.connections, self.sources)

    def reach(self, connections: Sequence[Connection], bias: Array | None) -> float:
        """Return the largest possible |current| of a step over the neurons, for these weights."""
        return float(np.max(_magnitude(connections, bias, self.sources), initial=0.0))


@dataclass(frozen=True, eq=False)
class Gridded:
    """A population's connections and bias on its grid.

    Attributes:
        unit: u.
        connections: with integer weights, float32.
        bias: integers, float32, float64 on a double grid; or None.
        double: currents and v need float64.
        rounding: the largest |rint(w·u)/u − w| of each connection, relative to its largest |w|.
    """

    unit: int
    connections: tuple[Connection, ...]
    bias: Array | None
    double: bool = False
    rounding: tuple[float, ...] = ()

    def compared(self, inflow: Inflow) -> Gridded:
        """Return the same with what it rounds."""
        pairs = zip(inflow.connections, self.connections, strict=True)
        return replace(self, rounding=tuple(_error(a, b, self.unit) for a, b in pairs))


def to_grid(inflow: Inflow) -> Gridded:
    """Choose u for a population and round its weights and bias.

    Raises:
        KgennError: KG404 where no useful grid exists.
    """
    reach = inflow.reach(inflow.connections, inflow.bias)
    if not np.isfinite(reach):
        what = f"the weights into one neuron sum up to {reach} thresholds"
        raise fail("KG404", inflow.name, what, "check the model: its weights are too large to compute with")
    single = _single(inflow, reach)
    if single is not None and inflow.coarseness(single) <= TOLERABLE:
        return single.compared(inflow)
    double = _double(inflow, 1 if single is None else single.unit)
    if double is not None:
        return double.compared(inflow)
    what = f"the weights into one neuron sum up to {reach:.3g} thresholds, too much for a grid of 53 bits"
    advice = "check this layer's weights, and that the calibration data are what the model was trained on"
    raise fail("KG404", inflow.name, what, advice)


def _single(inflow: Inflow, reach: float) -> Gridded | None:
    """Return the finest grid on which float32 is exact, or None where there is no useful one."""
    spiking = [c for c, source in zip(inflow.connections, inflow.sources, strict=True) if not source.analog]
    largest = narrowed(inflow.largest_unit, spiking)
    unit = min(largest, int((EXACT - 1) / max(reach, 1e-30)))
    while unit >= SMALLEST_UNIT:
        unit -= unit % 2
        grid = on_single(inflow, unit)
        if grid is not None:
            return grid
        unit = int(unit * 0.999) - 1
    return None


def on_single(inflow: Inflow, unit: int, largest: int | None = None) -> Gridded | None:
    """Return the single grid of a unit, or None where float32 is not exact on it.

    Args:
        largest: the largest |weight| that spikes cross; larger ones are clipped.
    """
    rounded = tuple(
        _rounded(c, unit, largest=None if source.analog else largest)
        for c, source in zip(inflow.connections, inflow.sources, strict=True)
    )
    bias = None if inflow.bias is None else np.rint(inflow.bias * unit)
    # one more for the rounding of each direct current
    if inflow.reach(rounded, bias) + len(rounded) >= EXACT:
        return None
    return Gridded(unit, _as_float32(rounded), None if bias is None else bias.astype(np.float32))


def _double(inflow: Inflow, start: int) -> Gridded | None:
    """Return the coarsest grid that is fine enough of those on which float64 is exact, or the finest; or None.

    u is a power of two, so that thresholds are exact in float32, as parameters of neurons are.
    """
    unit, best = max(SMALLEST_UNIT, 1 << (start - 1).bit_length()), None
    largest = largest_double(inflow)
    largest_power = 1 << max(0, largest.bit_length() - 1)
    while unit <= largest:
        best = on_double(inflow, unit)
        error = inflow.coarseness(best)
        if error <= FINE:
            break
        unit = max(2 * unit, min(unit << _doublings(error), largest_power))
    return best


def _doublings(error: float) -> int:
    """Return how often u can be doubled and surely remain too coarse: ε falls as u grows, up to chance."""
    return max(1, int(np.log2(error / FINE)) - 1)


def largest_double(inflow: Inflow) -> int:
    """Return the largest u for which what a stage adds up, with v and its threshold, is exact in float64."""
    spikes = [(c, s) for c, s in zip(inflow.connections, inflow.sources, strict=True) if not s.analog]
    accumulated = np.max(_magnitude([c for c, _ in spikes], None, [s for _, s in spikes]), initial=0.0)
    reach = inflow.reach(inflow.connections, inflow.bias) + (float(accumulated) + 1) * inflow.stage
    # rounding adds up to half to the magnitude of each weight
    fan_in = sum(float(np.max(_fan_in(c), initial=0.0)) * s.amplitude for c, s in spikes) * inflow.stage
    return min(LARGEST_DOUBLE_UNIT, int((ROOM - fan_in) / reach))


def on_double(inflow: Inflow, unit: int, largest: int | None = None) -> Gridded:
    """Return the double grid of a unit, for weights as of `on_single`.

    A direct current is a sum of weights times drives, `drive_levels` of them in 1. It is exact where all weights
    are multiples of a power of two, and the sum is below 2**52 of these.
    """
    rounded = []
    for connection, source in zip(inflow.connections, inflow.sources, strict=True):
        multiple = 1
        if source.analog:
            widest = float(np.max(connection.magnitude(), initial=0.0)) * source.amplitude
            excess = widest * unit * source.drive_levels / ROOM
            multiple = 1 << max(0, int(np.ceil(np.log2(max(excess, 1.0)))))
        rounded.append(_rounded(connection, unit, multiple, None if source.analog else largest))
    bias = None if inflow.bias is None else np.rint(inflow.bias * unit)
    return Gridded(unit, _as_float32(rounded), bias, double=True)


def narrowed(unit: int, connections: Sequence[Connection]) -> int:
    """Return the largest unit, up to `unit`, for which products have weights of 16 bits.

    Where that is less than `unit` it is a power of two, as `unit` is: then w/u is exact in float32, which is how
    other tools read weights.

    Args:
        connections: that carry spikes, with weights in thresholds.
    """
    for connection in connections:
        kind = connection.connectivity
        if isinstance(kind, DenseConnectivity) or (isinstance(kind, Convolution) and kind.weights.shape[2] > 1):
            finest = LARGEST_WEIGHT / max(float(np.abs(kind.weights).max(initial=0.0)), 1e-3)
            unit = min(unit, 1 << max(0, int(np.log2(max(finest, 1.0)))))
    return unit


def _fan_in(connection: Connection) -> Array:
    """Return the number of synapses into each target, those of each window counted alone."""
    kind = connection.connectivity
    area = 1 if connection.pool is None else connection.pool.largest
    return area * kind.into_targets(np.ones(kind.weights.shape))


def _magnitude(connections: Sequence[Connection], bias: Array | None, sources: Sequence[SourceSignal]) -> Array:
    """Return the largest possible |current| of one step of each neuron."""
    total: Array = np.zeros(()) if bias is None else np.abs(bias)
    for connection, source in zip(connections, sources, strict=True):
        total = total + connection.magnitude() * source.amplitude
    return total


def _rounded(connection: Connection, unit: int, multiple: int = 1, largest: int | None = None) -> Connection:
    """Return a connection with weights w·u, rounded to whole multiples that float32 holds, up to the most."""
    old = connection.connectivity
    weights = old.weights * (unit / multiple)
    np.rint(weights, out=weights)
    weights *= multiple
    if largest is not None:
        np.clip(weights, -largest, largest, out=weights)
    if np.abs(weights).max(initial=0.0) >= EXACT:
        weights = weights.astype(np.float32).astype(np.float64)
    return replace(connection, connectivity=old.with_weights(weights))


def _as_float32(connections: Sequence[Connection]) -> tuple[Connection, ...]:
    kinds = [c.connectivity.with_weights(c.connectivity.weights.astype(np.float32)) for c in connections]
    return tuple(replace(c, connectivity=kind) for c, kind in zip(connections, kinds, strict=True))


def _error(exact: Connection, rounded: Connection, unit: int) -> float:
    weights = exact.connectivity.weights
    largest = float(np.abs(weights).max(initial=0.0))
    errors = rounded.connectivity.weights / unit - weights
    worst = float(np.abs(errors, out=errors).max(initial=0.0))
    return worst / largest if largest else 0.0
