"""Calibration data: the samples that a conversion learns from, checked before anything is computed of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.diagnostics import fail
from kgenn.ir.frames import timed_shapes
from kgenn.ir.graph import Array, Shape
from kgenn.ir.naming import ALL_NAMED, Naming
from kgenn.ir.samples import Samples, SamplesLike, place_of, refuse_shape, samples_of

# What they are called in messages.
CALIBRATION = "calibration data"
CODE = "KG402"


def calibration_samples(
    x: SamplesLike, shapes: Mapping[str, Shape], naming: Naming = ALL_NAMED, frames: bool = False
) -> Samples:
    """Return calibration data as samples of a model's inputs.

    Args:
        x: as `samples_of` takes them.
        shapes: of one sample, by the names of the inputs, in order.
        naming: of the model.
        frames: samples of some inputs are frames, (N, T, *shape).

    Raises:
        KgennError: KG402 where there are none, or they are not finite real numbers of these shapes.
    """
    samples = samples_of(x, shapes, CALIBRATION, CODE, naming)
    if not len(samples):
        raise fail(CODE, CALIBRATION, "hold no samples", "give a few hundred training samples")
    expected = timed_shapes(samples, shapes, CALIBRATION) if frames else shapes
    for name, array in samples.arrays.items():
        where = place_of(CALIBRATION, name, shapes)
        timed = f", or of shape {_batch('N, T', shapes[name])} where it changes with time" if frames else ""
        more = f"{timed}, a few hundred training samples"
        refuse_shape(array.shape, expected[name], where, CODE, more)
        _refuse_odd(array, where)
    return samples[:]


def _batch(axes: str, shape: Shape) -> str:
    return f"({', '.join((axes, *map(str, shape)))})"


def _refuse_odd(array: Array, where: str) -> None:
    """Raise KG402 for samples with values that are not finite."""
    odd = next((i for i, sample in enumerate(array) if not np.isfinite(sample).all()), None)
    if odd is not None:
        what = f"have values that are not finite, the first in sample {odd}"
        raise fail(CODE, where, what, "leave such samples out, or repair them")
