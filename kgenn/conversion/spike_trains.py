"""Fit the neurons of a network to few timesteps, layer by layer, to the currents that really come.

The lowered graph is computed twice at once on the calibration set: as it is, and with the spike trains of T steps
in place of each ReLU's value. At each ReLU the currents of all steps are known then, and a method chooses neurons
whose spikes say what the ReLU's value is in the model.

In a rate code, the input and the biases flow in every step, and a train says the mean of its steps. In a
differential code they flow in the first step, later ones carry corrections, and a train says the sum of its steps.

Source: the correction layer by layer, Li et al. 2021, arXiv:2106.06984.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Generic, Self, TypeVar

import numpy as np

from kgenn.conversion.activations import BATCH, known_scale
from kgenn.conversion.refit import WITH_WEIGHTS, refitted
from kgenn.conversion.scales import cap_of
from kgenn.conversion.twins import PairedValues, batched, walked
from kgenn.ir.graph import Array, Graph, Input, Layer, Node
from kgenn.ir.samples import Samples
from kgenn.layers.activation import ReLU
from kgenn.layers.pooling import MaxPool

# Arrays of each value that are kept beside those of the steps: the model's, and what is computed at a time.
KEPT = 2


@dataclass(frozen=True, eq=False)
class Neurons(ABC):
    """The neurons that stand for the values of a ReLU; fields that are arrays are of shape (channels,)."""

    @abstractmethod
    def steps(self, currents: Array, num_timesteps: int) -> Iterator[Array]:
        """Yield what the spikes of each step stand for, shape (..., channels), float32; the array is used again.

        Args:
            currents: in units of activation, shape (steps, ..., channels). They have one step where no input
                changes.
        """

    def where(self, chosen: Array, other: Self) -> Self:
        """Return neurons that are these in the channels chosen, shape (channels,), and the other's elsewhere."""
        names = (field.name for field in fields(self) if isinstance(getattr(self, field.name), np.ndarray))
        arrays = {name: np.where(chosen, getattr(self, name), getattr(other, name)) for name in names}
        return replace(other, **arrays)


N = TypeVar("N", bound=Neurons)


@dataclass(frozen=True, eq=False)
class Fitted(Generic[N]):
    """What was fitted to a graph.

    Attributes:
        neurons: of each ReLU.
        shifts: for each output what its train says too little, in units of its value, shape (channels,).
        layers: of the nodes whose weights are others now.
    """

    neurons: Mapping[str, N]
    shifts: Mapping[str, Array]
    layers: Mapping[str, Layer]


def sent(neurons: Neurons, currents: Array, num_timesteps: int) -> Array:
    """Return what `Neurons.steps` yields as one array, shape (T, ..., channels), float32."""
    spikes = np.empty((num_timesteps, *currents.shape[1:]), np.float32)
    for t, now in enumerate(neurons.steps(currents, num_timesteps)):
        spikes[t] = now
    return spikes


