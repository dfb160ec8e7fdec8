"""Build the report of a sweep: a page, a table of all cells and the plots as files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment
from markupsafe import Markup, escape

from kgenn import __version__
from kgenn.backends.render import environment
from kgenn.bench.rows import ExperimentRecord, Failure, ResultRecord, Row
from kgenn.ir.words import counted
from kgenn.metrics.energy import BREAK_EVEN_SPIKES
from kgenn.report.sweep import examples, plots
from kgenn.report.sweep.canvas import Plot, SeriesStyle, css_variables, look, styles
from kgenn.report.sweep.cells import (
    Group,
    constant,
    grouped,
    in_words,
    metric_of,
    of_output,
    only_option,
    others,
    panels,
    series_axes,
    shown,
    steps_of,
    varying,
    words,
)
from kgenn.report.sweep.examples import outputs as outputs_of_cell
from kgenn.report.sweep.plots import done, seconds
from kgenn.report.sweep.results import Results, cells_csv, commands_of
from kgenn.report.sweep.table import Table, Verdict, judge, table, title, written
from kgenn.report.sweep.text import amount, duration, printable, slug, unique
from kgenn.tasks.metric import compared, comparison_title
from kgenn.tasks.metric import title as metric_title

# Of one model, of the first so many methods; a raster is most of the page's bytes.
MAX_RASTERS = 4
MAKERS = (
    plots.over_time,
    plots.against_spikes,
    plots.against_operations,
    plots.against_energy,
    plots.layer_errors,
    plots.time_per_image,
)

# Of each further output.
OUTPUT_MAKERS = (plots.over_time, plots.against_spikes)


@dataclass(frozen=True)
class Panel:
    """The plots of one model.

    Attributes:
        heading: the model; empty where there is one only.
        legend: its series.
        plots: in the order of the page.
        rasters: more of them, folded away.
    """

    heading: str
    legend: tuple[SeriesStyle, ...]
    plots: tuple[Plot, ...]
    rasters: tuple[Plot, ...]


@dataclass(frozen=True)
class CellLine:
    """One cell in the list of all cells; figures in words.

    Attributes:
        axes: its values on the axes that vary.
        figures: the metric, ANN, share or difference, spikes per neuron, operations, time per image.
        commands: that give it again.
    """

    key: str
    axes: tuple[str, ...]
    status: str
    figures: tuple[str, ...]
    commands: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class View:
    """What the page shows of one experiment.

    Attributes:
        anchor: its id in the page.
        metric: of its results, in words.
        same: the axes that have one value in all cells, in words.
        samples: that the cells ran, in words.
        unfinished: cells that the sweep has and that are not there yet.
        axes: the names of the axes that vary.
        figures: what the figures of a cell are called.
        failed: each cell without a result, and why.
        provenance: (name, values) of versions, files with their hashes and machines.
    """

    anchor: str
    experiment: ExperimentRecord
    metric: str
    table: Table
    same: str
    samples: str
    unfinished: int
    verdicts: tuple[Verdict, ...]
    panels: tuple[Panel, ...]
    axes: tuple[str, ...]
    figures: tuple[str, ...]
    cells: tuple[CellLine, ...]
    failed: tuple[tuple[CellLine, tuple[Failure, ...]], ...]
    provenance: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def plots(self) -> tuple[Plot, ...]:
        """Return all plots."""
        return tuple(plot for panel in self.panels for plot in (*panel.plots, *panel.rasters))


def view(results: Results, experiment: ExperimentRecord, taken: set[str]) -> View:
    """Return the view of an experiment; `taken` are the ids in use, to which its own are added."""
    rows = results.finished(experiment)
    anchor = unique(slug(experiment.name), taken)
    changing = varying(rows)
    cells = tuple(_line(row, changing) for row in rows)
    return View(
        anchor=anchor,
        experiment=experiment,
        metric=_metric([r for _, r in done(rows)]),
        table=table(experiment, rows),
        same=", ".join(f"{name} {shown(value)}" for name, value in constant(rows)),
        samples=_samples([r for _, r in done(rows)]),
        unfinished=len(experiment.cells) - len(rows),
        verdicts=tuple(v for p in experiment.published for v in judge(rows, experiment, p)),
        panels=_panels(experiment, rows, anchor, taken),
        axes=tuple(changing),
        figures=_names([r for _, r in done(rows)]),
        cells=cells,
        failed=tuple((line, together(row.error)) for line, row in zip(cells, rows, strict=True) if not row.result),
        provenance=provenance(rows),
    )


def _samples(outcomes: Sequence[ResultRecord]) -> str:
    """Return how many samples the cells ran: the number, or the least and the largest; empty without cells."""
    counts = {outcome.num_samples for outcome in outcomes}
    if len(counts) < 2:
        return "".join(counted(count, "sample") for count in counts)
    return f"{min(counts):,} to {max(counts):,} samples"


def _metric(outcomes: Sequence[ResultRecord]) -> str:
    """Return the metric in words, with the first of several outputs."""
    several = next((r.outputs for r in outcomes if r.outputs), ())
    return metric_title(metric_of(outcomes)) + (f" of {several[0].name}" if several else "")


def _names(outcomes: Sequence[ResultRecord]) -> tuple[str, ...]:
    """Return what the figures of a cell are called, those of further outputs at the end."""
    several = next((r.outputs for r in outcomes if r.outputs), ())
    own = (f"{metric_title(output.metric)} of {output.name}" for output in several[1:])
    beside = comparison_title(r.metric for r in outcomes)
    return ("T", _metric(outcomes), "ANN", beside, "spikes per neuron", "operations", "time per image", *own)


def _panels(experiment: ExperimentRecord, rows: Sequence[Row], anchor: str, taken: set[str]) -> tuple[Panel, ...]:
    """Draw the plots of each model; a series looks the same in all of them."""
    axes = series_axes(rows)
    looks = styles([group.label for group in grouped(rows, axes)])
    makers = [*MAKERS[1:4], MAKERS[0], *MAKERS[4:]] if experiment.kind == "pareto" else MAKERS
    found = []
    models = panels(rows)
    for model in models:
        series = [group for group in grouped(model.rows, axes) if done(group.rows)]
        heading = model.label if len(models) > 1 else ""
        stem = f"{anchor}-{slug(heading)}" if heading else anchor
        drawn = [make(unique(f"{stem}-{slug(make.__name__)}", taken), series, looks) for make in makers]
        option = only_option(model.rows)
        if option is not None:
            name, style = unique(f"{stem}-over-{slug(option)}", taken), styles([option])[option]
            drawn.insert(0, plots.over_option(name, model.rows, option, style))
        drawn_rasters = [
            examples.raster(unique(f"{stem}-spikes", taken), _shortest(group), looks[group.label])
            for group in series[:MAX_RASTERS]
        ]
        for output in others(r for _, r in done(model.rows)):
            drawn += _of_output(f"{stem}-{slug(output)}", series, output, looks, taken)
        kept = [plot for plot in drawn if plot is not None]
        spikes = [plot for plot in drawn_rasters if plot is not None]
        for group in series[:1]:
            kept += outputs_of_cell(stem, _shortest(group), looks[group.label], taken)
        if kept or spikes:
            legend = tuple(looks[group.label] for group in series)
            found.append(Panel(heading, legend, (*kept, *spikes[:1]), tuple(spikes[1:])))
    return tuple(found)


def _of_output(
    stem: str, series: Sequence[Group], output: str, looks: Mapping[str, SeriesStyle], taken: set[str]
) -> list[Plot | None]:
    """Draw the plots of another output's metric, over time and against spikes."""
    own = [Group(group.point, tuple(of_output(group.rows, output))) for group in series]
    own = [group for group in own if group.rows]
    return [
        make(unique(f"{stem}-{slug(make.__name__)}", taken), own, looks, f" of {output}") for make in OUTPUT_MAKERS
    ]


