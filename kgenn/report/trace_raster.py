"""Draw the spikes of one sample over time, a panel for each population, from a trace."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Line
from matplotlib.ticker import MaxNLocator

from kgenn.ir.graph import Array
from kgenn.report.figures import Kind, figure_of, written_as
from kgenn.report.sweep.canvas import look
from kgenn.report.sweep.text import printable, shortened
from kgenn.report.sweep.theme import LIGHT
from kgenn.trace import PopulationSpikes, Trace

WIDTH, PANEL, EDGES = 640.0, 110.0, 60.0
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
        figure = figure_of(WIDTH, EDGES + PANEL * len(found))
        panels: list[Axes] = list(figure.subplots(max(len(found), 1), 1, sharex=True, squeeze=False)[:, 0])
        for axes, (name, spikes) in zip(panels, found.items(), strict=False):
            _panel(axes, name, spikes)
            axes.set_xlim(-0.6, trace.num_timesteps - 0.4)
        panels[-1].set_xlabel("timestep")
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        figure.suptitle(printable(title), fontsize=12)
        return written_as(figure, kind)


def kept_neurons(spikes: PopulationSpikes, most: int = MAX_SPIKES) -> Array:
    """Return the neurons that are shown: all, or so many evenly over the population that few spikes are drawn."""
    count = spikes.size
    while True:
        kept = np.unique(np.arange(count) * spikes.size // max(count, 1))
        if count <= 1 or int(np.isin(spikes.neuron, kept).sum()) <= most:
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
