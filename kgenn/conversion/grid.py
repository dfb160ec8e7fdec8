"""Round a population's weights to integers, such that every sum of synaptic currents is exact in float32.

With u the integer that stands for 1 (the threshold), a weight w becomes rint(w·u). u is the largest even
integer, up to `LARGEST_UNIT`, for which Σ|w| over all that can reach one neuron in one step stays below 2**24.
Then float32 and int32 add the currents of a step without rounding, in any order. The weights of convolutions and
dense layers stay below 2**15 too where they carry spikes, so that simulators can multiply integers of 16 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.connectivity import Convolution, Dense
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


@dataclass(frozen=True, eq=False)
class Gridded:
    """A population's connections and bias on its grid.

    Attributes:
        unit: u.
        connections: with integer weights, float32.
        bias: integers, float32, or None.
        rounding: the largest |rint(w·u)/u − w| of each connection, relative to its largest |w|.
    """

    unit: int
    connections: tuple[Connection, ...]
    bias: Array | None
    rounding: tuple[float, ...]


def to_grid(
    name: str,
    connections: Sequence[Connection],
    bias: Array | None,
    amplitudes: Sequence[float],
    largest_unit: int,
) -> Gridded:
    """Choose u for a population and round its weights and bias.

    Args:
        name: of the population, for messages.
        connections: with weights in thresholds, float64.
        bias: current per step in thresholds, shape (size,), or None.
        amplitudes: the largest |value| that each connection's source can send in a step.
        largest_unit: the upper limit of u.

    Raises:
        KgennError: KG404 where no useful grid exists.
    """
    reach = _reach(connections, bias, amplitudes)
    if not np.isfinite(reach):
        what = f"the weights into one neuron sum up to {reach} thresholds"
        raise fail("KG404", name, what, "check the model: its weights are too large to compute with")
    unit = min(largest_unit, int((EXACT - 1) / max(reach, 1e-30)))
    while unit >= SMALLEST_UNIT:
        unit -= unit % 2
        rounded = tuple(_rounded(c, unit) for c in connections)
        whole_bias = None if bias is None else np.rint(bias * unit)
        # one more for the rounding of each direct current
        if _reach(rounded, whole_bias, amplitudes) + len(rounded) < EXACT:
            errors = tuple(_error(a, b, unit) for a, b in zip(connections, rounded, strict=True))
            final = None if whole_bias is None else whole_bias.astype(np.float32)
            return Gridded(unit, tuple(map(_as_float32, rounded)), final, errors)
        unit = int(unit * 0.999) - 1
    what = f"the weights into one neuron sum up to {reach:.3g} thresholds, which leaves a grid of {unit} steps"
    raise fail("KG404", name, what, "use a larger calibration set or another converter: its scale is too small")


def narrowed(unit: int, connections: Sequence[Connection]) -> int:
    """Return the largest unit, up to `unit`, for which products have weights of 16 bits.

    Where that is less than `unit` it is a power of two, as `unit` is: then w/u is exact in float32, which is how
    other tools read weights.

    Args:
        connections: that carry spikes, with weights in thresholds.
    """
    for connection in connections:
        kind = connection.connectivity
        if isinstance(kind, Dense) or (isinstance(kind, Convolution) and kind.weights.shape[2] > 1):
            finest = LARGEST_WEIGHT / max(float(np.abs(kind.weights).max(initial=0.0)), 1e-3)
            unit = min(unit, 1 << max(0, int(np.log2(max(finest, 1.0)))))
    return unit


def _reach(connections: Sequence[Connection], bias: Array | None, amplitudes: Sequence[float]) -> float:
    """Return the largest possible |current| of one step over the population's neurons."""
    total: Array = np.zeros(()) if bias is None else np.abs(bias)
    for connection, amplitude in zip(connections, amplitudes, strict=True):
        total = total + connection.magnitude() * amplitude
    return float(np.max(total, initial=0.0))


def _rounded(connection: Connection, unit: int) -> Connection:
    old = connection.connectivity
    return replace(connection, connectivity=old.with_weights(np.rint(old.weights * unit)))


def _as_float32(connection: Connection) -> Connection:
    old = connection.connectivity
    return replace(connection, connectivity=old.with_weights(old.weights.astype(np.float32)))


def _error(exact: Connection, rounded: Connection, unit: int) -> float:
    weights = exact.connectivity.weights
    largest = float(np.abs(weights).max(initial=0.0))
    worst = float(np.abs(rounded.connectivity.weights / unit - weights).max(initial=0.0))
    return worst / largest if largest else 0.0
