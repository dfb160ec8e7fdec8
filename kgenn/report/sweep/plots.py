"""The plots of a sweep: the metric over time and over an option, the error of each layer, time per image."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from kgenn.bench.rows import Row
from kgenn.report.sweep.axes import Group, grouped, mean, steps_of
from kgenn.report.sweep.canvas import Canvas, Plot
from kgenn.report.sweep.measure import heading, in_words, metric_of, on_axis
from kgenn.report.sweep.series import HEIGHT, Styles, done, metric_axis, points_of, seconds, thinned
from kgenn.report.sweep.text import duration, percent, shortened
from kgenn.report.sweep.theme import SeriesStyle

# Pixels of a row of the plot of times; layers whose names fit the axis.
TIME_ROW = 24.0
MAX_NAMED_LAYERS = 10
LONGEST_NAME, LONGEST_LAYER = 34, 16


def over_time(name: str, series: Sequence[Group], styles: Styles, of: str = "") -> Plot | None:
    """Plot the metric after each timestep.

    A line is the curve of the longest run of a series, marks are the values of runs of T steps. A staged
    network decides once, at its end: its marks are joined. None where there is one point in time only.

    Args:
        of: the output that is plotted, in words, where it is not the first.
    """
    canvas, reached = Canvas(HEIGHT), []
    for group in series:
        style = styles[group.label]
        points = points_of(group, lambda r: float(steps_of(r)))
        curves = [(r.num_timesteps, r.curve, r.metric) for _, r in done(group.rows) if r.curve]
        if curves:
            _, longest, metric = max(curves, key=lambda curve: curve[0])
            steps = thinned(len(longest))
            canvas.line(steps, [on_axis(metric, longest[t - 1]) for t in steps], style, group.label)
            reached += steps
        elif points:
            canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, group.label)
        for x, y, tip in points:
            canvas.mark(x, y, style, tip)
        reached += [int(x) for x, _, _ in points]
    if len(set(reached)) < 2:
        return None
    measured = heading(metric_axis(canvas, series)) + of
    canvas.logarithmic("timesteps", reached, 2)
    words = f"{measured} after each timestep. Marks: networks made for that many steps."
    return canvas.finish(name, f"{measured} over timesteps", words)


def over_option(name: str, rows: Sequence[Row], axis: str, style: SeriesStyle) -> Plot | None:
    """Plot the metric over an option that is a number, the only one that varies but for the seed."""
    canvas, points = Canvas(HEIGHT), []
    for group in grouped(rows, [axis]):
        results = [r for _, r in done(group.rows)]
        found, metric = mean(r.value for r in results), metric_of(results)
        value = dict(group.point).get(axis)
        if found is not None and isinstance(value, int | float):
            points.append((value, on_axis(metric, found), f"{group.label}: {in_words(metric, found)}"))
    if len(points) < 2:
        return None
    points.sort()
    canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, axis)
    for x, y, tip in points:
        canvas.mark(x, y, style, tip)
    canvas.legend.clear()
    canvas.axes.set_xlabel(axis)
    measured = metric_axis(canvas, [Group((), tuple(rows))])
    return canvas.finish(name, f"{heading(measured)} over {axis}", "All other options are the same.")


def layer_errors(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot the relative error of each layer, for the longest run of each series."""
    canvas = Canvas(HEIGHT)
    names: list[str] = []
    for group in series:
        runs = [(row, r) for row, r in done(group.rows) if any(layer.error is not None for layer in r.layers)]
        if not runs:
            continue
        _, result = max(runs, key=lambda pair: steps_of(pair[1]))
        style, label = styles[group.label], f"{group.label}, T = {steps_of(result)}"
        found = [(i, layer) for i, layer in enumerate(result.layers) if layer.error is not None]
        canvas.line([i for i, _ in found], [100 * (layer.error or 0) for _, layer in found], style, label)
        for i, layer in found:
            canvas.mark(i, 100 * (layer.error or 0), style, f"{label}\n{layer.name}: {percent(layer.error)}")
        names = max(names, [layer.name for layer in result.layers], key=len)
    if not names:
        return None
    axes = canvas.axes
    axes.set_ylabel("relative error, %")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(FixedLocator(range(len(names))))
    if len(names) <= MAX_NAMED_LAYERS:
        axes.set_xticks(range(len(names)), [shortened(n, LONGEST_LAYER) for n in names], rotation=30, ha="right")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + 1:.0f}"))
        axes.set_xlabel("layer, in order")
    words = "‖rate − activation‖ / ‖activation‖ of each hidden layer, on the longest run of each method."
    return canvas.finish(name, "Error of each layer", words)


def time_per_image(name: str, groups: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot the wall-clock time of an image: a row for each group, a mark for each run."""
    times = [(g, [(row, r, seconds(row, r)) for row, r in done(g.rows)]) for g in groups]
    known = [(g, [(row, r, s) for row, r, s in entries if s]) for g, entries in times]
    known = [(g, entries) for g, entries in known if entries]
    if not known:
        return None
    canvas = Canvas(90.0 + TIME_ROW * len(known))
    for index, (group, entries) in enumerate(known):
        for _, result, s in entries:
            tip = f"{group.label}, T = {steps_of(result)}: {duration(s)} an image"
            canvas.mark(1000 * s, index, styles[group.label], tip)
    axes = canvas.axes
    axes.set_yticks(range(len(known)), [shortened(g.label or "all", LONGEST_NAME) for g, _ in known])
    axes.set_ylim(len(known) - 0.5, -0.5)
    canvas.logarithmic("ms per image, wall clock", [1000 * s for _, entries in known for _, _, s in entries])
    canvas.legend.clear()  # the rows have names
    words = (
        "Time of the simulation divided by the images; one mark for each run, further right with more timesteps."
    )
    return canvas.finish(name, "Time per image", words)
