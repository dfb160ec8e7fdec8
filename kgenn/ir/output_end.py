"""How a model ends: what can be known of an output without running it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from kgenn.ir.output_activation import OutputActivation
from kgenn.ir.samples import Shape


class ClassLayout(NamedTuple):
    """The classes that an output predicts for a sample.

    Attributes:
        predicted: how many; 0 where it predicts values.
        candidates: of how many values the largest is one of them; of one, whether it is above the threshold.
    """

    predicted: int
    candidates: int


@dataclass(frozen=True)
class OutputEnd:
    """An output of a model or of a network.

    Attributes:
        shape: of one sample's output, as Keras has it.
        activations: what the host computes of it, one after the other; empty where the model ends linearly.
        like_input: an input of the model has the same shape.
    """

    shape: tuple[int, ...]
    activations: tuple[OutputActivation, ...] = ()
    like_input: bool = False

    @property
    def size(self) -> int:
        """Return the number of values of one sample."""
        return prod(self.shape)

    @property
    def last(self) -> str:
        """Return the name of the last activation; empty where there is none."""
        return self.activations[-1].name if self.activations else ""

    @property
    def keeps_order(self) -> bool:
        """Tell whether the largest value is the largest before the activations too."""
        return all(activation.keeps_order(self.shape) for activation in self.activations)

    @property
    def is_vector(self) -> bool:
        """Tell whether the values lie along the last axis alone, or all of them share one softmax."""
        axis = self.activations[-1].axis if self.activations else None
        over_all = axis is not None and self.shape[axis] == self.size
        return over_all or prod(self.shape[:-1]) == 1


def end_of(shape: Shape, activations: tuple[OutputActivation, ...], inputs: tuple[Shape, ...]) -> OutputEnd:
    """Return how an output ends, of a model with inputs of these shapes."""
    return OutputEnd(tuple(shape), activations, tuple(shape) in {tuple(given) for given in inputs})
