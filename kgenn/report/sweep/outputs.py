"""Draw what maps and signals say beside the model's, in lines and areas alone: a page of them fetches nothing."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from kgenn.bench.rows import Row
from kgenn.bench.shown import OutputExample
from kgenn.ir.graph import Array
from kgenn.report.sweep.axes import steps_of
from kgenn.report.sweep.canvas import Canvas, Plot
from kgenn.report.sweep.text import slug, unique
from kgenn.report.sweep.theme import LIGHT, SeriesStyle

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
