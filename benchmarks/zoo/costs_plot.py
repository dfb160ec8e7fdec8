"""Draw the page of costs: accuracy against energy, for every method and for the quantised twins.

python -m benchmarks.zoo.costs_plot docs/_static/costs.png
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.zoo.costs import networks, stored

# What an energy is called in `costs.json`, of the network and of its twin, and on an axis.
ENERGIES = {
    "integers": ("twin_integers", "integer operations, µJ an image"),
    "memory": ("twin_memory", "with memory traffic, µJ an image"),
}
MAX_LOSS = 12.0  # points; what loses more is left out
PANEL = (4.2, 3.0)  # inches

Cells = Sequence[Mapping[str, Any]]


def curve(cells: Cells, energy: str, accuracy: str) -> list[tuple[float, float]]:
    """Return (energy in µJ, loss in points) of each cell that has both and loses no more than `MAX_LOSS`."""
    found = [
        (1e6 * cell[energy], 100 * (cell["ann"] - cell[accuracy]))
        for cell in cells
        if energy in cell and accuracy in cell
    ]
    return sorted(point for point in found if point[1] <= MAX_LOSS)


def figure_of(cells: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw a row of panels for each network, one for each energy."""
    rows = list(networks(cells))
    figure = Figure(figsize=(PANEL[0] * len(ENERGIES), PANEL[1] * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(ENERGIES), squeeze=False, sharey="row")
    for (network, own), line in zip(rows, panels, strict=True):
        for (energy, (of_twin, label)), axes in zip(ENERGIES.items(), line, strict=True):
            _draw(axes, own, energy, of_twin)
            axes.set(xlabel=label, title=network)
        line[0].set_ylabel("loss, points")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _draw(axes: Axes, cells: Cells, energy: str, of_twin: str) -> None:
    """Draw the methods of a network as lines over T, and its twins as crosses."""
    for method, group in groupby(cells, lambda cell: cell["converter"]):
        points = curve(list(group), energy, "accuracy")
        axes.plot([x for x, _ in points], [y for _, y in points], "o-", markersize=4, linewidth=1, label=method)
    twins = curve(cells, of_twin, "twin_accuracy")
    axes.plot([x for x, _ in twins], [y for _, y in twins], "kx", markersize=5, label="quantised twins")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.axhline(0, color="grey", linewidth=0.6)


@click.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
def main(output: Path) -> None:
    """Draw the cells that are stored."""
    figure_of(stored()).savefig(output, dpi=80)


if __name__ == "__main__":
    main()
