"""The plots of a sweep: the metric over time, an option and cost, the error of each layer, time per image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from kgenn.bench.rows import ResultRecord, Row
from kgenn.metrics.energy import BREAK_EVEN_SPIKES
from kgenn.report.sweep.canvas import LIGHT, Canvas, Plot, SeriesStyle
from kgenn.report.sweep.cells import (
    PERCENT,
    Group,
    axis_label,
    graded,
    grouped,
    heading,
    in_words,
    is_error,
    joules,
    mean,
    metric_of,
    on_axis,
    spikes_per_value,
    steps_of,
    twin_value,
)
from kgenn.report.sweep.text import amount, duration, figure, percent, shortened
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


def against_spikes(name: str, series: Sequence[Group], styles: Styles, of: str = "") -> Plot | None:
    """Plot the metric against spikes per neuron, with the break-even of Davidson & Furber 2021 for unit spikes.

    Args:
        of: the output that is plotted, in words, where it is not the first.
    """
    unit = not any(graded(r) for group in series for _, r in done(group.rows))
    limit = (BREAK_EVEN_SPIKES, f"break-even {BREAK_EVEN_SPIKES}") if unit else None
    several = any(spikes_per_value(r) > r.spikes_per_neuron for group in series for _, r in done(group.rows))
    label = "spikes per neuron" + " of the ANN" * several
    canvas = _pareto(series, styles, spikes_per_value, label, limit)
    best, measured = _words(series)
    line = (
        f"Left of the dashed line, {BREAK_EVEN_SPIKES} spikes per neuron and "
        "inference, a spiking network can take less energy than the ANN (Davidson & Furber 2021)."
    )
    some = "Some spikes are graded: each is a number of several bits. The break-even holds for unit spikes only."
    words = f"{best} {line if unit else some} Grey: the best network at this cost or less."
    return None if canvas is None else canvas.finish(name, f"{measured}{of} against spikes", words)


def against_operations(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot the metric against synaptic operations, with the multiply-accumulates of the model."""
    macs = {r.ann_macs for group in series for _, r in done(group.rows) if r.ann_macs}
    limit = (macs.pop(), "ANN MACs") if len(macs) == 1 else None
    label = "synaptic operations per image"
    canvas = _pareto(series, styles, lambda r: r.synaptic_operations, label, limit)
    best, measured = _words(series)
    words = (
        f"{best} Spikes times the synapses that they cross: additions, or multiply-accumulates if graded. "
        "Dashed: the multiply-accumulates of the ANN. Grey: the best network at this cost or less."
    )
    return None if canvas is None else canvas.finish(name, f"{measured} against synaptic operations", words)


def against_energy(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot the metric against energy with memory traffic, and the quantised twin of each network beside it."""
    outcomes = [r for group in series for _, r in done(group.rows)]
    metric = metric_of(outcomes)
    twins = {
        (1e6 * energy, on_axis(metric, value))
        for r in outcomes
        if (energy := joules(r, "twin", "memory")) and (value := twin_value(r)) is not None
    }
    canvas = _pareto(series, styles, _microjoules, "energy with memory, µJ an image", None, sorted(twins))
    best, measured = _words(series)
    words = (
        f"{best} Integer operations, updates of neurons and memory traffic at 45 nm (Horowitz 2014). "
        "Grey crosses: the twin of each network, an ANN with as many levels of activation that skips zeros. "
        "Grey line: the best network at this cost or less."
    )
    return None if canvas is None else canvas.finish(name, f"{measured} against energy", words)


def _microjoules(outcome: ResultRecord) -> float:
    """Return the energy of an image in µJ; 0, which no plot shows, where it is not known."""
    return 1e6 * (joules(outcome, "snn", "memory") or 0.0)


def _words(series: Sequence[Group]) -> tuple[str, str]:
    """Return in words where better results lie, and the metric."""
    metric = metric_of(r for group in series for _, r in done(group.rows))
    return f"{'Down' if is_error(metric) else 'Up'} and to the left is better.", heading(metric)


def _pareto(
    series: Sequence[Group],
    styles: Styles,
    x_of: Callable[[ResultRecord], float],
    label: str,
    limit: tuple[float, str] | None,
    beside: Sequence[tuple[float, float]] = (),
) -> Canvas | None:
    """Draw the metric against a cost, with the front behind, a line at a limit with its name, and grey crosses."""
    canvas, every = Canvas(HEIGHT), [(g, points_of(g, x_of)) for g in series]
    sign = 1 if is_error(metric_of(r for group in series for _, r in done(group.rows))) else -1
    marks = sorted((x, sign * y) for _, points in every for x, y, _ in points)
    if not marks:
        return None
    front: list[tuple[float, float]] = []
    for x, y in marks:
        if not front or y < sign * front[-1][1]:
            front.append((x, sign * y))
    x_front = [*(x for x, _ in front), marks[-1][0]]
    y_front = [*(y for _, y in front), front[-1][1]]
    canvas.axes.plot(x_front, y_front, color=LIGHT["front"], linewidth=5, drawstyle="steps-post", zorder=1)
    for group, points in every:
        style = styles[group.label]
        canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, group.label, 1.0)
        for x, y, tip in points:
            canvas.mark(x, y, style, tip)
    canvas.axes.plot(
        [x for x, _ in beside], [y for _, y in beside], color=LIGHT["muted"], marker="x", linestyle="none"
    )
    metric_axis(canvas, series)
    if limit is not None:
        canvas.reference(*limit, vertical=True)
    others = [x for x, _ in beside] if limit is None else [limit[0]]
    canvas.logarithmic(label, [x for x, _ in marks] + others)
    return canvas


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
