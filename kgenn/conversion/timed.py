"""Conversions for inputs that change with time: activations of the mean of the frames, a current of each."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from kgenn.conversion.convert import Conversion
from kgenn.conversion.recipe import Recipe
from kgenn.diagnostics import fail
from kgenn.ir.frames import Frames
from kgenn.ir.spike_code import SPIKE_CODES
from kgenn.ir.words import counted

Search = TypeVar("Search")


def timesteps_for(frames: Frames | None, recipe: Recipe, timesteps: int | Search | None) -> int | Search:
    """Return T, or the search for it: of inputs that change with time the number of frames.

    Args:
        timesteps: as given; None for the number of frames, or else the method's default.

    Raises:
        KgennError: KG401 where the method takes no frames, or T is to be another.
    """
    if frames is None:
        return recipe.converter.default_timesteps if timesteps is None else timesteps
    converter, steps = recipe.converter, frames.num_timesteps
    if not SPIKE_CODES[converter.code].steady:
        what = f"the method {converter.name} takes an input as one number, which holds for a whole sample"
        raise fail("KG401", "frames", what, "use data-norm, spike-norm, threshold-relu or burst")
    if timesteps not in (None, steps):
        given = timesteps if isinstance(timesteps, int) else "auto"
        what = f"is {given}, and the calibration data have {counted(steps, 'frame')} a sample"
        raise fail("KG401", "timesteps", what, "leave it out: T is the number of frames")
    return steps


def with_frames(made: Conversion, frames: Frames | None) -> Conversion:
    """Return a conversion whose inputs change with time, noted."""
    if frames is None:
        return made
    inputs = tuple(replace(i, changing=i.name in frames.changing) for i in made.network.inputs)
    notes = (
        f"{name}: changes with time, {counted(frames.num_timesteps, 'frame')} a sample; activations were "
        "calibrated, and the model is compared, on the mean of the frames"
        for name in sorted(frames.changing)
    )
    return replace(made, network=replace(made.network, inputs=inputs), lowered=made.lowered.noted(*notes))
