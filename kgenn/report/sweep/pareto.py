"""Plot the metric against what it costs: the Pareto picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kgenn.bench.rows import ResultRecord
from kgenn.metrics.energy import BREAK_EVEN_SPIKES
from kgenn.report.sweep.axes import Group
from kgenn.report.sweep.canvas import Canvas, Plot
from kgenn.report.sweep.costs import graded, joules, twin_value
from kgenn.report.sweep.measure import heading, is_error, metric_of, on_axis
from kgenn.report.sweep.series import HEIGHT, Styles, done, metric_axis, points_of
from kgenn.report.sweep.theme import LIGHT


def against_spikes(name: str, series: Sequence[Group], styles: Styles, of: str = "") -> Plot | None:
    """Plot the metric against spikes per neuron, with the break-even of Davidson & Furber 2021 for unit spikes.

    Args:
        of: the output that is plotted, in words, where it is not the first.
    """
    unit = not any(graded(r) for group in series for _, r in done(group.rows))
    limit = (BREAK_EVEN_SPIKES, f"break-even {BREAK_EVEN_SPIKES}") if unit else None
    canvas = _pareto(series, styles, lambda r: r.spikes_per_neuron, "spikes per neuron", limit)
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
