"""The plots of a sweep: accuracy over time and against cost, the error of each layer, rasters, time per image."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from kgenn.bench.rows import Outcome, Raster, Row
from kgenn.metrics.energy import BREAK_EVEN_SPIKES
from kgenn.report.sweep.axes import Group, grouped, mean, steps_of
from kgenn.report.sweep.canvas import Canvas, Plot
from kgenn.report.sweep.text import amount, duration, figure, percent, shortened
from kgenn.report.sweep.theme import LIGHT, SeriesStyle

# Points of a curve; a longer one is thinned evenly on a logarithmic axis.
MOST_POINTS = 160
# Pixels: of a plot, of a row of the plot of times, of a population's raster; layers whose names fit the axis.
HEIGHT, TIME_ROW, RASTER_ROW = 290.0, 24.0, 92.0
MOST_NAMED_LAYERS = 10
MOST_POPULATIONS = 4
# Spikes drawn of one population; each is a few bytes of the page.
MOST_SPIKES = 2500
# A stroke is as high as its neuron's place, or this part of the panel where that is more, halved.
STROKES_HIGH = 44
LONGEST_NAME, LONGEST_LAYER = 34, 16

Styles = Mapping[str, SeriesStyle]
Done = tuple[Row, Outcome]


def done(rows: Sequence[Row]) -> list[Done]:
    """Return the rows that have a result, with it."""
    return [(row, row.result) for row in rows if row.result is not None]


def over_time(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot the accuracy after each timestep.

    A line is the curve of the longest run of a series, marks are the accuracies of runs of T steps. A staged
    network decides once, at its end: its marks are joined. None where there is one point in time only.
    """
    canvas, reached = Canvas(HEIGHT), []
    for group in series:
        style = styles[group.label]
        points = _points(group, lambda r: float(steps_of(r)))
        curves = [(r.num_timesteps, r.curve) for _, r in done(group.rows) if r.curve]
        if curves:
            longest = max(curves, key=lambda pair: pair[0])[1]
            steps = thinned(len(longest))
            canvas.line(steps, [100 * longest[t - 1] for t in steps], style, group.label)
            reached += steps
        elif points:
            canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, group.label)
        for x, y, tip in points:
            canvas.mark(x, y, style, tip)
        reached += [int(x) for x, _, _ in points]
    if len(set(reached)) < 2:
        return None
    _accuracy_axis(canvas, series)
    canvas.logarithmic("timesteps", reached, 2)
    words = "Accuracy after each timestep. Marks: networks made for that many steps."
    return canvas.finish(name, "Accuracy over timesteps", words)


def over_option(name: str, rows: Sequence[Row], axis: str, style: SeriesStyle) -> Plot | None:
    """Plot the accuracy over an option that is a number, the only one that varies but for the seed."""
    canvas, points = Canvas(HEIGHT), []
    for group in grouped(rows, [axis]):
        accuracy = mean(r.accuracy for _, r in done(group.rows))
        value = dict(group.point).get(axis)
        if accuracy is not None and isinstance(value, int | float):
            points.append((value, 100 * accuracy, f"{group.label}: {percent(accuracy)}"))
    if len(points) < 2:
        return None
    points.sort()
    canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, axis)
    for x, y, tip in points:
        canvas.mark(x, y, style, tip)
    canvas.legend.clear()
    canvas.axes.set_xlabel(axis)
    _accuracy_axis(canvas, [Group((), tuple(rows))])
    return canvas.finish(name, f"Accuracy over {axis}", "All else is the same.")