def fitted(
    graph: Graph,
    samples: Samples,
    num_timesteps: int,
    fit: Callable[[Node, Array, Array], N],
    *,
    weights: bool = True,
    differential: bool = False,
) -> Fitted[N]:
    """Fit the neurons of each ReLU, and the weights behind them, one after the other.

    Args:
        graph: lowered.
        num_timesteps: T.
        fit: chooses the neurons of a ReLU, given its currents, shape (steps, N, ..., channels), and its values in
            the model, shape (N, ..., channels).
        weights: fit them too; see `kgenn.conversion.refit`.
        differential: the code is a differential one.
    """
    size, given = graph.batch_size(BATCH), graph.samples(samples)
    neurons: dict[str, N] = {}
    shifts: dict[str, Array] = {}
    layers: dict[str, Layer] = {}
    # nodes that read what spikes say; what comes before is exact
    spoken: set[str] = set()

    def said(train: Array) -> Array:
        total: Array = train.sum(axis=0)
        if not differential:
            total /= len(train)
        return total

    def compute(node: Node, inputs: list[PairedValues]) -> PairedValues:
        if isinstance(node.layer, Input):
            x = batched(node.layer.forward, size, given.arrays[node.name])
            return PairedValues(x, x[np.newaxis])
        model = batched(node.layer.forward, size, *(twin.model for twin in inputs))
        trains = [twin.network for twin in inputs]
        if weights and isinstance(node.layer, WITH_WEIGHTS) and spoken.issuperset(node.inputs):
            layer = refitted(node.layer, said(trains[0]), model, size)
            if layer is not node.layer:
                layers[node.name], node = layer, replace(node, layer=layer)
        if isinstance(node.layer, ReLU) or not spoken.isdisjoint(node.inputs):
            spoken.add(node.name)
        if isinstance(node.layer, ReLU):
            neurons[node.name] = fit(node, trains[0], model)
            return PairedValues(model, sent(neurons[node.name], trains[0], num_timesteps))
        if isinstance(node.layer, MaxPool):
            return PairedValues(model, pooled(node.layer, trains[0], size))
        return PairedValues(model, linear(node, trains, size, differential))

    for node, twin in walked(graph, compute):
        if node.name in graph.ends and node.name not in neurons:
            missing = twin.model - said(twin.network)
            axes = tuple(range(missing.ndim - 1))
            shifts[node.name] = np.asarray(np.mean(missing, axis=axes, dtype=np.float64))
    return Fitted(neurons, shifts, layers)


def linear(node: Node, trains: list[Array], size: int, differential: bool) -> Array:
    """Return the value of a linear node in each step: of one step where no input changes."""
    steps = max(map(len, trains))
    constant = node.layer.of_zeros(*(train.shape[2:] for train in trains)).astype(np.float32)

    def value(t: int) -> Array:
        if not differential:
            return batched(node.layer.forward, size, *(train[t if len(train) > 1 else 0] for train in trains))
        now = [train[t] if t < len(train) else np.zeros_like(train[0]) for train in trains]
        given = batched(node.layer.forward, size, *now)
        return given if t == 0 else given - constant

    first = value(0)
    values = np.empty((steps, *first.shape), np.float32)
    values[0] = first
    for t in range(1, steps):
        values[t] = value(t)
    return values


def pooled(layer: MaxPool, trains: Array, size: int) -> Array:
    """Return what a max pooling sends in each step: the increase of the largest sum of each window."""
    sums = np.cumsum(trains, axis=0, dtype=np.float32)
    largest = np.stack([batched(layer.forward, size, each) for each in sums])
    increases: Array = np.diff(largest, axis=0, prepend=np.zeros_like(largest[:1]))
    return increases


def some_values(currents: Array, values: Array, limit: int, unit: Array | float = 1.0) -> tuple[Array, Array]:
    """Return at most so many values of each channel with their currents, the same for the same numbers.

    Args:
        currents: shape (steps, N, ..., channels).
        values: shape (N, ..., channels).
        limit: of the values.
        unit: that both are given in.

    Returns:
        Arrays of shape (steps, values, channels) and (values, channels).
    """
    channels = values.shape[-1]
    currents, values = currents.reshape(len(currents), -1, channels), values.reshape(-1, channels)
    count = len(values)
    if count <= limit:
        return currents / unit, values / unit
    rows = np.sort(np.random.default_rng(count).choice(count, limit, replace=False))
    return currents[:, rows] / unit, values[rows] / unit


def candidates(node: Node, scale: Array, shares: Sequence[float]) -> list[Array]:
    """Return the scales λ that are tried for a ReLU, up to its cap: shares of one, or the known one of a piece."""
    if known_scale(node) is not None:
        return [scale]
    cap = cap_of(node)
    return [np.minimum(share * scale, np.inf if cap is None else cap) for share in shares]
