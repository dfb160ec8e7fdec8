"""Command-line options from the fields of a dataclass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click


def fields_as_options(record: type, defaults: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that adds an option for each field of a dataclass whose fields all have defaults.

    Args:
        defaults: False gives None where an option is not named, for defaults that depend on another option.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for field in reversed(fields(record)):
            flag = field.name.replace("_", "-")
            names = f"--{flag}/--no-{flag}" if isinstance(field.default, bool) else f"--{flag}"
            details: dict[str, Any] = {"default": field.default, "show_default": True} if defaults else {}
            command = click.option(names, type=type(field.default), **({"default": None} | details))(command)
        return command

    return decorate
