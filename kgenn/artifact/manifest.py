"""Check what the manifest of an output directory records of how it was made; it may have been changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kgenn.diagnostics import Diagnostic
from kgenn.ir.agreement import Agreement
from kgenn.ir.naming import Naming
from kgenn.tasks.labelled_goals import stored

# What commands read of a record, where it is there: types, and of an object those of its entries.
KINDS: Mapping[str, Any] = {
    "target": str,
    "scale": (str, dict, type(None)),
    "scaled_floats": list,
    "converter": {"name": str, "options": dict},
    "features": list,
    "inserted": list,
    "warnings": list,
}
PLAIN = (str, int, float, bool, type(None))


def check_manifest(manifest: Mapping[str, Any]) -> None:
    """Raise ValueError for the first entry of a manifest that is not what kgenn writes."""
    for problem in _problems(manifest, KINDS, ""):
        raise ValueError(f"{problem} is of another type than kgenn writes")
    for entry in manifest.get("warnings", ()):
        Diagnostic.from_dict(entry)
    if manifest.get("agreement") is not None:
        Agreement.from_dict(manifest["agreement"])
    stored(manifest)
    Naming.recorded(manifest)


def _problems(values: Mapping[str, Any], kinds: Mapping[str, Any], place: str) -> Iterator[str]:
    for name, kind in kinds.items():
        if name not in values:
            continue
        value, here = values[name], f"{place}{name}"
        if isinstance(kind, Mapping):
            known = isinstance(value, dict) and value.keys() >= kind.keys()
            yield from _problems(value, kind, f"{here}.") if known else (here,)
        elif not isinstance(value, kind) or not _is_plain(value):
            yield here


def _is_plain(value: Any) -> bool:
    """Tell whether the entries of an object are plain values."""
    return not isinstance(value, dict) or all(isinstance(entry, PLAIN) for entry in value.values())
