"""What steps a network through time: the state of its neurons from one timestep to the next."""

from __future__ import annotations

from abc import ABC, abstractmethod

from kgenn.ir.graph import Array


class Stepper(ABC):
    """One sample of a network, a timestep at a time.

    After each step the spikes and scores are those of a run with the same inputs. It begins with sample 0.
    """

    @abstractmethod
    def reset(self, sample: int) -> None:
        """Begin a sample, whose number keys the random numbers of Poisson encoders."""

    @abstractmethod
    def step(self, x: Array | None) -> None:
        """Run a timestep.

        Args:
            x: the values of all inputs one after the other, as the model takes them, shape (num_inputs,), float32;
                None for those of the step before.

        Raises:
            KgennError: KG603 for values that an encoder does not take; then nothing has run.
        """

    @property
    @abstractmethod
    def scores(self) -> Array:
        """Return what the readouts integrated so far, shape (num_scores,), float32."""

    @property
    @abstractmethod
    def spikes(self) -> Array:
        """Return the values of the last step's spikes, of all spiking populations, int8."""

    def close(self) -> None:  # noqa: B027 (most hold nothing but arrays)
        """Give back what it holds."""
