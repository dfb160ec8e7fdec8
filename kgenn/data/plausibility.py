"""Tell where data are on another scale than the model or the network was made for.

Nothing in a model says on which scale its training data were, so that a mistake of a factor of 255 converts, runs,
and loses accuracy. What gives it away is a contradiction: between the data of a run and the calibration data,
between the data and the layer that scales them, or between the data and the scale that they were given.

Two sets contradict each other where both the largest |value| and the root mean square are `FACTOR` apart, so that
neither an outlier nor a dark image is enough. The set of small values must have `MIN_SAMPLES` samples: a few
images may all be dark.

A channel of the input, a column of a table for one, that hardly moved while the network was calibrated and moves
in a run, is another contradiction: no scale behind it knows of its values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from kgenn.diagnostics import Diagnostic
from kgenn.ir.calibration_data import CALIBRATION
from kgenn.ir.graph import Array, Graph
from kgenn.ir.input_statistics import InputStatistics, statistics_of
from kgenn.ir.network import Network
from kgenn.ir.samples import Samples, place_of
from kgenn.layers.activation import Identity
from kgenn.layers.affine import Affine, BatchNorm, Normalization
from kgenn.layers.shape import Permute, Reshape, ZeroPad

# A scale for all inputs, or for some by their names.
Scales = Fraction | Mapping[str, Fraction] | None
# Halfway, on a scale of logarithms, between 1 and the 255 of pixels.
FACTOR = 16.0
# Samples that are not all dark by chance.
MIN_SAMPLES = 8
# The share of negative values beyond which a set without any is of another kind: [−1, 1] is not [0, 1].
NEGATIVE = 0.1
# The mean square of a channel that moves in more than a few samples, as a share of its largest square; and in how
# many calibration samples such a channel should have moved.
OFTEN = 0.05
SURE = 16
LARGEST_PIXEL = 255


def run_warnings(network: Network, seen: Mapping[str, InputStatistics | None]) -> tuple[Diagnostic, ...]:
    """Return what contradicts the calibration data in those of a run; see KG650.

    Args:
        seen: the statistics of each input's data.
    """
    found: list[Diagnostic] = []
    for given in network.inputs:
        now, where = seen[given.name], place_of("data", given.name, network.inputs)
        if given.calibrated_on is not None and now is not None:
            found.extend(_data_warnings(now, given.calibrated_on, where))
    return tuple(found)


def _data_warnings(seen: InputStatistics, known: InputStatistics, where: str) -> Iterator[Diagnostic]:
    if _apart(seen, known) or _apart(known, seen) or _signs(seen, known):
        what = f"have {_range(seen)}; the network was calibrated on {_range(known)}"
        advice = "scale the data of the run as the calibration data were scaled, or calibrate on data like these"
        yield Diagnostic("KG650", where, what, advice)
        return
    moved = _moved(seen, known)
    if not len(moved):
        return
    first, count = int(moved[0]), len(seen.channel_rms)
    largest = (
        f"|values| up to {seen.channel_largest[first]:.4g}, in calibration {known.channel_largest[first]:.4g}"
    )
    what = (
        f"move {len(moved)} of {count} input channels that hardly moved in calibration, the first being channel "
        f"{first}: {largest}"
    )
    yield Diagnostic("KG650", where, what, "calibrate on data like these, in which every channel moves")


def calibration_warnings(
    graph: Graph, samples: Samples, seen: Mapping[str, InputStatistics | None], scale: Scales
) -> Iterator[Diagnostic]:
    """Yield what contradicts the model in its calibration data; see KG450 and KG451.

    Args:
        graph: as read.
        seen: the statistics of each input's data.
        scale: what the user had them multiplied by, all or some inputs; or None.
    """
    for name, x in samples.arrays.items():
        own, where = seen[name], place_of(CALIBRATION, name, graph.inputs)
        if own is not None:
            yield from _input_warnings(graph, name, x, own, scale_of(scale, name), where)


def scale_of(scale: Scales, name: str) -> Fraction | None:
    """Return the scale of an input."""
    return scale.get(name) if isinstance(scale, Mapping) else scale


def _input_warnings(
    graph: Graph, name: str, x: Array, seen: InputStatistics, scale: Fraction | None, where: str
) -> Iterator[Diagnostic]:
    layers = list(_first_layers(graph, name))
    for origin, layer in layers:
        reason = _scaled_twice(layer, seen)
        if reason:
            what = f"{reason}, but the calibration data have {_range(seen)}"
            yield Diagnostic(
                "KG450", origin, what, "pass the data as the model's input takes them, without --scale"
            )
            return
    if layers:
        return
    if scale is not None and scale >= FACTOR and seen.largest <= scale:
        what = f"have {_range(seen)} after a scale of {scale}, and no layer at the model's input scales them"
        advice = "leave --scale out, unless the model was trained on such values"
        yield Diagnostic("KG451", where, what, advice)
    elif scale is None and _are_pixels(x, seen):
        what = f"are whole numbers with {_range(seen)}, and no layer at the model's input scales them"
        advice = (
            "pass --scale 1/255, or what the model was trained on; --scale 1 if it was trained on such numbers"
        )
        yield Diagnostic("KG451", where, what, advice)


def scale_warnings(x: Array, scale: Fraction | None, where: str) -> tuple[Diagnostic, ...]:
    """Return what contradicts a scale in the data that it is for; see KG651.

    Args:
        x: the data as stored, shape (N, ...).
        scale: None where the user gave none.
        where: the file, for messages.
    """
    seen = None if scale in (None, 1) else statistics_of(x)
    if scale is None or seen is None:
        return ()
    enlarged = scale > 1 and seen.largest > 1
    shrunk = scale * FACTOR < 1 and 0 < seen.largest <= 1 and seen.num_samples >= MIN_SAMPLES
    if not enlarged and not shrunk:
        return ()
    what = f"have {_range(seen)} before the scale of {scale} {'enlarges' if enlarged else 'shrinks'} them"
    advice = f"pass --scale {1 / scale}" if enlarged else "leave --scale out: the data seem scaled already"
    return (Diagnostic("KG651", where, what, advice),)


def _apart(large: InputStatistics, small: InputStatistics) -> bool:
    """Tell whether one set is much larger than another, which has enough samples to trust."""
    far = large.largest > FACTOR * small.largest and large.rms > FACTOR * small.rms
    return far and small.num_samples >= MIN_SAMPLES


def _moved(seen: InputStatistics, known: InputStatistics) -> Array:
    """Return the channels that are far larger in a run than in calibration, and not for a few samples alone."""
    if len(seen.channel_rms) != len(known.channel_rms) or min(seen.num_samples, known.num_samples) < MIN_SAMPLES:
        return np.zeros(0, np.int64)
    rms, largest = np.array(seen.channel_rms), np.array(seen.channel_largest)
    often = rms**2 > max(OFTEN, SURE / known.num_samples) * largest**2
    return np.flatnonzero(often & (rms > FACTOR * np.array(known.channel_largest)))


def _signs(one: InputStatistics, other: InputStatistics) -> bool:
    """Tell whether one set has many negative values, and the other enough samples and none."""
    pairs = ((one, other), (other, one))
    return any(a.negative > NEGATIVE and b.low >= 0 and b.num_samples >= MIN_SAMPLES for a, b in pairs)


def _first_layers(graph: Graph, name: str) -> Iterator[tuple[str, Affine]]:
    """Yield the layers that scale an input before anything else changes its values, with their Keras layers."""
    raw = {name}
    for node in graph.nodes:
        if not node.inputs:
            continue
        if isinstance(node.layer, Identity | Permute | Reshape | ZeroPad) and raw.issuperset(node.inputs):
            raw.add(node.name)
        elif isinstance(node.layer, Affine) and raw.issuperset(node.inputs):
            yield node.origin, node.layer


def _scaled_twice(layer: Affine, seen: InputStatistics) -> str:
    """Return what a layer expects where the data are not like that; else nothing."""
    if seen.num_samples < MIN_SAMPLES:
        return ""
    if isinstance(layer, BatchNorm | Normalization) and not getattr(layer, "invert", False):
        expected = float(np.sqrt(np.mean(np.square(layer.mean, dtype=np.float64) + layer.variance)))
        ratio = expected / max(seen.rms, np.finfo(np.float64).tiny)
        return f"normalises data of a root mean square of {expected:.3g}" if ratio > FACTOR else ""
    factor = float(np.abs(layer.scale_shift()[0]).max())
    return f"multiplies by {factor:.3g}" if factor * FACTOR < 1 and 0 < seen.largest <= 1 else ""


def _are_pixels(x: Array, seen: InputStatistics) -> bool:
    """Tell whether values are whole numbers as pixels of 8 bits have them."""
    whole = seen.low >= 0 and FACTOR < seen.high <= LARGEST_PIXEL
    return whole and all(bool((sample == np.floor(sample)).all()) for sample in x)


def _range(seen: InputStatistics) -> str:
    return f"values from {seen.low:.4g} to {seen.high:.4g} (root mean square {seen.rms:.3g})"
