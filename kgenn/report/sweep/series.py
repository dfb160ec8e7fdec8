"""What the plots of a sweep take from a series of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kgenn.bench.rows import ResultRecord, Row
from kgenn.report.sweep.axes import Group, grouped, mean, steps_of
from kgenn.report.sweep.canvas import Canvas
from kgenn.report.sweep.measure import PERCENT, axis_label, in_words, metric_of, on_axis
from kgenn.report.sweep.text import amount, figure
from kgenn.report.sweep.theme import SeriesStyle
from kgenn.tasks.metric import UNITS

# Points of a curve; a longer one is thinned evenly on a logarithmic axis.
MAX_POINTS = 160
# Pixels of a plot.
HEIGHT = 290.0

Styles = Mapping[str, SeriesStyle]
Done = tuple[Row, ResultRecord]


def done(rows: Sequence[Row]) -> list[Done]:
    """Return the rows that have a result, with it."""
    return [(row, row.result) for row in rows if row.result is not None]


def points_of(group: Group, x_of: Callable[[ResultRecord], float]) -> list[tuple[float, float, str]]:
    """Return (x, metric, tip) of each run of a series, over seeds the mean, by T."""
    found = []
    for runs in grouped(group.rows, [name for name in group.rows[0].axes if name != "seed"]):
        results = [r for _, r in done(runs.rows)]
        x, value = mean(x_of(r) for r in results), mean(r.value for r in results)
        if x and value is not None:
            metric = metric_of(results)
            steps, spikes = steps_of(results[0]), mean(r.spikes_per_neuron for r in results)
            operations = mean(r.synaptic_operations for r in results) or 0
            tip = f"{group.label}, T = {steps}: {in_words(metric, value)}\n{figure(spikes)} spikes per neuron, "
            found.append((steps, x, on_axis(metric, value), f"{tip}{amount(operations)} operations"))
    return [(x, y, tip) for _, x, y, tip in sorted(found)]


def metric_axis(canvas: Canvas, series: Sequence[Group]) -> str:
    """Name the y axis, draw the metric of the model where all have one, and return the metric."""
    results = [r for group in series for _, r in done(group.rows)]
    metric = metric_of(results)
    canvas.axes.set_ylabel(axis_label(metric))
    ann = {on_axis(metric, r.ann_value) for r in results if r.ann_value is not None}
    low, high = canvas.axes.get_ylim()
    if len(ann) == 1:
        # a line outside of the axis would be lost, and its name would leave no room for the plot
        (value,) = ann
        margin = 0.04 * (max(high, value) - min(low, value))
        low, high = min(low, value - margin), max(high, value + margin)
    if UNITS.get(metric, PERCENT) == PERCENT:
        high = min(high, 100 + 0.04 * (100 - low))
    canvas.axes.set_ylim(low, high)
    if len(ann) == 1:
        canvas.reference(ann.pop(), "ANN")
    return metric


def seconds(row: Row, result: ResultRecord) -> float | None:
    """Return the wall-clock time of one image."""
    return (
        row.cost["wall_seconds"] / result.num_samples
        if "wall_seconds" in row.cost and result.num_samples
        else None
    )


def thinned(length: int) -> list[int]:
    """Return timesteps from 1 to `length`, all or about `MAX_POINTS`, evenly on a logarithmic axis."""
    if length <= MAX_POINTS:
        return list(range(1, length + 1))
    return sorted({round(length ** (k / (MAX_POINTS - 1))) for k in range(MAX_POINTS)})
