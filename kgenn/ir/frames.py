"""Samples of inputs that change with time: a frame for each timestep, in place of one that holds for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.graph import Array, Shape
from kgenn.ir.samples import Samples


@dataclass(frozen=True, eq=False)
class Frames:
    """Samples of which some inputs change with time.

    Attributes:
        samples: shape (N, T, *input shape) of an input that changes, (N, *input shape) of one that holds.
        changing: the names of the inputs that change.
        num_timesteps: T.
    """

    samples: Samples
    changing: frozenset[str]
    num_timesteps: int

    def __getitem__(self, rows: slice | Array) -> Frames:
        return Frames(self.samples[rows], self.changing, self.num_timesteps)

    def mean(self) -> Samples:
        """Return the mean of each sample's frames, shape (N, *input shape): its rates where it is spikes."""
        arrays = self.samples.arrays.items()
        return Samples({name: _mean(x) if name in self.changing else x for name, x in arrays})

    def extremes(self) -> Samples:
        """Return the least and the largest of each value, over samples and frames, shape (2, *input shape)."""
        both = {
            name: np.stack([_over(np.min, x, name in self.changing), _over(np.max, x, name in self.changing)])
            for name, x in self.samples.arrays.items()
        }
        return Samples(both)


def _mean(x: Array) -> Array:
    """Return the mean over the frames, float32."""
    mean: Array = np.asarray(np.mean(x, axis=1, dtype=np.float64), np.float32)
    return mean


def _over(function: Callable[..., Array], x: Array, changing: bool) -> Array:
    return function(x, axis=(0, 1) if changing else 0)


def frames_of(samples: Samples, shapes: Mapping[str, Shape], where: str) -> Frames:
    """Return samples as frames.

    Args:
        shapes: of a frame of each input.
        where: the data, for messages.

    Raises:
        KgennError: KG402 as `timed_shapes`.
    """
    timed = timed_shapes(samples, shapes, where)
    changing = frozenset(name for name in shapes if timed[name] != shapes[name])
    (steps,) = {timed[name][0] for name in changing}
    return Frames(samples, changing, steps)


def timed_shapes(samples: Samples, shapes: Mapping[str, Shape], where: str) -> dict[str, Shape]:
    """Return the shape of one sample of each input, (T, *shape) where the data have one more axis than the input.

    A channel axis of length 1 may be missing.

    Raises:
        KgennError: KG402 where no input has frames, or two have not the same number of them.
    """
    counts = {name: _count(np.shape(x), shapes[name]) for name, x in samples.arrays.items()}
    steps = {count for count in counts.values() if count is not None}
    if len(steps) == 1 and 0 not in steps:
        return {name: shape if counts[name] is None else (*steps, *shape) for name, shape in shapes.items()}
    if steps:
        found = ", ".join(f"{count} of {name}" for name, count in counts.items() if count is not None)
        what = f"have different numbers of frames: {found}" if len(steps) > 1 else "have 0 frames a sample"
        raise fail("KG402", where, what, "give the same number of frames, at least one, for each changing input")
    _refuse_channels_first(samples, shapes, where)
    of = {name: f" of {name}" * (len(shapes) > 1) for name in shapes}
    found = ", ".join(f"{np.shape(x)}{of[name]}" for name, x in samples.arrays.items())
    expected = ", ".join(f"(N, T, {', '.join(map(str, shape))}){of[name]}" for name, shape in shapes.items())
    what = f"have no frames of the model's shape: arrays of shape {found}"
    raise fail("KG402", where, what, f"give arrays of shape {expected}, or leave --frames out")


def _refuse_channels_first(samples: Samples, shapes: Mapping[str, Shape], where: str) -> None:
    """Raise KG402 for frames whose channels come first, as tonic's `ToFrame` and PyTorch have them."""
    for name, shape in shapes.items():
        found = np.shape(samples.arrays[name])
        if len(shape) == 3 and found[2:] == (shape[2], *shape[:2]):
            what = f"have frames of shape {found[2:]} with the channels first; the model takes {shape}"
            raise fail("KG402", where, what, "move them: x.transpose(0, 1, 3, 4, 2)")


def _count(found: Shape, shape: Shape) -> int | None:
    """Return how many frames an array of samples has; None where it has none."""
    bare = shape[:-1] if shape[-1:] == (1,) else shape
    frames = len(found) > 2 and found[2:] in (shape, bare) and found[1:] not in (shape, bare)
    return found[1] if frames else None
