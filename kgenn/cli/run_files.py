"""The files that `kgenn run` writes beside its table: a trace, predictions, a picture, costs for neurobench."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from kgenn.cli.console import progress
from kgenn.cli.options import check_output
from kgenn.cli.pictures import check_picture, draw_outputs
from kgenn.compiled import CompiledNetwork
from kgenn.data.load import Data
from kgenn.files.output import write_file
from kgenn.ir.graph import Array
from kgenn.ir.serialise import npz_bytes
from kgenn.metrics.result import Result

# What --predictions keeps of an output.
KEPT = ("predictions", "scores")


@dataclass(frozen=True)
class RunFiles:
    """Where a run writes what, by the names of the options; None for what was not asked for."""

    trace: Path | None
    predictions: Path | None
    neurobench: Path | None
    picture: Path | None

    @classmethod
    def of(cls, options: Mapping[str, Any], data: Path) -> Self:
        """Return the files that options name, each of which can be written.

        Args:
            data: what the command reads.

        Raises:
            KgennError: KG606 for one that cannot be written, or stands twice.
        """
        files = cls(**{field.name: options[field.name] for field in fields(cls)})
        check_output(files.trace, data)
        check_output(files.predictions, data, files.trace)
        check_output(files.neurobench, data, files.trace, files.predictions)
        check_picture(files.picture, data, files.trace, files.predictions, files.neurobench)
        return files

    def write(self, network: CompiledNetwork, samples: Data, result: Result, kinds: Mapping[str, Any]) -> None:
        """Write all files but the trace, which is written during the run."""
        if self.predictions is not None:
            write_file(self.predictions, npz_bytes(_arrays(result)))
        if self.neurobench is not None:
            text = json.dumps(_costs(network, samples, result), indent=1, allow_nan=False)
            write_file(self.neurobench, f"{text}\n".encode())
        if self.picture is not None:
            draw_outputs(self.picture, network, samples, result, kinds)


def _costs(network: CompiledNetwork, samples: Data, result: Result) -> dict[str, Any]:
    """Return the figures of neurobench, the accuracy among them where an output says classes."""
    with progress("counting for neurobench", len(samples)) as advance:
        figures = network.neurobench(samples.x, progress=advance)
    known = {} if result.accuracy is None else {"classification_accuracy": result.accuracy}
    return {**figures, **known}


def _arrays(result: Result) -> dict[str, Array]:
    several, exits = len(result.outputs) > 1, result.early_exit
    arrays: dict[str, Array] = {} if exits is None else {"exit_timesteps": exits.timesteps}
    for name, own in result.outputs.items():
        prefix = f"{name}/" if several else ""
        arrays |= {f"{prefix}{kind}": getattr(own, kind) for kind in KEPT}
        if exits is not None:
            arrays[f"{prefix}exit_predictions"] = exits.outputs[name].predictions
    return arrays
