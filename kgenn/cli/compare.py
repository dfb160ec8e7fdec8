"""`kgenn compare`: which layer loses what."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from kgenn.api import open_directory
from kgenn.cli.console import print_diagnostics, print_json, print_line, print_table, progress, working
from kgenn.cli.options import PATH, data_flags, json_flag, run_options_of, samples_for
from kgenn.cli.task_options import task_flags, tasks_given
from kgenn.data.errors import of_file
from kgenn.metrics.comparison import Comparison
from kgenn.tasks.metric import difference, title, written

COLUMNS = (
    "population",
    ">activation",
    ">rate",
    ">error",
    ">own error",
    ">relative",
    ">saturated",
    "",
)


@click.command()
@click.argument("directory", type=PATH)
@data_flags
@task_flags
@json_flag
def compare(
    directory: Path,
    data: Path,
    split: str | None,
    limit: int | None,
    scale: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Show layer by layer where a network differs from its model.

    Activations are the model's, in units of the layer's scale. A rate is what a neuron's spikes stand for in the
    same units, in any spike code. The two should be equal. A layer's own error is the error that remains when
    its sources' rates are taken as correct. Saturated is the share of activations above the largest rate that
    can be sent.
    """
    with working("loading"):
        network = open_directory(directory, run_options_of(options))
    samples = samples_for(network.network, data, split, limit, scale)
    with of_file(data, samples), progress("comparing", len(samples)) as advance:
        comparison = network.compare(samples.x, samples.y, progress=advance, **tasks_given(options))
    warnings = (*samples.warnings, *comparison.result.warnings)
    comparison = replace(comparison, result=replace(comparison.result, warnings=warnings))
    if as_json:
        print_json(comparison.to_dict())
    else:
        _print(comparison)
    print_diagnostics(warnings)


def _print(comparison: Comparison) -> None:
    rows = [
        (
            e.population,
            f"{e.activation:.4f}",
            f"{e.rate:.4f}",
            f"{e.error:.4f}",
            f"{e.own:.4f}",
            f"{100 * e.relative:.2f} %",
            f"{100 * e.saturated:.3f} %",
            "← largest own" if index == comparison.worst else "",
        )
        for index, e in enumerate(comparison.layers)
    ]
    print_table(COLUMNS, rows, comparison.worst)
    result = comparison.result
    for name, ann in comparison.ann_values.items():
        own = result.outputs[name]
        of_output = f" of output {name}" * (len(result.outputs) > 1)
        print_line(f"{title(own.metric)}{of_output}; task {own.task}")
        assert own.value is not None, "an output with labels has a value"
        print_line(f"ANN on integer grid       {written(own.metric, ann)}")
        print_line(f"SNN, T = {result.num_timesteps:,}".ljust(26) + written(own.metric, own.value))
        lost = difference(own.metric, ann, own.value)
        print_line(f"lost                      {lost}, on {result.num_samples:,} samples")
