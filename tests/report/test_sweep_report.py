"""The report of a sweep: one page that needs nothing else, names that cannot act, the same bytes twice."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from covering import leading
from kgenn.bench.json_object import JsonPath
from kgenn.bench.rows import Row
from kgenn.report.sweep.canvas import COLOURS, log_ticks, look, styles
from kgenn.report.sweep.cells import only_option
from kgenn.report.sweep.examples import MAX_SPIKES
from kgenn.report.sweep.page import report_files
from kgenn.report.sweep.plots import MAX_POINTS, over_option, thinned
from kgenn.report.sweep.results import cells_csv, read_results
from kgenn.report.sweep.text import slug, unique
from made_results import cell, experiment, grid, key, outcome, write

EVIL = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"
VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
# What makes a browser fetch something.
FETCHING = {"src", "srcset", "data", "poster", "action", "background"}


class Page(HTMLParser):
    """A page as a browser's parser sees it: every element with its attributes, and the text."""

    def __init__(self, source: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(source.decode())
        self.close()
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td") and self.rows:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += " " + " ".join(data.split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def files_of(directory: Path, cells: list[dict[str, Any]], **changes: Any) -> dict[str, bytes]:
    return report_files(read_results(write(directory, cells, [experiment(cells, **changes)])))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return a report in which every name is an attack."""
    cells = grid(["$x_1^{$"], [EVIL, "_hidden", "=1+1"], (2, 4))
    layers = [{"name": EVIL, "neurons": 3, "spikes_per_neuron": 1.0, "error": 0.5}]
    raster = {"population": EVIL, "neurons": 2, "spikes": [[0, 1]]}
    cells.append(cell(90, {"model": EVIL, EVIL: EVIL}, outcome(layers=layers, raster=raster)))
    failed = cell(91, {"model": "a\x00\x1b[2J", "converter": EVIL})
    failed["error"] = [dict.fromkeys(("code", "where", "what", "help"), EVIL)]
    failed["rerun"] = {"model": {"file": EVIL}, "command": [EVIL, "</pre><script>"], "kgenn": EVIL}
    failed["host"] = {EVIL: EVIL}
    published = [{"where": {"model": EVIL}, "ann": 90, "accuracy": 80, "label": EVIL}]
    names = {"name": EVIL, "title": EVIL, "note": EVIL, "source": EVIL}
    directory = tmp_path_factory.mktemp("hostile")
    return files_of(directory, [*cells, failed], published=published, columns=["converter", EVIL], **names)


@pytest.mark.slow
def test_names_from_files_cannot_act(hostile: dict[str, bytes]) -> None:
    page = Page(hostile["index.html"])
    assert page.count("script") == 0
    assert "alert(1)" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert not {"\x00", "\x1b"} & set(page.text)
    assert {Path(name).parts[0] for name in hostile} == {"index.html", "cells.csv", "plots"}
    assert all(re.fullmatch(r"plots/[a-z0-9-]+\.png", name) for name in hostile if name.startswith("plots"))


def test_the_page_fetches_nothing(hostile: dict[str, bytes]) -> None:
    page = Page(hostile["index.html"])
    for tag, attributes in page.elements:
        assert not FETCHING & set(attributes), tag
        assert tag not in ("link", "img", "iframe", "object", "embed", "image")
        if tag != "a":
            assert (attributes.get("href") or "#").startswith("#")
    (style,) = re.findall(r"<style>(.*?)</style>", hostile["index.html"].decode(), flags=re.DOTALL)
    assert "@import" not in style
    assert "url(" not in style


def test_ids_are_unique_and_every_reference_has_its_element(hostile: dict[str, bytes]) -> None:
    page = Page(hostile["index.html"])
    ids = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert ids.most_common(1)[0][1] == 1
    for tag, attributes in page.elements:
        wanted = [*(attributes.get("aria-labelledby") or "").split()]
        wanted += [(attributes["href"] or "")[1:]] if (attributes.get("href") or "").startswith("#") else []
        wanted += re.findall(r"url\(#([^)]*)\)", attributes.get("clip-path") or "")
        assert set(wanted) <= set(ids), tag


def test_every_table_has_a_caption_and_every_heading_a_scope(hostile: dict[str, bytes]) -> None:
    page = Page(hostile["index.html"])
    assert page.count("table") == page.count("caption") > 2
    scopes = {attributes.get("scope") for tag, attributes in page.elements if tag == "th"}
    assert scopes <= {"col", "row", "colgroup", "rowgroup"}
    assert all(a.get("role") == "img" for tag, a in page.elements if tag == "svg" and "aria-hidden" not in a)


def test_plots_have_the_page_s_colours_and_font(hostile: dict[str, bytes]) -> None:
    source = hostile["index.html"].decode()
    plots = re.findall(r'<svg class="plot".*?</svg>', source, flags=re.DOTALL)
    assert len(plots) > 8
    for plot in plots:
        assert "var(--" in plot
        assert "DejaVu" not in plot
        colours = set(re.findall(r"#[0-9a-f]{6}\b", plot))
        assert not colours & {light for light, _ in COLOURS.values()}
    dark = source.split("prefers-color-scheme: dark")[1]
    assert all(f"--{name}: {colour};" in dark for name, (_, colour) in COLOURS.items())


@pytest.mark.slow
def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    cells = [*grid(["a"], ["data-norm", "few-spike"], (2, 4)), cell(70, {"model": "a", "converter": "ttfs"})]
    first, second = files_of(tmp_path / "1", cells), files_of(tmp_path / "2", cells)
    assert first == second
    assert {name.rpartition("-")[2] for name in first if name.startswith("plots")} >= {"time.png", "spikes.png"}


@pytest.mark.slow
def test_every_picture_is_a_png_and_has_its_svg(tmp_path: Path) -> None:
    files = files_of(tmp_path, grid(["a", "b"], ["data-norm"]))
    pictures = [name for name in files if name.startswith("plots/")]
    assert all(files[name].startswith(b"\x89PNG") for name in pictures)
    page = files["index.html"].decode()
    assert page.count('<svg class="plot"') == len(pictures)
    assert all(f'aria-labelledby="{Path(name).stem}-title' in page for name in pictures)


def test_the_table_has_the_paper_s_shape_and_its_figures(tmp_path: Path) -> None:
    seeds = [
        cell(i, {"model": "vgg", "converter": "data-norm", "encoder": e, "seed": s}, outcome(accuracy))
        for i, (e, s, accuracy) in enumerate([("poisson", 0, 0.86), ("poisson", 1, 0.88), ("if", 0, 0.72)])
    ]
    others = [
        cell(7, {"model": "vgg", "converter": "few-spike", "encoder": "direct", "seed": 0}),
        cell(8, {"model": "resnet", "converter": "data-norm", "encoder": "if", "seed": 0}, outcome(0.9)),
    ]
    where = {"model": "vgg", "converter": "data-norm"}
    published = [
        {"where": {**where, "encoder": "poisson"}, "ann": 89.5, "accuracy": 79.17, "label": "poster"},
        {"where": {**where, "encoder": "if"}, "ann": 89.5, "accuracy": 75.28, "spikes_per_neuron": 5},
    ]
    files = files_of(tmp_path, seeds + others, columns=["converter", "encoder"], published=published)
    page = Page(files["index.html"])
    top, second, vgg, resnet = [[" ".join(text.split()) for text in row] for row in page.rows[:4]]
    assert top == ["model", "ANN", "data-norm", "few-spike"]
    assert second == ["poisson", "if", "direct"]
    assert vgg[:2] == ["vgg", "96.00 % published 89.5 %"]
    assert vgg[2] == "87.00 % ± 1.00 (90.6 %) 1.25 spikes · 12.3 k ops poster 79.17 % (88.5 %) ✓ met"
    assert vgg[3].endswith("published 75.28 % (84.1 %) ✗ missed 5 spikes ✓ met")
    assert vgg[4] == "failed KG201"
    assert resnet[2] == "·"
    assert "2 of 3 published figures met" in page.text
    assert "error[KG201] conv2d (Conv2D): has a bias" in " ".join(page.text.split())
    assert "kgenn compile net.h5 -o cell" in page.text


def test_what_is_neither_row_nor_column_stands_in_the_cell(tmp_path: Path) -> None:
    page = Page(files_of(tmp_path, grid(["a"], ["b"], (2, 4)))["index.html"])
    (text,) = [row[2] for row in page.rows if len(row) == 3 and row[0].strip() == "a"]
    assert re.findall(r"T = \d", text) == ["T = 2", "T = 4"]


@pytest.mark.parametrize(
    ("axes", "plotted"),
    [
        ([{"scale-factor": 0.5}, {"scale-factor": 1}, {"scale-factor": 1, "seed": 1}], True),
        ([{"scale-factor": 0.5}, {"scale-factor": 0.5}], False),
        ([{"timesteps": 4}, {"timesteps": 8}], False),
        ([{"channelwise": False}, {"channelwise": True}], False),
        ([{"scale-factor": 0.5, "encoder": "if"}, {"scale-factor": 1, "encoder": "direct"}], False),
        ([{"scale-factor": 0.5}, {}], False),
    ],
)
def test_an_option_that_alone_varies_has_a_plot_of_its_own(axes: list[dict[str, Any]], plotted: bool) -> None:
    rows = [Row.from_json(cell(i, {"model": "a", **own}, outcome()), JsonPath("")) for i, own in enumerate(axes)]
    option = only_option(rows)
    assert (option == "scale-factor") is plotted
    if option is not None:
        with look():
            plot = over_option("over", rows, option, styles([option])[option])
        assert plot is not None
        assert plot.title == "Accuracy over scale-factor"
        assert plot.svg.count("scale-factor 0.5: 90.00 %") == 1


@pytest.mark.parametrize("kind", leading(["table", "curve", "pareto"]))
def test_a_sweep_with_little_in_it_has_a_page(tmp_path: Path, kind: str) -> None:
    bare = outcome(accuracy=None, ann_accuracy=None, curve=None, layers=[], raster=None, spikes_per_neuron=0)
    for number, cells in enumerate(([], [cell(1, {})], [cell(1, {}, bare)], [cell(1, {"model": "a"}, outcome())])):
        listed = [experiment(cells, kind=kind, rows=[], columns=[], note="A note.")]
        results = read_results(write(tmp_path / str(number), cells, listed))
        page = Page(report_files(results)["index.html"])
        assert "A note." in page.text


def test_a_sweep_of_values_speaks_in_its_metric(tmp_path: Path) -> None:
    figures = {
        "accuracy": None,
        "ann_accuracy": None,
        "metric": "mse",
        "ann_value": 0.011,
        "curve": [0.5, 0.1, 0.04, 0.02],
    }
    cells = [
        cell(i, {"model": "a", "converter": name}, outcome(**figures, value=value))
        for i, (name, value) in enumerate({"data-norm": 0.02, "burst": 0.0142}.items())
    ]
    files = files_of(tmp_path, cells)
    text = Page(files["index.html"]).text
    assert "Experiment one: MSE" in text
    assert "MSE over timesteps" in text
    assert "Down and to the left is better" in text
    assert "0.0142" in text
    assert "accuracy" not in text.lower().replace("published accuracy", "").replace("network’s accuracy", "")
    rows = list(csv.DictReader(io.StringIO(files["cells.csv"].decode())))
    assert [(row["metric"], row["value"], row["ann_value"]) for row in rows] == [
        ("mse", "0.02", "0.011"),
        ("mse", "0.0142", "0.011"),
    ]


def test_a_sweep_without_experiments_and_one_with_unfinished_cells_say_so(tmp_path: Path) -> None:
    assert "no experiment" in Page(report_files(read_results(write(tmp_path / "0", [], [])))["index.html"]).text
    cells = grid(["a"], ["b"])
    part = write(tmp_path / "1", cells, [experiment(cells) | {"cells": [key(0), key(50)]}], tail='{"torn')
    text = Page(report_files(read_results(part))["index.html"]).text
    assert "1 of 2 cells are not finished" in text
    assert "cells.jsonl ends in a line that was cut off" in text


def test_the_csv_has_a_row_for_each_cell_with_its_axes_and_figures(tmp_path: Path) -> None:
    cells = [*grid(["a", 'b, "c"\n'], ["data-norm", "few-spike"], (2, 4)), cell(60, {"model": "a", "cap": True})]
    published = [{"where": {"model": "a"}, "ann": 90, "accuracy": 80.5}]
    listed = [experiment(cells, published=published)]
    rows = list(csv.DictReader(io.StringIO(cells_csv(read_results(write(tmp_path, cells, listed))).decode())))
    assert len(rows) == len(cells)
    for row, line in zip(rows, cells, strict=True):
        assert row["key"] == line["key"]
        for name, value in line["axes"].items():
            assert row[name] == ("true" if value is True else str(value))
        result = line["result"] or {}
        for name in ("accuracy", "spikes_per_neuron", "synaptic_operations", "ann_accuracy", "num_timesteps"):
            assert (float(row[name]) if row[name] else None) == result.get(name)
        assert row["published_accuracy"] == ("80.5" if line["axes"]["model"] == "a" else "")
    assert (rows[-1]["status"], rows[-1]["error"]) == ("failed", "KG201")


def test_a_spreadsheet_computes_nothing_that_a_file_says(hostile: dict[str, bytes]) -> None:
    values = [value for row in csv.reader(io.StringIO(hostile["cells.csv"].decode())) for value in row]
    assert "'=1+1" in values
    assert not [value for value in values if value.startswith(("=", "+", "-", "@"))]


@pytest.mark.slow
def test_a_raster_draws_no_more_than_the_page_can_bear(tmp_path: Path) -> None:
    spikes = [[t, i] for i in range(200) for t in range(100)]
    raster = {"population": "p", "neurons": 200, "size": 5000, "spikes": spikes}
    page = files_of(tmp_path, [cell(1, {"model": "a"}, outcome(raster=raster))])["index.html"]
    assert f"p: {MAX_SPIKES // 100} of 5,000 neurons" in Page(page).text
    assert len(page) < 400_000


@pytest.mark.parametrize("length", [1, 7, MAX_POINTS, MAX_POINTS + 1, 2500])
def test_a_thinned_curve_keeps_both_ends(length: int) -> None:
    steps = thinned(length)
    assert (steps[0], steps[-1]) == (1, length)
    assert steps == sorted(set(steps))
    assert len(steps) <= MAX_POINTS


@pytest.mark.parametrize("base", [2, 10])
@pytest.mark.parametrize(
    ("low", "high"), [(0.9, 70), (1.0, 2500), (3, 3.3), (0.02, 90), (1e6, 1.5e9), (0.45, 0.55)]
)
def test_a_logarithmic_axis_has_a_few_ticks_on_it(low: float, high: float, base: int) -> None:
    ticks = log_ticks(low, high, base)
    assert 1 <= len(ticks) <= 9
    assert all(low <= tick <= high for tick in ticks)
    assert len(ticks) >= 3 or base == 2 or high < 1.3 * low


def test_file_names_and_ids_are_plain_and_differ() -> None:
    taken: set[str] = set()
    names = [unique(slug(text), taken) for text in ("VGG 13", "vgg-13", "../../etc", "层", "", "x" * 200)]
    assert names == ["vgg-13", "vgg-13-2", "etc", "unnamed", "unnamed-2", "x" * 48]


def test_many_series_look_different() -> None:
    found = styles([str(i) for i in range(32)]).values()
    assert len({(s.variable, s.marker, s.dashes) for s in found}) == 32
