"""`kgenn run`: a compiled network on a data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from kgenn.api import open_directory
from kgenn.backends import TARGETS
from kgenn.backends.base import Work
from kgenn.cli.console import print_diagnostics, print_json, print_line, print_table, progress, working
from kgenn.cli.options import PATH, data_flags, json_flag, run_options_of, samples_for
from kgenn.cli.pictures import outputs_flag
from kgenn.cli.run_files import RunFiles
from kgenn.cli.task_options import task_flags, tasks_given
from kgenn.cli.words import Known
from kgenn.compiled import BATCH_SIZE, CompiledNetwork, Observer
from kgenn.data.errors import of_file
from kgenn.data.load import Data
from kgenn.ir.graph import Array
from kgenn.ir.recording import Recording, RecordingOptions
from kgenn.metrics.result import Result
from kgenn.tasks.metric import title, written
from kgenn.trace import TraceWriter

# The algorithms of `Work`, in words.
ALGORITHMS = {
    "events": "events",
    "dense": "dense products",
    "tiles": "dense products in the matrix unit",
    "other": "neuron by neuron",
}


@click.command()
@click.argument("directory", type=PATH)
@data_flags
@task_flags
@click.option("--batch-size", type=click.IntRange(min=1), metavar="B", help="Samples simulated at once.")
@click.option(
    "--target",
    type=Known(TARGETS.names),
    metavar="NAME",
    help="Run on this target instead of the one it was compiled for.",
)
@click.option(
    "--ann-samples",
    type=click.IntRange(min=0),
    metavar="N",
    help="Samples for the ANN on integer grid and the quantised twin.  [default: as many as take seconds]",
)
@click.option("--dask", metavar="ADDRESS", help="Share each batch among the workers of a Dask cluster.")
@click.option("--curve", is_flag=True, help="Also print the metric after each step.")
@click.option("--explain", is_flag=True, help="Show how each connection was computed, and how sparse it was.")
@click.option("--early-exit", type=float, metavar="CONFIDENCE", help="Also stop each sample at this probability.")
@click.option("--trace", type=PATH, metavar="OUT.npz", help="Write every spike to a file.")
@outputs_flag
@click.option("--predictions", type=PATH, metavar="OUT.npz", help="Write the predictions and scores.")
@click.option("--neurobench", type=PATH, metavar="OUT.json", help="Write the metrics of neurobench.")
@json_flag
def run(
    directory: Path,
    data: Path,
    split: str | None,
    limit: int | None,
    scale: tuple[str, ...],
    batch_size: int | None,
    target: str | None,
    dask: str | None,
    curve: bool,
    explain: bool,
    early_exit: float | None,
    ann_samples: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a compiled network on a data set.

    DIRECTORY is an output of kgenn compile. Its code is built and loaded with your rights, except with --target
    reference. Files that were changed since kgenn wrote them are refused, unless you pass --edited.

    The data file is an .npz or HDF5 file with the samples x and the labels y. Samples that take more than 256 MiB
    are read batch by batch, and --limit reads no more than the first samples. If the data are in the layout of
    keras.datasets, the test split is used. Data of the same kind as the calibration data, integers or floats, are
    scaled as those were, unless --scale is given. For a model with several inputs or outputs, the file holds an
    array of samples for each input, named as the input or x_0, x_1 and so on, and labels named as the outputs or
    y_0 and so on.

    The task of an output decides its metric: accuracy for classes, mean squared error for values, and so on. It
    is guessed from the model's last activation and the labels, and printed. --task, --metric and --threshold set
    it; for a model with several outputs as OUTPUT=NAME.

    ANN on integer grid is the metric of the network's weights as an ANN: the model's weights, rounded to the
    network's grid, with any bias corrections.

    --trace writes the arrays NAME/sample, NAME/timestep, NAME/neuron and NAME/value for each spiking population
    NAME, with an entry for each spike, and NAME/shape. --predictions writes predictions and scores; for a model
    with several outputs NAME/predictions and NAME/scores of each.

    --early-exit also reports the result of stopping each sample at the first step where each class that the
    outputs predict reaches this probability. With it, --predictions adds exit_predictions and exit_timesteps.

    --neurobench writes footprint, parameter count, sparsity, synaptic operations and membrane updates as the
    package neurobench defines them. The NumPy reference counts them, which is slow; --limit uses fewer samples.

    --picture draws outputs that are maps, signals or values next to those of the same weights as an ANN.
    """
    files = RunFiles.of(options, data)
    with working("loading"):
        network = open_directory(directory, run_options_of(options), target, dask)
    samples = samples_for(network.network, data, split, limit, scale)
    kinds, record = tasks_given(options), RecordingOptions(files.trace is not None, curve=curve)
    with of_file(data, samples):
        result = evaluate(network, samples, batch_size, record, files.trace, early_exit, kinds, ann_samples)
    files.write(network, samples, result, kinds)
    if as_json:
        print_json({**result.to_dict(curve), **({"work": [asdict(w) for w in network.work]} if explain else {})})
    else:
        _print(result, network.work if explain else None, curve)
    print_diagnostics(result.warnings)


