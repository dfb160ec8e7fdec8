"""Plot the spikes of one sample, few enough for a page."""

from __future__ import annotations

from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from kgenn.bench.rows import Raster, Row
from kgenn.report.sweep.axes import steps_of
from kgenn.report.sweep.canvas import Canvas, Plot
from kgenn.report.sweep.text import shortened
from kgenn.report.sweep.theme import SeriesStyle

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
