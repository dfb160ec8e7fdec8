"""The inputs of a network: what happens to samples before they drive a population."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from kgenn.comma_list import option
from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Shape
from kgenn.ir.input_statistics import InputStatistics
from kgenn.ir.samples import refuse_shape


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

    def drive(
        self,
        x: Array,
        frames: int = 1,
        name: str = "",
        several: bool = False,
        made: tuple[InputTransform, Array] | None = None,
        first: int = 0,
    ) -> Array:
        """Return the drive of every input neuron, integers in float32, shape (N, num_inputs).

        Args:
            x: values in the range, shape (N, ...).
            frames: rows of x that are one sample.
            name: of the input, for messages.
            several: it is one of several.
            made: what made x, and of which samples: messages speak of those.
            first: the number of the first sample, for messages.

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
            where = f"encoder {self.encoder}" + (f" of input {name}" if name else "")
            raise fail("KG603", where, self._refusal(x, made), self._advice(x, frames, name * several, first))
        drive = x * np.float32(self.levels)
        return np.rint(drive, out=drive)

    def _refusal(self, x: Array, made: tuple[InputTransform, Array] | None) -> str:
        """Return what is wrong with values, in the units of the samples that the user gave."""
        finite = bool(np.isfinite(x).all())
        low, high, found = self.low, self.high, f"values from {x.min():g} to {x.max():g}"
        if not finite:
            found = "values that are not finite"
        elif made is not None and made[0].rescales and self.binarise is None:
            transform, raw = made
            ends = transform.before(low, high)
            own = f"values from {raw.min():g} to {raw.max():g}"
            low, high = ends or (low, high)
            found = own if ends else f"{own}, {found} once the network has scaled them"
        allowed = f"{low:g} or {high:g}" if self.binary else f"{low:g} to {high:g}"
        return f"takes {allowed}, but the data have {found}"

    def _advice(self, x: Array, frames: int, name: str, first: int) -> str:
        """Return what to do about data that the encoder does not take, shape (N, num_inputs).

        Args:
            name: of one of several inputs; else empty.
            first: the number of the first sample.
        """
        finite = np.isfinite(x).all(axis=1)
        if not finite.all():
            odd = first + int(np.argmin(finite)) // frames
            return f"leave such samples out, the first of which is sample {odd}, or repair them"
        if self.binary:
            return "give only 0 and 1, or compile with --binarise THRESHOLD"
        if self.low == 0 and x.min() < 0:
            return "compile with an encoder that takes negative values: direct, or a signed one"
        scale = option("--scale", {name: "1/255"})
        return (
            f"scale the data as the calibration data were scaled, for example {scale}; or calibrate with samples "
            "that reach as far"
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

    def before(self, low: float, high: float) -> tuple[float, float] | None:
        """Return the values that a range is made of; None where they are not those of all values alike."""
        scale, shift = np.unique(self.scale), np.unique(self.shift)
        if len(scale) != 1 or len(shift) != 1 or scale[0] == 0:
            return None
        ends = sorted(((low - shift[0]) / scale[0], (high - shift[0]) / scale[0]))
        return float(ends[0]), float(ends[1])

    def apply(self, x: Array) -> Array:
        """Transform a batch of shape (N, *input shape); the result is float32."""
        moved = x.transpose(0, *(axis + 1 for axis in self.axes))
        if not self.rescales:
            return moved.astype(np.float32, copy=False)
        scaled = np.multiply(moved, self.scale, dtype=np.float64)
        return np.add(scaled, self.shift, out=scaled).astype(np.float32)


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """An input of a network: the samples that it takes, and how they drive its population.

    Attributes:
        name: that of the model's input, and of the population.
        shape: of one sample as the user gives it, or of a frame of one.
        transform: what happens to a sample before `coding`.
        coding: how a value drives a neuron.
        calibrated_on: statistics of the calibration data; None where they are not known.
        changing: a sample is a frame for each timestep, of this shape each, and not one that holds for all.
    """

    name: str
    shape: Shape
    transform: InputTransform
    coding: InputCoding
    calibrated_on: InputStatistics | None = None
    changing: bool = False

    @property
    def size(self) -> int:
        """Return the number of values of a frame, and of input neurons."""
        return prod(self.shape)

    def sample_shape(self, num_timesteps: int) -> Shape:
        """Return the shape of one sample as the user gives it."""
        return (num_timesteps, *self.shape) if self.changing else self.shape

    def frames(self, x: Array, num_timesteps: int, several: bool = False, first: int = 0) -> Array:
        """Return the drive of a batch at every timestep, shape (N, T, num_inputs); see `drive`.

        Args:
            x: shape (N, T, *shape), or (N, *shape) of an input that holds.
        """
        if not self.changing:
            return np.repeat(self.drive(x, several=several, first=first)[:, None], num_timesteps, axis=1)
        refuse_shape(x.shape, (num_timesteps, *self.shape), self.name)
        drive = self.drive(x.reshape(-1, *self.shape), num_timesteps, several, first)
        return drive.reshape(len(x), num_timesteps, self.size)

    def drive(self, x: Array, frames: int = 1, several: bool = False, first: int = 0) -> Array:
        """Return the drive of each input neuron for a batch x of shape (N, *shape), integers in float32.

        Args:
            frames: rows of x that are one sample, for messages.
            several: it is one of several inputs, for messages.
            first: the number of the first sample, for messages.

        Raises:
            KgennError: KG602 for another shape, KG603 for values that the encoder does not take.
        """
        refuse_shape(x.shape, self.shape, self.name)
        return self.coding.drive(self.transform.apply(x), frames, self.name, several, (self.transform, x), first)
