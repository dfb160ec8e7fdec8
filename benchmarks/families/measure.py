"""Read, convert and run one model, and say what came out beside Keras."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

import kgenn
from benchmarks.families.architectures import (
    FAMILIES,
    drawn_inputs,
    given,
    in_double,
    input_shapes,
    logits,
    outputs_of,
    settled_file,
)
from kgenn.backends.simulate import simulate
from kgenn.conversion.base import Memoise, Memory
from kgenn.conversion.recipe import recipe_of
from kgenn.convert_model import convert_model
from kgenn.data.load import Data
from kgenn.diagnostics import Diagnostic
from kgenn.ir.graph import Array, Shape
from kgenn.passes import LoweringOptions

# The diagnostic of a layer that is code, which Keras does not load either.
FOREIGN = "KG105"
CONVERTERS: Mapping[str, Callable[[], kgenn.Converter]] = {
    "few-spike": kgenn.FewSpike,
    "data-norm": kgenn.DataNorm,
    "ttfs": kgenn.TimeToFirstSpike,
    "calibrated": kgenn.Calibrated,
}


@dataclass(frozen=True)
class Outcome:
    """What a conversion gave.

    Attributes:
        correlation: of scores and the model's, each less its mean over images, on images that did not calibrate;
            of several outputs the least.
        neurons: of the network, its input included.
        convert, build: CPU seconds of the conversion, and of the compiler.
    """

    correlation: float
    neurons: int
    convert: float
    build: float


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def measured(name: str, methods: Sequence[tuple[str, int]], calibration: int, images: int) -> dict[str, Any]:
    """Return a row: what was read, and an `Outcome` for each method, as values of JSON.

    Args:
        name: of a family, or of a file.
        methods: converters with their timesteps.
        calibration, images: how many images calibrate, and how many others are scored.
    """
    foreign = [] if name in FAMILIES else [p for p in read(Path(name), None)[1] if p.code == FOREIGN]
    if foreign:
        return {"shapes": [], "refused": said(foreign)}
    with tempfile.TemporaryDirectory() as folder:
        path, model = settled_file(name, Path(folder))
        x = drawn_inputs(model, calibration + images, 5)
        own = logits(model, rows(x, slice(calibration, None)))
        some = [array.astype(np.float64) for array in rows(x, slice(calibration, calibration + 4))]
        expected = outputs_of(in_double(model)(given(some), training=False))
        started = cpu_seconds()
        graph, problems = read(path, input_shapes(model))
        checked = cpu_seconds() - started
    row: dict[str, Any] = {
        "shapes": [list(shape) for shape in input_shapes(model)],
        "parameters": int(model.count_params()),
        "check": checked,
        "refused": said(problems),
    }
    if graph is None or problems:
        return row
    # what one method alone keeps takes memory and saves no time
    memoise = Memory().memoise if len(methods) > 1 else None
    return {
        **row,
        "read": max(map(error_of, doubles_of(graph, some), expected)),
        "activations": sum(prod(graph.shapes[n.name]) for n in graph.nodes if n.inputs and not n.layer.linear),
        "methods": {
            f"{method} {steps}": vars(outcome(graph, method, steps, x, own, calibration, memoise))
            for method, steps in methods
        },
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def rows(x: Sequence[Array], some: slice) -> list[Array]:
    """Return some samples of each input."""
    return [array[some] for array in x]


def doubles_of(graph: kgenn.Graph, x: Sequence[Array]) -> list[Array]:
    """Return the outputs of a model as it was read, computed in float64.

    In float32 a deep network and Keras differ by the order of their sums, as much as Keras does from itself in
    float64: the error would not say whether the model is read right.
    """
    values = {name: value for name, value in graph.forward(graph.samples(x)) if name in graph.ends}
    return [values[output.node] for output in graph.outputs]


def error_of(found: Array, expected: Array) -> float:
    """Return the largest error beside the largest value."""
    return float(np.abs(found.reshape(expected.shape) - expected).max() / np.abs(expected).max())


def said(problems: Sequence[Diagnostic]) -> list[str]:
    """Return diagnostics in one line each, without the file they are of."""
    return [f"{problem.code} {problem.where.rpartition(': ')[2]}: {problem.what}" for problem in problems]


def read(path: Path, shapes: Sequence[Shape] | None) -> tuple[kgenn.Graph | None, list[Diagnostic]]:
    """Return a model, or None where it cannot be read, and why it does not convert.

    Args:
        shapes: of its inputs, in their order, or None.
    """
    shape = shapes[0] if shapes is not None and len(shapes) == 1 else None
    try:
        graph = kgenn.load(path, input_shape=shape)
    except kgenn.KgennError as error:
        return None, list(error.diagnostics)
    return graph, kgenn.check(graph, allow="all")


def outcome(
    graph: kgenn.Graph,
    method: str,
    steps: int,
    x: Sequence[Array],
    own: Sequence[Array],
    calibration: int,
    memoise: Memoise | None,
) -> Outcome:
    """Convert, compile and run a model.

    Args:
        x, own: samples of each input, of which the first `calibration` calibrate, and the model's scores of the
            others, of each output.
        memoise: keeps what the methods share, which counts for the first one.
    """
    started = cpu_seconds()
    recipe = recipe_of(CONVERTERS[method](), None, "all", LoweringOptions())
    data = Data(graph.samples(rows(x, slice(calibration))), None)
    network = convert_model(graph, recipe, data, steps, simulate, memoise, check=False).network()
    converted = cpu_seconds()
    plain = tuple(replace(output, activations=()) for output in network.outputs)
    compiled = kgenn.compile(replace(network, outputs=plain))
    built = cpu_seconds()
    result = compiled.evaluate(rows(x, slice(calibration, None)))
    scores = [np.asarray(output.scores) for output in result.outputs.values()]
    return Outcome(
        min(map(correlation_of, scores, own)),
        sum(p.size for p in network.populations),
        converted - started,
        built - converted,
    )


def correlation_of(a: Array, b: Array) -> float:
    """Return the correlation of two arrays of N images' scores, each less its mean over the images."""
    a, b = (each.reshape(len(each), -1) for each in (a, b))
    return float(np.corrcoef((a - a.mean(axis=0)).ravel(), (b - b.mean(axis=0)).ravel())[0, 1])
