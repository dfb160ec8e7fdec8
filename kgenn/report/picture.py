"""Draw a model or a network as an SVG: boxes in rows, arrows between them."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from kgenn.backends.render import render
from kgenn.ir.graph import Graph
from kgenn.ir.network import Network
from kgenn.ir.words import times
from kgenn.report.contents import model_contents, network_contents
from kgenn.report.layout import Size, place

# Pixels: the mean advance of a character at the two font sizes (a little wide, since fonts differ), heights of
# lines, and the space around text and around the picture.
BOLD_ADVANCE, PLAIN_ADVANCE = 8.2, 6.6
LINE, PAD, MARGIN = 17.0, 11.0, 16.0
LABEL_HEIGHT = 20.0
LONGEST = 64


@dataclass(frozen=True)
class Box:
    """One box: a name, lines below it, and a role: "input", "hidden" or "output"."""

    name: str
    lines: tuple[str, ...]
    role: str


@dataclass(frozen=True)
class Arrow:
    """An arrow between two boxes, by index; dashed for a constant current."""

    source: int
    target: int
    label: str = ""
    dashed: bool = False


def network_picture(network: Network, kind: str = "svg") -> bytes:
    """Return a picture of a network's populations and connections, as an SVG or a PNG."""
    contents = network_contents(network)
    position = {p.name: i for i, p in enumerate(contents.populations)}
    last = len(position) - 1
    boxes = [
        Box(p.name, (times(p.shape), p.neuron_model, _count(p.neurons, "neuron")), _role(i == 0, i == last))
        for i, p in enumerate(contents.populations)
    ]
    arrows = []
    for c in contents.connections:
        label = f"{c.kind} · {_count(c.synapses, 'synapse')}"
        arrows.append(Arrow(position[c.source], position[c.target], label, c.constant))
    constant = "; dashed: a constant current" if any(a.dashed for a in arrows) else ""
    return draw(network.name, f"spiking network, {network.num_timesteps} timesteps{constant}", boxes, arrows, kind)


def model_picture(graph: Graph, kind: str = "svg") -> bytes:
    """Return a picture of a model's layers, as an SVG or a PNG."""
    layers = model_contents(graph)
    position = {layer.node: i for i, layer in enumerate(layers)}
    boxes = []
    for layer in layers:
        weights = (_count(layer.parameters, "parameter"),) if layer.parameters else ()
        role = _role(not layer.inputs, layer.node in graph.ends)
        boxes.append(Box(layer.origin, (layer.contents, times(layer.shape), *weights), role))
    arrows = [Arrow(position[s], position[layer.node]) for layer in layers for s in layer.inputs]
    return draw(graph.name, f"model, {graph.macs:,} multiply-accumulates", boxes, arrows, kind)


def draw(title: str, subtitle: str, boxes: list[Box], arrows: list[Arrow], kind: str = "svg") -> bytes:
    """Return boxes and arrows as an SVG or, with matplotlib, a PNG; boxes are in topological order."""
    scene = _scene(title, subtitle, boxes, arrows)
    if kind == "svg":
        return render("report/graph.svg.j2", scene)
    from kgenn.report.figures import painted

    return painted(scene)


def _scene(title: str, subtitle: str, boxes: list[Box], arrows: list[Arrow]) -> dict[str, Any]:
    """Return what is drawn and where."""
    sizes = [_box_size(box) for box in boxes]
    labels = [_label_size(a.label) for a in arrows]
    placed = place(sizes, [(a.source, a.target) for a in arrows], labels)
    head = 2 * LINE + PAD
    ends = [(placed.boxes[i], size) for i, size in enumerate(sizes)]
    wide = max(placed.size.width, _width(_shown(title), 1.2 * BOLD_ADVANCE), _width(subtitle, PLAIN_ADVANCE))
    shift = MARGIN + (wide - placed.size.width) / 2
    return {
        "title": _shown(title),
        "subtitle": subtitle,
        "width": wide + 2 * MARGIN,
        "height": placed.size.height + head + 2 * MARGIN,
        "shift_x": shift,
        "shift_y": MARGIN + head,
        "line": LINE,
        "boxes": [_box_context(box, *end) for box, end in zip(boxes, ends, strict=True)],
        "arrows": [
            _arrow_context(a, ends[a.source], ends[a.target], dummies, label, size)
            for a, dummies, label, size in zip(arrows, placed.arrows, placed.labels, labels, strict=True)
        ],
    }


End = tuple[tuple[float, float], Size]


def _box_context(box: Box, centre: tuple[float, float], size: Size) -> dict[str, object]:
    return {
        "role": box.role,
        "full_name": _printable(box.name),
        "name": _shown(box.name),
        "lines": [_shown(line) for line in box.lines],
        "x": centre[0] - size.width / 2,
        "y": centre[1] - size.height / 2,
        "middle": centre[0],
        "width": size.width,
        "height": size.height,
    }


def _arrow_context(
    arrow: Arrow,
    source: End,
    target: End,
    dummies: tuple[tuple[float, float, float], ...],
    label: tuple[float, float],
    size: Size,
) -> dict[str, object]:
    (x, y), source_size = source
    (end_x, end_y), target_size = target
    y += source_size.height / 2
    strokes: list[tuple[str, tuple[float, ...]]] = [("M", (x, y))]
    stops = [(px, py - height / 2, py + height / 2) for px, py, height in dummies]
    top = end_y - target_size.height / 2
    for px, above, below in [*stops, (end_x, top, top)]:
        # straight through a row, bent between rows
        middle = (y + above) / 2
        strokes.append(("C", (x, middle, px, middle, px, above)))
        strokes += [("V", (below,))] if below > above else []
        x, y = px, below
    return {
        "strokes": strokes,
        "path": " ".join(command + " ".join(f"{n:.1f}" for n in numbers) for command, numbers in strokes),
        "dashed": arrow.dashed,
        "label": _shown(arrow.label),
        "x": label[0] - size.width / 2,
        "y": label[1] - size.height / 2,
        "middle": label[0],
        "width": size.width,
        "height": size.height,
    }


def _box_size(box: Box) -> Size:
    widths = [_width(_shown(box.name), BOLD_ADVANCE), *(_width(_shown(line), PLAIN_ADVANCE) for line in box.lines)]
    return Size(max(widths) + 2 * PAD, (1 + len(box.lines)) * LINE + PAD)


def _label_size(text: str) -> Size:
    return Size(_width(_shown(text), PLAIN_ADVANCE) + PAD, LABEL_HEIGHT) if text else Size(PAD, 2.0)


def _width(text: str, advance: float) -> float:
    """Estimate the width of a text; ideographs take two columns."""
    return advance * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _shown(text: str) -> str:
    """Return a text as short as a box can hold."""
    plain = _printable(text)
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"


def _printable(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _role(first: bool, last: bool) -> str:
    return "input" if first else "output" if last else "hidden"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
