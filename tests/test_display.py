"""Graphs, networks and results show themselves: in one line, as a table, and as HTML."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import pytest

import kgenn
from kgenn.display import DISPLAYS, Displayed, Grid
from networks import build, samples

pytestmark = pytest.mark.quick

GRAPH = build("residual_shortcut")
X = samples(GRAPH, 12)
NETWORK = kgenn.convert(GRAPH, calibration=X, timesteps=6)
COMPILED = kgenn.compile(NETWORK, "reference")
RESULT = COMPILED.evaluate(X)
VALUES: dict[str, Displayed] = {"graph": GRAPH, "network": NETWORK, "compiled": COMPILED, "result": RESULT}

each = pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)


@each
def test_a_repr_is_one_short_line(value: Displayed) -> None:
    text = repr(value)
    assert text.startswith(f"<{type(value).__name__}")
    assert "\n" not in text
    assert len(text) < 200


@each
def test_a_notebook_gets_whole_html(value: Displayed) -> None:
    html = value._repr_html_()
    ElementTree.fromstring(html)
    assert not re.search(r"(?:src|href)=\"(?!data:)", html)
    assert ("data:image/svg+xml" in html) == (value is not RESULT)


def test_the_picture_of_a_notebook_is_that_of_inspect() -> None:
    from kgenn.report.picture import model_picture, network_picture

    for value, picture in ((GRAPH, model_picture(GRAPH)), (NETWORK, network_picture(NETWORK))):
        found = re.search(r"base64,([^\"]+)", value._repr_html_())
        assert found is not None
        assert base64.b64decode(found[1]) == picture


def test_summaries_name_every_layer_population_and_figure() -> None:
    layers = {node.origin for node in GRAPH.nodes if node.origin}
    assert [origin for origin in layers if origin not in GRAPH.summary()] == []
    for value in (NETWORK, COMPILED):
        assert [p.name for p in NETWORK.populations if p.name not in value.summary()] == []
    assert [value for _, value in RESULT.rows() if value not in RESULT.summary()] == []


def test_every_display_is_one_of_a_value() -> None:
    assert set(DISPLAYS.names()) == {value.display for value in VALUES.values()}


def test_columns_are_aligned_and_names_escaped() -> None:
    grid = Grid(("name", ">n"), [("a", "10,000"), ("层<b>", "1")])
    assert grid.to_text().splitlines() == ["name         n", "a       10,000", "层<b>        1"]
    assert "<td>层&lt;b&gt;</td>" in grid.to_html()
    assert Grid(("", ""), []).to_text() == ""
