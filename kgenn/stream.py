"""A network that runs timestep by timestep, in Python: for a camera's frames, or a loop that acts."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np

from kgenn.backends.stepping import Stepper
from kgenn.config import whole
from kgenn.data.load import AS_FLOATS, refuse_integers
from kgenn.diagnostics import KgennError, fail
from kgenn.ir.graph import Array, Shape
from kgenn.ir.network import Network
from kgenn.ir.samples import SamplesLike, place_of, samples_of
from kgenn.ir.scores import Head, heads_of

LARGEST_SAMPLE = 2**31 - 1


class Stream:
    """A network that runs timestep by timestep and keeps its neurons' state; see `CompiledNetwork.stream`.

    The steps after a reset give the spikes and scores of a run with the same inputs. It is a context manager::

        with snn.stream() as stream:
            for frame in frames:
                print(stream.step(frame).argmax())

    Attributes:
        timestep: how many steps the sample has run.
    """

    def __init__(self, network: Network, stepper: Stepper) -> None:
        self.network, self.timestep = network, 0
        self._heads, self._given = heads_of(network), False
        self._stepper: Stepper | None = stepper

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the memory; the stream cannot be stepped afterwards."""
        if self._stepper is not None:
            self._stepper.close()
        self._stepper = None

    def reset(self, sample: int = 0) -> None:
        """Begin a sample: reset every neuron, and drop the input that is held.

        Args:
            sample: its number, which keys the random numbers of Poisson encoders.
        """
        self._open.reset(whole("sample", sample, 0, LARGEST_SAMPLE))
        self.timestep, self._given = 0, False

    def step(self, x: SamplesLike | None = None) -> Array | dict[str, Array]:
        """Run a timestep, and return the model's outputs after it; see `outputs`.

        Args:
            x: one sample as the model takes it, without a batch axis, or a frame of it where inputs change with
                time; of several inputs a list of arrays in their order, or a mapping. Without it the input of the
                step before is held.

        Raises:
            KgennError: KG602 to KG604 for inputs that the network does not take, and KG602 for a first step
                without one; KG401 for a second input of a sample where the method takes only one. Nothing has run
                then.
        """
        stepper = self._open
        if x is None and not self._given:
            raise fail("KG602", "stream", "has no input to hold in the first step", "give one: stream.step(x)")
        if x is not None and self._given and not self.network.code.steady:
            what = "the method takes the input of the first step for the whole sample"
            raise fail("KG401", "stream", what, "call reset() before an input of another sample")
        stepper.step(None if x is None else self._values(x))
        self._given, self.timestep = True, self.timestep + 1
        return self.outputs

    @property
    def outputs(self) -> Array | dict[str, Array]:
        """Return the model's output after the last step, in its shape, float32; of several outputs a mapping."""
        if not self.timestep:
            raise fail("KG602", "stream", "has no outputs before the first step", "call step(x)")
        scores = self._open.scores
        with np.errstate(over="ignore"):  # infinite, as it is in Keras
            found = {
                head.name: head.values(scores, self.timestep).reshape(self._shape_of(head)).astype(np.float32)
                for head in self._heads
            }
        return found if len(found) > 1 else next(iter(found.values()))

    def _shape_of(self, head: Head) -> Shape:
        return () if head.name in self.network.naming.single_values else head.shape

    @property
    def scores(self) -> Array:
        """Return what the readouts integrated so far, shape (num_scores,), float32."""
        return self._open.scores

    @property
    def spikes(self) -> dict[str, Array]:
        """Return the values of the last step's spikes, of each spiking population by its name, in its shape."""
        spikes, start, found = self._open.spikes, 0, {}
        for population in self.network.spiking:
            found[population.name] = spikes[start : start + population.size].reshape(population.shape)
            start += population.size
        return found

    @property
    def _open(self) -> Stepper:
        if self._stepper is None:
            raise fail("KG401", "stream", "is closed", "make another one: compiled.stream()")
        return self._stepper

    def _values(self, x: SamplesLike) -> Array:
        """Return the values of all inputs one after the other."""
        network = self.network
        shapes = {given.name: given.shape for given in network.inputs}
        arrays = samples_of(_batch_of_one(x, len(shapes)), shapes, network.name, naming=network.naming).arrays
        for given in network.inputs:
            array = arrays[given.name]
            if array.shape[1:] != given.shape:
                raise _misshapen(given.name, array.shape[1:], given.shape)
            refuse_integers(array, place_of("data", given.name, shapes), AS_FLOATS)
        return np.concatenate([np.asarray(arrays[name], np.float32).ravel() for name in shapes])


def _batch_of_one(x: SamplesLike, num_inputs: int) -> SamplesLike:
    """Return one sample with a batch axis."""
    if isinstance(x, Mapping):
        return {name: _one(array) for name, array in x.items()}
    if num_inputs > 1 and isinstance(x, list | tuple):
        return [_one(array) for array in x]
    return _one(x)


def _one(array: Any) -> Array:
    """Return an array with a batch axis; a masked one keeps its mask, so that it is refused."""
    found: Array = array[None] if isinstance(array, np.ma.MaskedArray) else np.asarray(array)[None]
    return found


def _misshapen(name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> KgennError:
    one = "give one sample without a batch axis"
    advice = one if found[1:] == expected else f"give an array of shape {expected}"
    return fail("KG602", name, f"takes an input of shape {expected} in a step, got {found}", advice)
