"""The command line's pages, from the commands themselves."""

from __future__ import annotations

import inspect

import click

from benchmarks.tables import markdown
from kgenn.cli import COMMANDS, group


def commands(_: str) -> str:
    """Return a section for each command: usage, what it does, and its options under their headings."""
    context = click.Context(group, info_name="kgenn")
    parts = []
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None, name
        parts.append(section(name, command, click.Context(command, info_name=name, parent=context)))
    return "\n".join(parts)


def section(name: str, command: click.Command, context: click.Context) -> str:
    """Return one command's section."""
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [
        f"(command-{name})=\n## kgenn {name}\n",
        f"```text\n{usage}\n```\n",
        inspect.cleandoc(command.help or ""),
    ]
    headed: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            flag, text = record
            row = (f"`{flag}`", text.replace("<", "&lt;"))
            headed.setdefault(getattr(parameter, "heading", ""), []).append(row)
    for heading, rows in headed.items():
        parts.append(f"\n**{heading}**\n" if heading else "")
        parts.append(markdown(("option", "meaning"), rows))
    return "\n".join(parts)