def _shortest(group: Group) -> Row:
    """Return the run of a series with the fewest steps that has a raster, or else the first."""
    found = [(steps_of(r), index) for index, (_, r) in enumerate(done(group.rows)) if r.raster is not None]
    return done(group.rows)[min(found)[1] if found else 0][0]


def _line(row: Row, axes: Sequence[str]) -> CellLine:
    """Return a cell's line in the list."""
    r = row.result
    figures: tuple[str, ...] = ()
    if r is not None:
        figures = (
            f"{steps_of(r):,}",
            in_words(r.metric, r.value),
            in_words(r.metric, r.ann_value),
            compared(r.metric, [(r.value, r.ann_value)], 1),
            f"{r.spikes_per_neuron:.3f}",
            amount(r.synaptic_operations),
            duration(seconds(row, r)),
            *(in_words(o.metric, o.value) for o in r.outputs[1:]),
        )
    values = tuple(shown(row.axes[name]) if name in row.axes else "–" for name in axes)
    label = words(tuple((name, row.axes[name]) for name in axes if name in row.axes))
    return CellLine(row.key, values, row.status, figures, tuple(commands_of(row)), label or "the only cell")


def together(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Return diagnostics that say the same of several places as one that lists the places."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for f in failures:
        places.setdefault((f.code, f.what, f.help), []).append(f.where)
    return tuple(Failure(code, ", ".join(where), what, help) for (code, what, help), where in places.items())


def provenance(rows: Iterable[Row]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return versions, files with their hashes and machines, each once."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        entries = [("kgenn", row.rerun.get("kgenn"))]
        entries += [(name, row.rerun.get(name)) for name in ("model", "data", "calibration")]
        entries += [(f"host: {name}", value) for name, value in row.host.items()]
        for name, value in entries:
            if value is not None:
                found.setdefault(name, {})[_words(value)] = None
    return tuple((name, tuple(values)) for name, values in found.items())


def _words(value: Any) -> str:
    """Return a part of a row's record in one line."""
    if not isinstance(value, Mapping):
        return str(value)
    file = str(value.get("file", ""))
    rest = ", ".join(f"{name} {item}" for name, item in value.items() if name != "file" and item is not None)
    return f"{file}: {rest}" if file else rest


PAGE, TABLE, PLOTS = "index.html", "cells.csv", "plots"


def report_files(results: Results) -> dict[str, bytes]:
    """Return the report's files by name; the same results give the same bytes."""
    taken: set[str] = set()
    with look():
        views = [view(results, experiment, taken) for experiment in results.experiments]
    pictures = {f"{PLOTS}/{plot.name}.png": plot.png for v in views for plot in v.plots}
    return {PAGE: _page(results, views), TABLE: cells_csv(results), **pictures}


def _page(results: Results, views: list[View]) -> bytes:
    """Render the page; every name in it is escaped."""
    verdicts = [verdict for v in views for verdict in v.verdicts]
    context = {
        "views": views,
        "notes": results.notes,
        "hashes": results.hashes,
        "version": __version__,
        "break_even": BREAK_EVEN_SPIKES,
        "finished": sum(len(v.cells) for v in views),
        "failed": sum(len(v.failed) for v in views),
        "unfinished": sum(v.unfinished for v in views),
        "met": sum(verdict.met for verdict in verdicts),
        "published": len(verdicts),
        "light": css_variables(dark=False),
        "dark": css_variables(dark=True),
    }
    return _environment().get_template("report/sweep.html.j2").render(context).encode()


def _environment() -> Environment:
    """Return the templates' environment for HTML: all that is put in is escaped, and can be shown."""

    def finalize(value: object) -> object:
        return printable(value) if type(value) is str else value  # not Markup, which is a str too

    html = environment().overlay(autoescape=True, finalize=finalize)
    html.filters = {**html.filters, "written": written, "title_of": title, "breakable": _breakable}
    return html


def _breakable(name: str) -> Markup:
    """Return a name, escaped, that a narrow column breaks after an underscore rather than anywhere."""
    return Markup("_<wbr>").join(escape(part) for part in printable(name).split("_"))
