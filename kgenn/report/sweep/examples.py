"""Draw what a sweep keeps of its first samples: spikes, and outputs that are maps or signals."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from kgenn.bench.examples import OutputExample
from kgenn.bench.rows import Raster, Row
from kgenn.ir.graph import Array
from kgenn.report.sweep.canvas import LIGHT, Canvas, Plot, SeriesStyle
from kgenn.report.sweep.cells import steps_of
from kgenn.report.sweep.text import shortened, slug, unique

# Pixels of a population's panel.
RASTER_ROW = 92.0
MAX_POPULATIONS = 4
# Spikes drawn of one population; each is a few bytes of the page.
MAX_SPIKES = 2500
# A stroke is as high as its neuron's place, or this part of the panel where that is more, halved.
STROKES_HIGH = 44
LONGEST_NAME = 34


def raster(name: str, row: Row, style: SeriesStyle) -> Plot | None:
    """Plot the spikes of the first sample, a panel for each population."""
    if row.result is None or row.result.raster is None:
        return None
    first = row.result.raster
    every = (first, *first.more)
    drawn = every if len(every) <= MAX_POPULATIONS else [every[i] for i in spread(len(every), MAX_POPULATIONS)]
    canvas = Canvas(60.0 + RASTER_ROW * len(drawn), len(drawn))
    last = max((t for population in drawn for t, _ in population.spikes), default=0)
    for axes, population in zip(canvas.panels, drawn, strict=True):
        count = few_enough(population)
        spikes = [(t, i) for t, i in population.spikes if i < count]
        # one path for all, which takes a tenth of the bytes of one for each
        half = max(0.42, count / STROKES_HIGH)
        strokes = [point for t, i in spikes for point in ((t, i - half), (t, i + half))]
        if strokes:
            path = Path(strokes, [Path.MOVETO, Path.LINETO] * len(spikes))
            axes.add_patch(PathPatch(path, fill=False, edgecolor=style.colour, linewidth=1.3))
        axes.set_xlim(-0.6, last + 0.6)
        axes.set_ylim(-0.8, max(count, 1) - 0.2)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=3))
        axes.grid(False)
        size = f"{count} of {population.size:,}" if population.size not in (None, count) else f"{count}"
        axes.set_title(
            f"{shortened(population.population, LONGEST_NAME)}: {size} neurons", fontsize=10.5, loc="left"
        )
    canvas.axes.set_xlabel("timestep")
    canvas.axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    more = len(every) - len(drawn)
    words = "The first test image: a stroke for each spike."
    note = f"{more} of {len(every)} populations are not shown." if more else ""
    title = ", ".join(filter(None, (style.label, f"T = {steps_of(row.result)}")))
    return canvas.finish(name, f"Spikes of {title}", words, note)


def spread(length: int, count: int) -> list[int]:
    """Return `count` indices of a sequence, evenly from the first to the last."""
    return [round(k * (length - 1) / (count - 1)) for k in range(count)]


def few_enough(population: Raster) -> int:
    """Return how many neurons, from the first, have at most `MAX_SPIKES` spikes together; at least one."""
    counts = [0] * population.neurons
    for _, i in population.spikes:
        if i < population.neurons:
            counts[i] += 1
    total = 0
    for index, count in enumerate(counts):
        total += count
        if total > MAX_SPIKES:
            return max(index, 1)
    return population.neurons


# Pixels of a map and of a signal.
MAP, SIGNAL = 130.0, 130.0
# Steps from the least to the largest value of a map of real values.
LEVELS = 8
LOOKS = {"label": ("muted", ":"), "model": ("s0", "--"), "spiking": ("s1", "-")}


def outputs(stem: str, row: Row, style: SeriesStyle, taken: set[str]) -> list[Plot]:
    """Plot each output of a cell that is a map or a signal.

    Args:
        stem: of the plots' names.
        taken: the ids in use, to which theirs are added.
    """
    found = () if row.result is None else row.result.shown
    steps = "" if row.result is None else f"T = {steps_of(row.result)}"
    words = ", ".join(filter(None, (style.label, steps)))
    names = [unique(f"{stem}-output-{slug(shown.output)}", taken) for shown in found]
    return [_plot(name, shown, words) for name, shown in zip(names, found, strict=True)]


def _plot(name: str, shown: OutputExample, words: str) -> Plot:
    title, caption = f"{shown.output}: {words}", "The first test samples: labels, the model, the spiking network."
    count = len(next(iter(shown.columns.values())))
    if shown.form == "signal":
        canvas = Canvas(60.0 + SIGNAL * count, count)
        for sample, axes in enumerate(canvas.panels):
            _signals(axes, shown, sample)
        canvas.panels[0].legend(loc="upper right", ncols=3, fontsize=9)
        return canvas.finish(name, title, caption)
    canvas = Canvas(40.0 + MAP * count, count, len(shown.columns))
    for place, axes in enumerate(canvas.panels):
        sample, column = divmod(place, len(shown.columns))
        _map(axes, shown, list(shown.columns)[column], sample)
    return canvas.finish(name, title, caption)


def _signals(axes: Axes, shown: OutputExample, sample: int) -> None:
    for name, values in shown.columns.items():
        colour, line = LOOKS.get(name, ("s2", "-"))
        for channel in range(values.shape[2]):
            label = name if channel == 0 else None
            axes.plot(values[sample, :, channel], color=LIGHT[colour], linestyle=line, linewidth=1.2, label=label)


def _map(axes: Axes, shown: OutputExample, column: str, sample: int) -> None:
    values = shown.columns[column][sample]
    axes.set(xlim=(0, values.shape[1]), ylim=(values.shape[0], 0), xticks=[], yticks=[], aspect="equal")
    axes.grid(False)
    if sample == 0:
        axes.set_title(column, fontsize=10)
    if shown.classes:
        for kind in np.unique(values[values > 0]):  # class 0 is the ground
            _fill(axes, values == kind, LIGHT[f"s{(int(kind) - 1) % 8}"], 1.0)
        return
    every = shown.columns["model"][sample]
    low, high = float(every.min()), float(every.max())
    levels = np.clip(np.rint((values - low) / max(high - low, 1e-12) * LEVELS), 0, LEVELS)
    for level in range(1, LEVELS + 1):
        _fill(axes, levels == level, LIGHT["ink"], level / LEVELS)


def _fill(axes: Axes, chosen: Array, colour: str, alpha: float) -> None:
    """Fill the pixels that are chosen, (H, W), with one path of a rectangle for each run of a row."""
    points: list[tuple[float, float]] = []
    for y, line in enumerate(chosen):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
        for left, right in zip(edges[::2], edges[1::2], strict=True):
            points += [(left, y), (right, y), (right, y + 1), (left, y + 1), (left, y)]
    if points:
        codes = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY] * (len(points) // 5)
        axes.add_patch(PathPatch(Path(points, codes), facecolor=colour, edgecolor="none", alpha=alpha))