def against_spikes(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot accuracy against spikes per neuron, with the break-even of Davidson & Furber 2021."""
    limit = (BREAK_EVEN_SPIKES, f"break-even {BREAK_EVEN_SPIKES}")
    canvas = _pareto(series, styles, lambda r: r.spikes_per_neuron, "spikes per neuron", limit)
    words = (
        f"Up and to the left is better. Left of the dashed line, {BREAK_EVEN_SPIKES} spikes per neuron and "
        "inference, a spiking network can take less energy than the ANN (Davidson & Furber 2021). "
        "Grey: the best accuracy at that cost or less."
    )
    return None if canvas is None else canvas.finish(name, "Accuracy against spikes", words)


def against_operations(name: str, series: Sequence[Group], styles: Styles) -> Plot | None:
    """Plot accuracy against synaptic operations, with the multiply-accumulates of the model."""
    macs = {r.ann_macs for group in series for _, r in done(group.rows) if r.ann_macs}
    limit = (macs.pop(), "ANN MACs") if len(macs) == 1 else None
    label = "synaptic operations per image"
    canvas = _pareto(series, styles, lambda r: r.synaptic_operations, label, limit)
    words = (
        "Up and to the left is better. Operations are additions, one for each spike and synapse it crosses. "
        "Dashed: the multiply-accumulates of the ANN. Grey: the best accuracy at that cost or less."
    )
    return None if canvas is None else canvas.finish(name, "Accuracy against synaptic operations", words)


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
    if len(names) <= MOST_NAMED_LAYERS:
        axes.set_xticks(range(len(names)), [shortened(n, LONGEST_LAYER) for n in names], rotation=30, ha="right")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value + 1:.0f}"))
        axes.set_xlabel("layer, in order")
    words = "‖rate − activation‖ / ‖activation‖ of each hidden layer, on the longest run of each method."
    return canvas.finish(name, "Error of each layer", words)


def time_per_image(name: str, groups: Sequence[Group], styles: Mapping[str, SeriesStyle]) -> Plot | None:
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


def raster(name: str, row: Row, style: SeriesStyle) -> Plot | None:
    """Plot the spikes of the first sample, a panel for each population."""
    if row.result is None or row.result.raster is None:
        return None
    first = row.result.raster
    every = (first, *first.more)
    drawn = every if len(every) <= MOST_POPULATIONS else [every[i] for i in spread(len(every), MOST_POPULATIONS)]
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


def seconds(row: Row, result: Outcome) -> float | None:
    """Return the wall-clock time of one image."""
    return (
        row.cost["wall_seconds"] / result.num_samples
        if "wall_seconds" in row.cost and result.num_samples
        else None
    )


def spread(length: int, count: int) -> list[int]:
    """Return `count` indices of a sequence, evenly from the first to the last."""
    return [round(k * (length - 1) / (count - 1)) for k in range(count)]


def few_enough(population: Raster) -> int:
    """Return how many neurons, from the first, have at most `MOST_SPIKES` spikes together; at least one."""
    counts = [0] * population.neurons
    for _, i in population.spikes:
        if i < population.neurons:
            counts[i] += 1
    total = 0
    for index, count in enumerate(counts):
        total += count
        if total > MOST_SPIKES:
            return max(index, 1)
    return population.neurons


def thinned(length: int) -> list[int]:
    """Return timesteps from 1 to `length`, all or about `MOST_POINTS`, evenly on a logarithmic axis."""
    if length <= MOST_POINTS:
        return list(range(1, length + 1))
    return sorted({round(length ** (k / (MOST_POINTS - 1))) for k in range(MOST_POINTS)})


def _points(group: Group, x_of: Callable[[Outcome], float]) -> list[tuple[float, float, str]]:
    """Return (x, accuracy in %, tip) of each run of a series, over seeds the mean, by T."""
    found = []
    for runs in grouped(group.rows, [name for name in group.rows[0].axes if name != "seed"]):
        results = [r for _, r in done(runs.rows)]
        x, accuracy = mean(x_of(r) for r in results), mean(r.accuracy for r in results)
        if x and accuracy is not None:
            steps, spikes = steps_of(results[0]), mean(r.spikes_per_neuron for r in results)
            operations = mean(r.synaptic_operations for r in results) or 0
            tip = f"{group.label}, T = {steps}: {percent(accuracy)}\n{figure(spikes)} spikes per neuron, "
            found.append((steps, x, 100 * accuracy, f"{tip}{amount(operations)} operations"))
    return [(x, y, tip) for _, x, y, tip in sorted(found)]


def _pareto(
    series: Sequence[Group],
    styles: Styles,
    x_of: Callable[[Outcome], float],
    label: str,
    limit: tuple[float, str] | None,
) -> Canvas | None:
    """Draw accuracy against a cost, with the front behind, and a line at a limit with its name."""
    canvas, every = Canvas(HEIGHT), [(g, _points(g, x_of)) for g in series]
    marks = sorted((x, -y) for _, points in every for x, y, _ in points)
    if not marks:
        return None
    front: list[tuple[float, float]] = []
    for x, y in marks:
        if not front or -y > front[-1][1]:
            front.append((x, -y))
    x_front = [*(x for x, _ in front), marks[-1][0]]
    y_front = [*(y for _, y in front), front[-1][1]]
    canvas.axes.plot(x_front, y_front, color=LIGHT["front"], linewidth=5, drawstyle="steps-post", zorder=1)
    for group, points in every:
        style = styles[group.label]
        canvas.line([x for x, _, _ in points], [y for _, y, _ in points], style, group.label, 1.0)
        for x, y, tip in points:
            canvas.mark(x, y, style, tip)
    _accuracy_axis(canvas, series)
    if limit is not None:
        canvas.reference(*limit, vertical=True)
    canvas.logarithmic(label, [x for x, _ in marks] + ([] if limit is None else [limit[0]]))
    return canvas


def _accuracy_axis(canvas: Canvas, series: Sequence[Group]) -> None:
    """Name the y axis, and draw the accuracy of the model where all have one."""
    canvas.axes.set_ylabel("accuracy, %")
    low, high = canvas.axes.get_ylim()
    canvas.axes.set_ylim(low, min(high, 100 + 0.04 * (100 - low)))
    ann = {r.ann_accuracy for group in series for _, r in done(group.rows) if r.ann_accuracy is not None}
    if len(ann) == 1:
        canvas.reference(100 * ann.pop(), "ANN")
