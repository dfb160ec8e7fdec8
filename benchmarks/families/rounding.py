"""Say how well any code of so many bits can do on families of keras.applications.

    python -m benchmarks.families.rounding ResNet50 InceptionV3 --bits 8

The model itself is computed, in floating point and without spikes; only each activation is rounded to the nearest
of 2^bits − 1 levels. The largest level of each channel has the least squared error on the very images that are
scored. So nothing is clipped that calibration has not seen, and no weight is rounded: what is left is the code's
rounding.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np

import kgenn
from benchmarks.families.architectures import drawn_inputs, input_shapes, logits, settled_file
from benchmarks.families.measure import correlation_of, read, rows
from kgenn.conversion.base import uncached
from kgenn.conversion.legality import accepted, spikes_before_data
from kgenn.conversion.quantisation import least_squares_scales, quantised
from kgenn.conversion.recipe import recipe_of
from kgenn.conversion.rewriting import rewritten
from kgenn.ir.graph import Array, Graph, Input
from kgenn.ir.samples import Samples
from kgenn.passes import LoweringOptions

# Images computed at once.
BATCH = 16


def rounded_correlation(graph: Graph, x: list[Array], own: list[Array], calibration: int, bits: int) -> float:
    """Return the correlation of a model whose activations are rounded with itself, as of `Outcome`.

    Args:
        x, own: samples of each input, of which the first `calibration` place the pieces, and the scores of the
            others.
    """
    recipe = recipe_of(kgenn.FewSpike(), None, "all", LoweringOptions())
    exact = accepted(graph, recipe, uncached)
    pooled = spikes_before_data(recipe, exact).pooled_inputs
    known, scored = (exact.samples(rows(x, part)) for part in (slice(calibration), slice(calibration, None)))
    written = rewritten(exact, recipe.pieces(bits), pooled, known)
    levels = 2**bits - 1
    scales = least_squares_scales(written, scored, levels, rounding=True, channelwise=True, clipped=False)
    found = [
        _rounded(written, scored[i : i + BATCH].single(), scales, levels) for i in range(0, len(scored), BATCH)
    ]
    outputs = [np.concatenate(parts) for parts in zip(*found, strict=True)]
    return min(map(correlation_of, outputs, own))


def _rounded(graph: Graph, samples: Samples, scales: dict[str, Array], levels: int) -> list[Array]:
    """Return the outputs of a graph whose activations are rounded."""
    values: dict[str, Array] = {}
    for node in graph.nodes:
        given = [samples.arrays[node.name]] if isinstance(node.layer, Input) else [values[s] for s in node.inputs]
        value = node.layer.forward(*given)
        if node.name in scales:
            scale = np.where(scales[node.name] > 0, scales[node.name], 1.0)
            value = quantised(value, scale, levels, rounding=True).astype(np.float32)
        values[node.name] = value
        for source in node.inputs:
            if graph.last_uses[source] == node.name:
                values.pop(source, None)
    return [values[output.node] for output in graph.outputs]


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--bits", multiple=True, default=(8,), help="Of an activation.")
@click.option("--calibration", default=64, show_default=True, help="Images that place the pieces of activations.")
@click.option("--images", default=64, show_default=True, help="Other images, which are scored.")
def main(names: tuple[str, ...], bits: tuple[int, ...], calibration: int, images: int) -> None:
    """Print the correlation of rounded models."""
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            path, model = settled_file(name, Path(folder))
            x = drawn_inputs(model, calibration + images, 5)
            own = logits(model, rows(x, slice(calibration, None)))
            graph, problems = read(path, input_shapes(model))
        if graph is None or problems:
            raise click.ClickException(f"{name}: does not convert")
        for number in bits:
            click.echo(f"{name}, {number} bits: {rounded_correlation(graph, x, own, calibration, number):.4f}")


if __name__ == "__main__":
    main()
