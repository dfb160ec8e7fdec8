"""Trust a channel's statistics as far as the calibration samples carry.

A channel's scale from n samples is too small where new samples have larger activations, which are clipped then. It
is moved towards what its layer says of it, where that is larger, by the share::

    w(n) = max(0, N/(N + n) − N/(N + ENOUGH))        with N = 8

and, where the code clips, has room for 1 + w times as much: new samples exceed the old ones in every channel. From
`ENOUGH` samples on nothing is moved. A single one counts for little, whatever the size of its images: what is in
one part of an image is in its other parts too.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kgenn.conversion.channel_units import as_of_layer
from kgenn.diagnostics import Diagnostic
from kgenn.ir.calibration_data import CALIBRATION
from kgenn.ir.graph import Array
from kgenn.ir.samples import Samples

# Samples from which on a channel's own statistics are trusted.
ENOUGH = 256
# Samples that a layer's statistics count for, beside those of a channel.
PRIOR = 8
# Below so many the user hears of it: the share that is moved is a twentieth and more.
FEW = 64


def prior_weight(num_samples: int) -> float:
    """Return w(n), in [0, 1)."""
    return max(0.0, PRIOR / (PRIOR + num_samples) - PRIOR / (PRIOR + ENOUGH))


def trusted(
    scales: Mapping[str, Array], units: Mapping[str, Array], num_samples: int, clipped: bool = True
) -> dict[str, Array]:
    """Return scales that hold for new samples as well: of shape (channels,); of shape () as they are.

    Args:
        units: of the channels, see `kgenn.conversion.channel_units`.
        clipped: activations beyond the scale are lost.
    """
    share = prior_weight(num_samples)
    room = 1 + share if clipped else 1.0

    def moved(scale: Array, unit: Array) -> Array:
        further = as_of_layer(scale, unit) - scale
        return np.asarray(room * (scale + share * np.maximum(further, 0)))

    return {name: moved(scale, units[name]) if scale.ndim else scale for name, scale in scales.items()}


def sample_warnings(samples: Samples, channelwise: bool, correction: bool) -> tuple[Diagnostic, ...]:
    """Return the warning that samples are few for what is estimated, or are one sample only; see KG452."""
    num_samples = len(samples)
    if num_samples > 1 and _all_equal(samples):
        what = f"all {num_samples} samples are equal; others may lose accuracy without a warning"
        return (Diagnostic("KG452", CALIBRATION, what, f"give {ENOUGH} different training samples or more"),)
    estimates = {"a scale for each channel": channelwise, "bias corrections": correction}
    estimated = [what for what, estimated in estimates.items() if estimated]
    if num_samples >= FEW or not estimated:
        return ()
    few = f"{num_samples} samples are few" if num_samples != 1 else "1 sample is little"
    what = f"{few} for {' and '.join(estimated)}; new samples may lose accuracy"
    return (Diagnostic("KG452", CALIBRATION, what, f"give {ENOUGH} samples or more"),)


def _all_equal(samples: Samples) -> bool:
    """Tell whether there is only one sample, again and again; the first that differs ends the search."""
    arrays = samples.arrays.values()
    return all(np.array_equal(array[i], array[0]) for array in arrays for i in range(1, len(array)))