def _print(result: Result, work: tuple[Work, ...] | None, curve: bool) -> None:
    print_table(("", ""), result.rows())
    if work is not None:
        _print_work(work)
    if curve:
        _print_curve(result)


def evaluate(
    network: CompiledNetwork,
    data: Data,
    batch_size: int | None,
    record: RecordingOptions,
    trace: Path | None,
    early_exit: float | None,
    kinds: Mapping[str, Any],
    ann_samples: int | None,
) -> Result:
    """Run all samples once, writing the trace on the way; add what the ANN gives, and the data's warnings."""
    with ExitStack() as stack:
        observe: Observer | None = None
        if trace is not None:
            writer = stack.enter_context(TraceWriter(trace, network.network))

            def observe(start: int, drive: Array, recording: Recording) -> None:
                writer.add(start, recording)

        advance = stack.enter_context(progress("running", len(data)))
        size = batch_size or BATCH_SIZE
        result = network.evaluate(data.x, data.y, size, advance, observe, record, early_exit, **kinds)
    result = network.with_ann(data.x, data.y, result, ann_samples, **kinds)
    return replace(result, warnings=(*data.warnings, *result.warnings))


def _print_curve(result: Result) -> None:
    curves = {name: own.curve for name, own in result.outputs.items() if own.curve is not None}
    if not curves:
        labelled = any(own.value is not None for own in result.outputs.values())
        why = "the network decides after its last stage" if labelled else "the data have no labels"
        print_line(f"no curve: {why}")
        return
    last = result.num_timesteps
    steps = [1 << k for k in range(last.bit_length()) if 1 << k < last] + [last]
    metrics = {name: result.outputs[name].metric for name in curves}
    columns = [f">{title(metric)}" + f" of {name}" * (len(result.outputs) > 1) for name, metric in metrics.items()]
    rows = [(f"{t:,}", *(written(metrics[n], float(c[t - 1])) for n, c in curves.items())) for t in steps]
    print_table((">steps", *columns), rows)


def _print_work(work: tuple[Work, ...]) -> None:
    if not work:
        print_line("this target has one synapse algorithm")
        return
    columns = ("from", "to", ">not zero", "computed by")
    rows = [(w.source, w.target, f"{100 * w.density:.1f} %", _algorithms(w.algorithms)) for w in work]
    print_table(columns, rows)


def _algorithms(shares: Mapping[str, float]) -> str:
    """Return the algorithms, with their shares where there are several."""
    words = {ALGORITHMS[name]: share for name, share in shares.items()}
    if len(words) == 1:
        return next(iter(words))
    return ", ".join(f"{name} ({100 * share:.0f} %)" for name, share in words.items())
