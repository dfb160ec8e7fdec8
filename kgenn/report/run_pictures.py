"""Draw a run: the spikes of one sample over time, and outputs beside those of the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import SubFigure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line
from matplotlib.ticker import MaxNLocator

from kgenn.ir.graph import Array
from kgenn.metrics.compared_output import ComparedOutput, form_of
from kgenn.report.figures import Kind, figure_of, written_as
from kgenn.report.sweep.canvas import LIGHT, look
from kgenn.report.sweep.text import printable, shortened
from kgenn.tasks.segmentation import Segmentation
from kgenn.trace import PopulationSpikes, Trace

WIDTH, RASTER_PANEL, EDGES = 640.0, 110.0, 60.0
# Spikes drawn of one population; where there are more, fewer neurons are shown, evenly over the population.
MAX_SPIKES = 8_000
LONGEST_NAME = 40
# A stroke is as high as its neuron's place, or this part of the panel where that is more.
STROKES_HIGH = 32


def raster_picture(trace: Trace, sample: int, kind: Kind, title: str) -> bytes:
    """Return a picture of the spikes of one sample.

    Args:
        sample: its number in the trace, from 0.
    """
    found = trace.of_sample(sample)
    with look():
        figure = figure_of(WIDTH, EDGES + RASTER_PANEL * len(found))
        panels: list[Axes] = list(figure.subplots(max(len(found), 1), 1, sharex=True, squeeze=False)[:, 0])
        for axes, (name, spikes) in zip(panels, found.items(), strict=False):
            _panel(axes, name, spikes)
            axes.set_xlim(-0.6, trace.num_timesteps - 0.4)
        panels[-1].set_xlabel("timestep")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        figure.suptitle(printable(title), fontsize=12)
        return written_as(figure, kind)


def kept_neurons(spikes: PopulationSpikes, max_spikes: int = MAX_SPIKES) -> Array:
    """Return the neurons that are shown: all, or so many evenly over the population that few spikes are drawn."""
    count = spikes.size
    while True:
        kept = np.unique(np.arange(count) * spikes.size // max(count, 1))
        if count <= 1 or int(np.isin(spikes.neuron, kept).sum()) <= max_spikes:
            return kept
        count = (count + 1) // 2


def _panel(axes: Axes, name: str, spikes: PopulationSpikes) -> None:
    kept = kept_neurons(spikes)
    place = np.full(spikes.size, -1)
    place[kept] = np.arange(len(kept))
    half = max(0.42, len(kept) / STROKES_HIGH / 2)
    for sign, colour in ((1, LIGHT["s0"]), (-1, LIGHT["s1"])):
        drawn = (np.sign(spikes.value) == sign) & (place[spikes.neuron] >= 0)
        rows, times = place[spikes.neuron[drawn]], spikes.timestep[drawn]
        strokes = np.stack([times, rows - half, times, rows + half], axis=1).reshape(-1, 2)
        if len(strokes):
            path = Line(strokes, [Line.MOVETO, Line.LINETO] * int(drawn.sum()))
            axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=1.1))
    axes.set_ylim(-1, len(kept))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
    axes.grid(False)
    shown = f"{len(kept):,} of {spikes.size:,}" if len(kept) < spikes.size else f"{spikes.size:,}"
    words = f"{shortened(name, LONGEST_NAME)}: {shown} neurons, {len(spikes.neuron):,} spikes"
    axes.set_title(words, fontsize=10, loc="left")


# Samples that are drawn, pixels of a panel and of a heading.
SAMPLES = 4
PANEL, HEADING, SCATTER = 150.0, 46.0, 330.0
# Values drawn as points; of more, those of the first samples.
MAX_POINTS = 5000


def outputs_picture(
    found: Mapping[str, ComparedOutput], inputs: Mapping[str, Array], kind: Kind, title: str
) -> bytes:
    """Return a picture of some outputs, one below the other.

    Args:
        found: outputs that have a form, by their names.
        inputs: samples by the names of the inputs, of which the first that is an image is drawn beside maps.
    """
    forms = {name: form_of(output) for name, output in found.items()}
    heights = [SCATTER if form == "points" else HEADING + PANEL * _rows(found[n]) for n, form in forms.items()]
    with look():
        figure = figure_of(PANEL * 4.4, sum(heights) + HEADING)
        parts = figure.subfigures(len(found), 1, height_ratios=heights, squeeze=False)[:, 0]
        draw = {"map": _maps, "signal": _signals, "points": _points}
        for part, (name, output) in zip(parts, found.items(), strict=True):
            part.suptitle(printable(f"{name}: {output.task.name}"), fontsize=11)
            image = next((x for x in inputs.values() if x.ndim == 4 and x.shape[-1] in (1, 3)), None)
            draw[forms[name] or "points"](part, output, image)
        figure.suptitle(printable(title), fontsize=12)
        return written_as(figure, kind)


def _rows(output: ComparedOutput) -> int:
    return min(SAMPLES, len(output.model))


def _columns(output: ComparedOutput) -> dict[str, Array]:
    labels = {} if output.labels is None else {"label": output.labels}
    return {**labels, "model": output.model, "spiking": output.network}


def _maps(part: SubFigure, output: ComparedOutput, image: Array | None) -> None:
    columns = _columns(output)
    if image is not None:
        columns = {"input": image, **columns}
    panels = part.subplots(_rows(output), len(columns), squeeze=False)
    segmented = isinstance(output.task, Segmentation)
    last = output.task.num_classes - 1 if isinstance(output.task, Segmentation) else 1
    for row, axes in enumerate(panels):
        for place, (name, values) in zip(axes, columns.items(), strict=True):
            shown = values[row]
            place.set_axis_off()
            if row == 0:
                place.set_title(name, fontsize=10)
            if segmented and name != "input":
                place.imshow(shown, cmap="viridis", vmin=0, vmax=last, interpolation="nearest")
            else:
                _image(place, shown, output.model[row] if name != "input" else shown)


def _image(axes: Axes, values: Array, reference: Array) -> None:
    """Draw values of shape (H, W, C) in the range of the model's: in colour where there are three channels."""
    low, high = float(reference.min()), float(reference.max())
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    if scaled.ndim == 3 and scaled.shape[-1] == 3:
        axes.imshow(scaled, interpolation="nearest")
    else:
        plane = scaled if scaled.ndim == 2 else scaled[..., 0]
        axes.imshow(plane, cmap="gray", vmin=0, vmax=1, interpolation="nearest")


