"""Build the report of a sweep: a page, a table of all cells and the plots as files."""

from __future__ import annotations

from jinja2 import Environment
from markupsafe import Markup, escape

from kgenn import __version__
from kgenn.backends.render import environment
from kgenn.metrics.energy import BREAK_EVEN_SPIKES
from kgenn.report.sweep.canvas import look
from kgenn.report.sweep.cells_csv import cells_csv
from kgenn.report.sweep.experiment import View, view
from kgenn.report.sweep.results import Results
from kgenn.report.sweep.text import printable
from kgenn.report.sweep.theme import css_variables
from kgenn.report.sweep.verdicts import title, written

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
