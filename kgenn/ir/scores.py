"""From what readouts integrated to the model's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Network, NetworkOutput, Population
from kgenn.ir.output_end import OutputEnd, end_of

# Above it a single sigmoid says class 1, as Keras' binary accuracy has it.
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Head:
    """An output of a network, and what its scores stand for.

    The scores that methods take are those of all readouts, shape (..., num_scores), of which a head reads its own.

    Attributes:
        network, output: which.
    """

    network: Network
    output: NetworkOutput

    @property
    def name(self) -> str:
        """Return the output's name."""
        return self.output.name

    @cached_property
    def readout(self) -> Population:
        """Return the population whose scores are read."""
        return self.network.by_name[self.output.population]

    @property
    def columns(self) -> slice:
        """Return which scores of a sample are the head's."""
        return self.network.score_columns[self.output.population]

    @property
    def shape(self) -> Shape:
        """Return the shape of the output."""
        return self.readout.shape

    @property
    def is_binary(self) -> bool:
        """Tell whether a single value says which of two classes it is: a sigmoid, above 0.5 or not."""
        names = [activation.name for activation in self.output.activations]
        return self.readout.size == 1 and names[-1:] == ["sigmoid"]

    @cached_property
    def end(self) -> OutputEnd:
        """Return how the model ends there."""
        return end_of(self.shape, self.output.activations, tuple(self.network.input_shapes.values()))

    def full_score(self, steps: int) -> float:
        """Return what stands for λ after so many steps: a constant current of 1, or a spike at every step."""
        network = self.network
        unit, span = self.readout.unit, steps if network.code.steady else network.levels
        full = {"late-current": unit * steps * (steps + 1) * (2 * steps + 1) / 6, "current": unit * span}
        return full.get(network.readout, span)

    def factors(self, steps: int) -> Array:
        """Return what turns scores after so many steps into the model's units: shape (1,) or (channels,)."""
        return np.atleast_1d(np.asarray(self.readout.scale, np.float64) / self.full_score(steps))

    def in_model_units(self, scores: Array, steps: int) -> Array:
        """Return scores after so many steps as what the model's last weights give, float64, shape (..., size)."""
        factor, own = self.factors(steps), scores[..., self.columns]
        value: Array = own * np.tile(factor, own.shape[-1] // len(factor))
        return value

    def activated(self, values: Array) -> Array:
        """Return the model's output for what its last weights give, both of shape (..., size), float64."""
        shaped = values.reshape(*values.shape[:-1], *self.shape)
        for activation in self.output.activations:
            shaped = activation.apply(shaped)
        return shaped.reshape(values.shape)

    def values(self, scores: Array, steps: int) -> Array:
        """Return scores after so many steps as the model's output, shape (..., size), float64."""
        return self.activated(self.in_model_units(scores, steps))


def heads_of(network: Network) -> tuple[Head, ...]:
    """Return a network's outputs, in order."""
    return tuple(Head(network, output) for output in network.outputs)
