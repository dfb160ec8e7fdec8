"""`kgenn list`: the names that other commands take, each with a line."""

from __future__ import annotations

from collections.abc import Callable, Collection

import click
import numpy as np

from kgenn.cli.console import print_json, print_line, print_table
from kgenn.cli.options import json_flag
from kgenn.registry import summary

Rows = list[dict[str, str]]


def methods() -> Rows:
    """Return the converters, with what their classes declare."""
    from kgenn.citations import reference
    from kgenn.conversion import CONVERTERS
    from kgenn.encoders import encoders_of

    found = []
    for name, cls in sorted(CONVERTERS.usable().items()):
        names = encoders_of(cls.code)
        signed = ["signed input"] if takes_signed_input(names) else []
        found.append(
            {
                "name": name,
                "description": summary(cls),
                "represents": ", ".join([*sorted(cls.represents), *signed]),
                "encoders": ", ".join(default_first(cls.default_encoder, names)),
                "code": cls.code,
                "timesteps": str(cls.default_timesteps),
                "source": ", ".join(reference(citation).key for citation in cls.citations),
            }
        )
    return found


def default_first(default: str, names: Collection[str]) -> list[str]:
    """Return names in order, the default before the others."""
    return sorted(names, key=lambda name: (name != default, name))


def takes_signed_input(encoders: Collection[str]) -> bool:
    """Tell whether one of some encoders takes negative inputs."""
    from kgenn.encoders import ENCODERS

    least = np.full((1, 1), -1.0)
    return any(ENCODERS.get(name)().coding(least, 1).low < 0 for name in encoders)


def encoders() -> Rows:
    """Return the encoders."""
    from kgenn.encoders import ENCODERS

    return [{"name": name, "description": summary(cls)} for name, cls in sorted(ENCODERS.usable().items())]


def targets() -> Rows:
    """Return the targets."""
    from kgenn.backends import TARGETS

    return [{"name": name, "description": summary(cls)} for name, cls in sorted(TARGETS.usable().items())]


def tasks() -> Rows:
    """Return the tasks of outputs, each with its labels and metrics."""
    from kgenn.ir.output_end import OutputEnd
    from kgenn.tasks import TASKS

    end = OutputEnd((1, 1))  # the names of metrics are those of any output
    return [
        {
            "name": name,
            "description": summary(task),
            "labels": task.takes,
            "metrics": ", ".join(metric.name for metric in task.metrics_of(end)),
        }
        for name, task in TASKS.items()
    ]


def layers() -> Rows:
    """Return the Keras layers that are read."""
    from kgenn.layers import LAYERS

    return [{"name": name, "description": summary(reader)} for name, reader in sorted(LAYERS.usable().items())]


def operations() -> Rows:
    """Return the operations on tensors that are read."""
    from kgenn.layers import OPERATIONS

    return [{"name": name, "description": summary(reader)} for name, reader in sorted(OPERATIONS.usable().items())]


def features() -> Rows:
    """Return what `--allow` admits."""
    from kgenn.conversion.constraints import FEATURES

    return [{"name": f.name, "code": f.code, "description": f.help} for f in FEATURES.values()]


def diagnostics() -> Rows:
    """Return the diagnostic codes."""
    from kgenn.diagnostic_codes import CODES

    return [{"code": code, "description": text} for code, text in sorted(CODES.items())]


def plug_ins() -> Rows:
    """Return what other packages add, and why some of it cannot be used."""
    from kgenn.backends import TARGETS
    from kgenn.conversion import CONVERTERS
    from kgenn.encoders import ENCODERS
    from kgenn.export import EXPORTERS
    from kgenn.layers import LAYERS, OPERATIONS
    from kgenn.method_options import converters, encoders

    odd = {**converters().problems, **encoders().problems}
    return [
        {"name": p.name, "kind": p.kind, "package": p.package, "problem": p.problem or odd.get(p.name, "")}
        for registry in (CONVERTERS, ENCODERS, TARGETS, LAYERS, OPERATIONS, EXPORTERS)
        for p in registry.plugins()
    ]


TABLES: dict[str, Callable[[], Rows]] = {
    "methods": methods,
    "encoders": encoders,
    "targets": targets,
    "tasks": tasks,
    "layers": layers,
    "operations": operations,
    "features": features,
    "diagnostics": diagnostics,
    "plug-ins": plug_ins,
}


@click.command("list")
@click.argument("what", type=click.Choice(list(TABLES)), required=False)
@json_flag
def list_names(what: str | None, as_json: bool) -> None:
    """List methods, encoders, targets, tasks, layers, operations, features, codes and plug-ins.

    Without an argument, list all of them. A plug-in that cannot be used is listed with the reason.
    """
    tables = {name: TABLES[name]() for name in ([what] if what else TABLES)}
    if as_json:
        print_json(tables)
        return
    for name, rows in tables.items():
        if not rows:  # most have no plug-ins
            continue
        if not what:
            print_line(name)
        print_table(tuple(rows[0]), [tuple(row.values()) for row in _grouped(rows)])


def _grouped(rows: Rows) -> Rows:
    """Return rows with those that differ in name only as one."""
    groups: dict[tuple[str, ...], Rows] = {}
    for row in rows:
        groups.setdefault(tuple(value for key, value in row.items() if key != "name"), []).append(row)
    return [
        {**same[0], "name": ", ".join(row["name"] for row in same)} if same[1:] else same[0]
        for same in groups.values()
    ]
