"""Show the options of a command in its help under headings, in columns that are aligned over all of them."""

from __future__ import annotations

from typing import Any

import click

# Columns of the options' names at most; a longer one stands on a line of its own.
WIDEST = 30


class HeadedOption(click.Option):
    """An option that stands under a heading of its own.

    Attributes:
        heading: above it in the help.
    """

    def __init__(self, *names: Any, heading: str, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.heading = heading


class HeadedCommand(click.Command):
    """A command whose help shows its options under headings: first those without one, then the others in order."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        headed: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if line is not None:
                headed.setdefault(getattr(parameter, "heading", "Options"), []).append(line)
        names = [len(name) for lines in headed.values() for name, _ in lines]
        column = max((length for length in names if length <= WIDEST), default=0)
        for heading, lines in headed.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(column), help) for name, help in lines], col_max=column)