def _signals(part: SubFigure, output: ComparedOutput, image: Array | None) -> None:
    panels = part.subplots(_rows(output), 1, squeeze=False, sharex=True)[:, 0]
    looks = {"label": ("muted", ":"), "model": ("s0", "--"), "spiking": ("s1", "-")}
    for row, axes in enumerate(panels):
        for name, values in _columns(output).items():
            colour, line = looks[name]
            channels = values[row].reshape(len(values[row]), -1)
            for channel in range(channels.shape[1]):
                label = name if channel == 0 else None
                axes.plot(channels[:, channel], color=LIGHT[colour], linestyle=line, linewidth=1.2, label=label)
        if row == 0:
            axes.legend(loc="upper right", ncols=3, fontsize=9)


def _points(part: SubFigure, output: ComparedOutput, image: Array | None) -> None:
    """Draw every value of the spiking network over the model's."""
    axes = part.subplots()
    model, network = (values.reshape(len(values), -1) for values in (output.model, output.network))
    count = max(1, MAX_POINTS // model.shape[1])
    x, y = model[:count], network[:count]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    axes.plot([low, high], [low, high], color=LIGHT["muted"], linewidth=1, linestyle=(0, (4, 3)))
    for value in range(x.shape[1]):
        axes.plot(x[:, value], y[:, value], ".", color=LIGHT[f"s{value % 8}"], markersize=4)
    axes.set_xlabel("model")
    axes.set_ylabel("spiking")
