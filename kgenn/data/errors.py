"""Name the file that samples and labels are of in the errors about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kgenn.data.load import Data
from kgenn.diagnostics import Diagnostic, KgennError
from kgenn.ir.calibration_data import CALIBRATION

# Errors about the samples and the labels of a run.
OF_DATA = frozenset({"KG602", "KG603", "KG607"})


@contextmanager
def of_file(path: Path, data: Data) -> Iterator[None]:
    """Name the data file and its scale in the errors about its samples, for a `with` block that computes them."""
    try:
        yield
    except KgennError as error:
        scale = recorded(data.scale)
        words = ", ".join(f"{k}={v}" for k, v in scale.items()) if isinstance(scale, Mapping) else scale
        unit = f" (multiplied by {words})" if words else ""
        raise KgennError(_in_file(d, path, unit) for d in error.diagnostics) from error


def _in_file(diagnostic: Diagnostic, path: Path, unit: str) -> Diagnostic:
    """Return a diagnostic about samples or labels with the file they are of, and values with their unit."""
    if diagnostic.where.startswith(CALIBRATION):
        return replace(diagnostic, where=diagnostic.where.replace(CALIBRATION, str(path), 1))
    if diagnostic.code not in OF_DATA:
        return diagnostic
    what = diagnostic.what + unit * (diagnostic.code == "KG603")
    return replace(diagnostic, where=f"{path}, {diagnostic.where}", what=what)


def recorded(scale: Any) -> Any:
    """Return scales as the manifest keeps them."""
    if isinstance(scale, Mapping):
        return {name: str(own) for name, own in scale.items()}
    return None if scale is None else str(scale)
