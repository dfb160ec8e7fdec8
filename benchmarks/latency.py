"""Show what time-to-first-spike loses over t_max and over the threshold u_th: the curves of the method's paper.

As there, times are truncated, each layer has one threshold, and no bias is corrected.

    python -m benchmarks.latency MODEL.h5 DATA.npz --allow bias --allow max-pool --limit 2000

For each t_max with the threshold that the calibration chose, and for each multiple of that threshold at one t_max:
the error in %, the points lost against the model, spikes per neuron, and synaptic operations as a share of the
model's multiply-accumulates. DATA.npz has the layout of keras.datasets, with pixels of 8 bits.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

import kgenn
from kgenn.api import samples
from kgenn.cli.console import print_table
from kgenn.data.load import load_data
from kgenn.ir.graph import Array, Graph
from kgenn.metrics.result import Result

STEPS = (2, 4, 8, 16, 32, 64, 128)
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
CALIBRATION_SAMPLES = 1024


def measured(
    graph: Graph, split: tuple[Array, Array, Array], allow: tuple[str, ...], steps: int, factor: float
) -> Result:
    """Return the result of one network; `split` is calibration samples, test samples and labels."""
    calibration, x, y = split
    converter = kgenn.TimeToFirstSpike(rounding=False, channelwise=False, correction=False, scale_factor=factor)
    network = kgenn.convert(
        graph,
        converter=converter,
        encoder=kgenn.TtfsInput(),
        calibration=calibration,
        timesteps=steps,
        allow=allow,
    )
    return kgenn.compile(network).evaluate(x, y)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--allow", multiple=True)
@click.option("--limit", type=int, help="Test images.")
@click.option("--timesteps", type=int, default=8, show_default=True, help="t_max of the curve over u_th.")
def main(model: Path, data: Path, allow: tuple[str, ...], limit: int | None, timesteps: int) -> None:
    """Measure both curves."""
    graph = kgenn.load(model)
    train, test = load_data(data, "train").limited(CALIBRATION_SAMPLES), load_data(data, "test").limited(limit)
    x_train, x_test = (samples(d.x, graph.input_shape, "1/255") for d in (train, test))
    assert test.y is not None, "the data have no labels"
    ann = float((graph.predict(x_test).argmax(axis=1) == test.y.ravel()).mean())
    settings = [(steps, 1.0) for steps in STEPS] + [(timesteps, factor) for factor in FACTORS]
    rows = []
    for steps, factor in settings:
        result = measured(graph, (x_train, x_test, np.asarray(test.y)), allow, steps, factor)
        assert result.accuracy is not None
        error, lost = 100 * (1 - result.accuracy), 100 * (ann - result.accuracy)
        share = result.synaptic_operations / result.ann_macs
        spikes = f"{result.spikes_per_neuron:.4f}"
        rows.append((str(steps), f"{factor:g}", f"{error:.2f}", f"{lost:.2f}", spikes, f"{share:.4f}"))
    print_table((">t_max", ">u_th", ">error in %", ">lost", ">spikes per neuron", ">operations / MACs"), rows)


if __name__ == "__main__":
    main()
